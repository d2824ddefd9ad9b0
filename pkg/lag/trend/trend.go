// Package trend remembers the last polls of a Kafka cluster and tells from them
// what its consumers do: whether one is stalled, stopped or was set back, how
// fast its lag grows, how old its oldest unread message is, and how the lag of
// the last hours went. It does no I/O and looks at no clock.
package trend

import (
	"time"

	"tocsin/pkg/alert"
)

// State is what a consumer of a partition does.
type State string

// States, in the order of how much they ask for. A group's or topic's is the
// worst of its partitions'.
const (
	OK            = State(alert.StatusOK)
	Unknown State = "unknown"                  // too few polls, or it was not seen
	Growing       = State(alert.StatusGrowing) // it reads, and what is left to read grows
	Rewind        = State(alert.StatusRewind)  // its committed offset went back and is not where it was again
	Stalled       = State(alert.StatusStalled) // it has members, unread messages, and commits nothing
	Stopped       = State(alert.StatusStopped) // it has unread messages and nobody to read them
)

// Members is what is known of who reads for a group.
type Members int8

const (
	MembersUnknown Members = iota
	NoMembers
	HasMembers
)

// Group is one consumer group as a poll saw it.
type Group struct {
	Name    string
	Members Members
	Topics  []Topic
	// Complete tells that a topic that is missing is gone.
	Complete bool
}

// Topic is one topic that a group has read.
type Topic struct {
	Name       string
	Partitions []Partition
	// Unsubscribed tells that the group has members and none reads the topic.
	Unsubscribed bool
}

// Partition is one partition of a topic as its group sees it. What is not Known
// has an ID and nothing else.
type Partition struct {
	ID                    int32
	Committed, End, Start int64
	Lag                   int64
	Known                 bool
}

// PartitionStatus is what the window tells of a partition.
type PartitionStatus struct {
	State State
	// Since is the first poll from which on the state can be seen to have held:
	// for Stalled and Stopped that of the frozen commit with messages left, which
	// may be before the window. It is zero while OK or Unknown.
	Since time.Time
	// ProduceRate and ConsumeRate are messages per second that were produced and read since the
	// oldest poll of the window; NaN while unknown. A rewind is no reading.
	ProduceRate, ConsumeRate float64
	// DrainTime is how long it takes until nothing is left at these rates: 0 when no
	// more than is allowed is left, Never when it does not come nearer, negative
	// while unknown.
	DrainTime time.Duration
	// GrowingFor is for how long the lag has grown, up to the newest poll; 0 when it
	// has not. A small fall on the way does not end it; what rose once and stays
	// does not grow.
	GrowingFor time.Duration
	// RewoundBy is by how many messages the commit went back at most; with Rewind.
	RewoundBy int64
}

// Never is the Drain of a lag that does not shrink, and the greatest Age of a
// message that is older than all that is remembered.
const Never = alert.Never

// History is the lag of a topic over the last hours, oldest first, one value a
// Step, the last of them at Last; -1 is unknown.
type History struct {
	Last   time.Time
	Step   time.Duration
	Values []int64
}

// Package trend keeps the recent polls of a Kafka cluster and evaluates its
// consumers from them: whether one is stalled, has stopped or was rewound, how
// fast its lag grows, how old its oldest unread message is, and how its lag
// developed over the last hours. It does no I/O and reads no clock.
package trend

import (
	"time"

	"tocsin/pkg/alert"
)

// State is the state of a consumer of a partition, a topic or a group.
type State string

// States, from the least to the most severe. A topic's or group's state is the
// most severe one of its partitions.
const (
	OK                    = State(alert.StatusOK)
	Unknown         State = "unknown"                          // too few polls, or missing from the recent ones
	Growing               = State(alert.StatusGrowing)         // it commits, and its lag grows
	Rewind                = State(alert.StatusRewind)          // its committed offset went back and has not returned
	HungTransaction       = State(alert.StatusHungTransaction) // an open transaction holds back its messages
	Ahead                 = State(alert.StatusAhead)           // its committed offset is beyond the log end
	Stalled               = State(alert.StatusStalled)         // it has members and unread messages, and does not commit
	Stopped               = State(alert.StatusStopped)         // it has unread messages and no members
)

// Members is whether a group has members.
type Members int8

const (
	MembersUnknown Members = iota
	NoMembers
	HasMembers
)

// Tail is what the unread offsets of a partition have.
type Tail uint8

const (
	TailUnknown Tail = iota
	TailMarkers      // no messages: markers of transactions, and messages of aborted ones
	TailMessage      // a message, that a consumer would read
)

// Group is one consumer group in a poll.
type Group struct {
	Name    string
	Members Members
	Topics  []Topic
	// Complete is whether the poll has all topics of the group: a topic that is
	// missing is gone.
	Complete bool
}

// Topic is one topic in which a group has committed offsets.
type Topic struct {
	Name       string
	Partitions []Partition
	// Unsubscribed is whether the group has members and none of them subscribes
	// to the topic.
	Unsubscribed bool
}

// Partition is one partition of a topic with the offsets of a group in it.
// Unless it is Known, only its ID is set.
type Partition struct {
	ID                    int32
	Committed, End, Start int64
	Lag                   int64
	Known                 bool
	// OpenTransaction is whether messages of open transactions follow End, which leaves
	// them out.
	OpenTransaction bool
}

// PartitionStatus is the state of a group in one partition.
type PartitionStatus struct {
	State State
	// Since is the first poll from which on the State is known to have held.
	// For Stalled and Stopped it is the first poll with the same commit and
	// messages left, which may be older than the window. It is zero for OK and
	// Unknown.
	Since time.Time
	// ProduceRate and ConsumeRate are in messages per second since the oldest
	// poll of the window; NaN while unknown. A rewind does not count as
	// consumption.
	ProduceRate, ConsumeRate float64
	// DrainTime is how long it takes at these rates until the lag is gone: 0
	// when it is at most the allowed lag, Never when it does not shrink,
	// negative while unknown.
	DrainTime time.Duration
	// GrowingFor is for how long the lag has grown, up to the newest poll; 0
	// when it has not. Small dips do not reset it. A lag that rose once and
	// then stayed level does not count as growing.
	GrowingFor time.Duration
	// RewoundBy is by how many messages the commit went back at most. It is set
	// with Rewind only.
	RewoundBy int64
}

// Never is the DrainTime of a lag that does not shrink, and the upper bound of
// the age of a message that is older than the stored log ends.
const Never = alert.Never

// History is the lag of a topic over the last hours: one value for each Step,
// oldest first, the newest of them at Last. -1 is unknown.
type History struct {
	Last   time.Time
	Step   time.Duration
	Values []int64
}

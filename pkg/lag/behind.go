package lag

import (
	"context"
	"time"
)

// Timer is a Reader that can tell how old unread messages are. It is asked about
// rows that it returned a moment ago.
type AgeReader interface {
	// Behind tells of each row how many of its unread messages are older than
	// each of thresholds at now.
	CountOlder(ctx context.Context, now time.Time, rows []GroupPartition, thresholds []time.Duration) [][]OlderCount
	// Age tells of each row how old its oldest unread message is at now, after
	// allowed of them that do not count, within so much time.
	ReadAges(ctx context.Context, now time.Time, rows []GroupPartition, allowed int64, within time.Duration) []Age
}

// Describer is a Reader that can tell who reads for a group.
type Describer interface {
	// Describe adds to groups, which Read returned, their State, their Members,
	// and which topics are Unsubscribed. It leaves a group as it is that cannot
	// be described; its error is the first of those that happened.
	Describe(ctx context.Context, groups []Group) error
}

// Row is one partition as one of its groups sees it: what a reader is asked
// about that can tell how old the unread messages are.
type GroupPartition struct {
	Group, Topic string
	Partition
}

// Older is how many of a row's unread messages are older than a threshold. It
// says whether the group is behind by more than that time, and what a reader
// that keeps a history can say as well: it is how far the commit is from where
// the end was then.
//
// One message may be a transaction's marker, which nobody reads and which stays:
// to be behind takes more of them than the lag that is allowed.
type OlderCount struct {
	// Messages is their number, never negative; valid when Known.
	Messages int64
	Known    bool
	// Reason is why it is not known.
	Reason string
}

// Age is how long the oldest unread message of a row has been there.
type Age struct {
	// AtLeast and AtMost are what it lies between; valid when Known. Both are 0
	// when there is no such message.
	AtLeast, AtMost time.Duration
	Known           bool
	// Reason is why it is not known.
	Reason string
}

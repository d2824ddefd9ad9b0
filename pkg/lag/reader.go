// Package lag monitors the lag of consumer groups: a Reader reads one cluster, an
// Evaluator evaluates the rules on its snapshots, and a Watcher keeps the state
// between polls and ingests the alerts.
//
// Lag is the log end offset minus the committed offset, in messages, summed over
// a topic's partitions. A lag that could not be read is unknown: it never counts
// as zero, and it never ends an alert.
package lag

import (
	"context"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
)

// Reader reads the current lag of one cluster's consumer groups.
type Reader interface {
	// Read reads all groups, or as many as it can before ctx ends. An error means
	// that nothing of the cluster could be read; it may have a method
	// Text(lang string) string with a localized message. An error of a single
	// group is in that Group's Err. The caller owns the Snapshot and adds to it.
	Read(ctx context.Context) (*Snapshot, error)
}

// Describer is a Reader that also reads the members of groups.
type Describer interface {
	// Describe sets the State and Members of groups that Read returned, and
	// Unsubscribed of their topics; the State of one that the cluster does not know is
	// "Dead". One that cannot be described gets the cause as its PartialErr.
	Describe(ctx context.Context, groups []Group)
}

// Verifier is a Reader whose lists may leave out what exists: a group whose
// coordinator is away, and groups and topics that the user may no longer describe.
type Verifier interface {
	// Verify looks up groups, and topics of groups, that Read no longer returned. A
	// Group without Topics is looked up as a whole, of one with Topics only these, by
	// name. It returns those that exist, and with an Err those not known to be gone.
	Verify(ctx context.Context, missing []Group) []Group
}

// AgeReader is a Reader that also reads the age of unread messages. Its arguments
// are partitions that it returned a moment ago.
type AgeReader interface {
	// CountOlder returns, for each partition and each threshold, how many unread
	// messages are older than the threshold at now.
	CountOlder(ctx context.Context, now time.Time, partitions []GroupPartition, thresholds []time.Duration) [][]OlderCount
	// ReadAges returns, for each partition, the age of its oldest unread message
	// at now, to a precision. The first allowed messages do not count.
	ReadAges(ctx context.Context, now time.Time, partitions []GroupPartition, allowed int64, precision time.Duration) []Age
}

// TailReader is a Reader that also reads the end of partitions. Its arguments are
// partitions that it returned a moment ago.
type TailReader interface {
	// ReadTails returns what the unread offsets of each partition have.
	ReadTails(ctx context.Context, partitions []GroupPartition) []Tail
}

// Tail is what the unread offsets of a partition have.
type Tail = trend.Tail

const (
	TailUnknown = trend.TailUnknown
	TailMarkers = trend.TailMarkers
	TailMessage = trend.TailMessage
)

// TransactionReader is a Reader that also reads open transactions. Its arguments are
// partitions that it returned a moment ago.
type TransactionReader interface {
	// ReadTransactions returns, for each partition, the open transaction before which its
	// group stands, nil if there is none or it is not known.
	ReadTransactions(ctx context.Context, partitions []GroupPartition) []*Transaction
}

// Transaction is an open transaction. Consumers with isolation.level read_committed
// receive nothing after its first message until it ends.
type Transaction struct {
	ProducerID int64
	Epoch      int32
	Start      int64 // the offset of its first message in the partition
}

// Snapshot is the result of reading a cluster.
type Snapshot struct {
	Groups []Group
	// Complete reports that the list of groups is complete: a group that is not
	// in it does not exist.
	Complete bool
	// Err is why some groups could not be listed, nil if all were. It may have a
	// method Text, as Read's error.
	Err error
	// StartOffsetUnknown reports that the reader does not read log start offsets,
	// so that lost messages are not detected.
	StartOffsetUnknown bool
	// Source is SourceKafka or SourceAPI in a cluster that can be read both ways,
	// else "". PrimaryErr is why it was not read by Kafka's protocol.
	Source     string
	PrimaryErr error
	// Reader is the Reader that answers follow-up queries; nil is the one that
	// returned the Snapshot.
	Reader Reader
	// Trend is the window of the last polls including this one; nil when none is
	// kept. A Poller sets it.
	Trend *trend.Window
}

// Values of Snapshot.Source.
const (
	SourceKafka = alert.SourceKafka // Kafka's protocol
	SourceAPI   = alert.SourceAPI   // the cloud's API
)

// Group is one consumer group.
type Group struct {
	Name string
	// Type is Kafka's type of the group, such as "classic" or "consumer"; "" if the
	// Reader does not know it.
	Type   string
	Topics []Topic
	// Complete reports that the list of topics is complete: the group has no
	// commits in a topic that is not in it.
	Complete bool
	// Err is why the group, or the rest of it, could not be read. It may have a
	// method Text, as Read's error.
	Err error
	// PartialErr is why a follow-up query failed: the lag is known, but not the
	// ages or the members that the rules need.
	PartialErr error
	// State is Kafka's state of the group, such as "Stable", "Empty" or
	// "PreparingRebalance"; "" unless the group was described.
	State string
	// Members are set when State is.
	Members []Member
}

// Member is one consumer of a group.
type Member struct {
	ClientID, Host string
	// Partitions are those assigned to it, by topic.
	Partitions map[string][]int32
}

// Topic is one topic in which a group has committed.
type Topic struct {
	Name       string
	Partitions []Partition
	// Unsubscribed reports that the group has members and none of them subscribes
	// to the topic: its commits are leftovers, which Kafka expires. It is known
	// when the group was described.
	Unsubscribed bool
}

// Partition is one partition of a topic with the offsets of a group.
type Partition struct {
	ID int32
	// Committed is the group's committed offset, End the log end offset.
	Committed, End int64
	// HighWatermark is the end including the messages of open transactions, where End
	// leaves them out (ReadCommitted); otherwise 0.
	HighWatermark int64
	// Start is the log start offset, 0 with StartOffsetUnknown.
	Start int64
	// Lag is the number of unread messages, End - max(Committed, Start), never
	// negative; valid when Known. In a topic with transactions it includes their
	// markers, so that it may stay 1 when everything has been read.
	Lag int64
	// Lost is the number of messages that were deleted unread, Start - Committed,
	// never negative; valid when Known.
	Lost  int64
	Known bool
	// Reason is why the lag is not known: NoCommit, "error 3", …
	Reason string
	// Unread describes the offsets from Committed on, as far as known, where the group stands
	// still: TailMessage, or TailMarkers of the first Markers of them.
	Unread  Tail
	Markers int64
	// Transaction is the open transaction that holds back the group, where it was read.
	Transaction *Transaction
	// Age is the age of the oldest unread message that the allowed lag does not
	// cover; nil unless it was queried.
	Age *Age
}

// NoCommit is the Reason of a partition in which the group has not committed.
// That is not a failure: the group has not read the partition, or does not commit.
const NoCommit = "no commit"

// GroupPartition is one partition with the offsets of a named group.
type GroupPartition struct {
	Group, Topic string
	Partition
}

// OlderCount is the number of a partition's unread messages that are older than a
// threshold. A transaction marker, which no consumer reads, may be among them: the
// threshold is exceeded only by more messages than the allowed lag.
type OlderCount struct {
	// Messages is never negative; valid when Known.
	Messages int64
	Known    bool
	// Reason is why the count is not known.
	Reason string
}

// DelaySource is where the age of a message is from.
type DelaySource string

const (
	// FromTimestamps is from the timestamps of messages, which producers set unless the
	// topic has LogAppendTime.
	FromTimestamps = DelaySource(alert.DelayFromTimestamps)
	// FromHistory is from the log ends at earlier polls: the time at which the message
	// was written, between two polls.
	FromHistory = DelaySource(alert.DelayFromHistory)
)

// Age is the age of a partition's oldest unread message.
type Age struct {
	// AtLeast and AtMost bound the age; valid when Known. Both are 0 when there
	// is no such message.
	AtLeast, AtMost time.Duration
	Known           bool
	// Source is where the age is from; valid when Known.
	Source DelaySource
	// NoTimestamp is whether the age is not known because no message has a timestamp, and
	// AfterGap whether it is that of the first message that has one, because those before
	// it have none or were compacted. CountOlder counts such messages as older.
	NoTimestamp, AfterGap bool
	// Reason is why the age is not known.
	Reason string
}

// Package lag watches how far consumer groups are behind: a Reader reads one
// cluster, Judge compares what it saw with the rules, and Watcher keeps the
// state between polls and hands alerts on.
//
// Lag is the log end offset minus the committed offset, in messages, summed over
// a topic's partitions. What could not be read is unknown: it is never taken for
// zero, and it never ends an alert.
package lag

import (
	"context"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
)

// Reader reads the current lag of one cluster's consumer groups.
type Reader interface {
	// Read returns what it could see before ctx was done. An error means that
	// nothing could be learnt of the cluster; it may have a method
	// Text(lang string) string with words for people. What went wrong with one
	// group only is in that Group's Err. A group's Complete list of topics means
	// that a topic missing from it is gone. The Snapshot is the caller's, who adds
	// to it what is asked for later.
	Read(ctx context.Context) (*Snapshot, error)
}

// Snapshot is what one poll saw.
type Snapshot struct {
	Groups []Group
	// Complete tells that the list of groups is whole: a group that is not in it
	// does not exist.
	Complete bool
	// Err is why a part of the groups could not be listed, nil when there is no
	// such part. As with Read's error, it may have words for people.
	Err error
	// NoStart tells that the reader does not learn where logs start, so that
	// nothing is known of messages that were lost.
	StartOffsetUnknown bool
	// Source is by which of a cluster's two ways it was read, SourceKafka or
	// SourceAPI, and Instead why it was not the better one; "" and nil where
	// there is one way.
	Source     string
	PrimaryErr error
	// By is who read it and can be asked on; nil is the Reader itself.
	Reader Reader
	// Trend is what the last polls tell, this one among them; nil when they are
	// not remembered.
	Trend *trend.Window
}

// What Snapshot.Source may be.
const (
	SourceKafka = alert.SourceKafka // Kafka's own protocol
	SourceAPI   = alert.SourceAPI   // the cloud's
)

// Group is one consumer group.
type Group struct {
	Name   string
	Topics []Topic
	// Complete tells that the list of topics is whole: a topic that is not in it
	// is gone.
	Complete bool
	// Err is why the group, or the rest of it, could not be read. As with
	// Read's error, it may have words for people.
	Err error
	// Dim is why something that the rules ask about the group could not be
	// learnt, though its lag could: how old messages are, who reads them.
	PartialErr error
	// State is Kafka's word for what the group does: "Stable", "Empty",
	// "PreparingRebalance", …; "" when the reader was not asked for it.
	State string
	// Members are who read for the group; known when State is.
	Members []Member
}

// Member is one consumer of a group.
type Member struct {
	// ClientID is what it calls itself, Host where it connects from.
	ClientID, Host string
	// Partitions are those that it reads, by topic.
	Partitions map[string][]int32
}

// Topic is one topic that a group has read.
type Topic struct {
	Name       string
	Partitions []Partition
	// Unsubscribed tells that the group has members and none of them reads the
	// topic any more: what is left are commits that Kafka forgets in time. It
	// is known when the group's State is.
	Unsubscribed bool
}

// Partition is one partition of a topic as its group sees it.
type Partition struct {
	ID int32
	// Committed is the group's committed offset, End the log end offset.
	Committed, End int64
	// Start is the log start offset: what is before it was deleted. It is 0
	// where the reader does not learn it.
	Start int64
	// Lag is how many messages are left to read, End - max(Committed, Start),
	// never negative; valid when Known. In a topic with transactions it counts
	// their markers, so that of a group that has read all it may be 1.
	Lag int64
	// Lost is how many messages were deleted before the group had read them,
	// Start - Committed, never negative; valid when Known.
	Lost  int64
	Known bool
	// Reason is why the lag is not known: NoCommit, "error 3", …
	Reason string
	// Age is how old the oldest unread message is, beyond those that are allowed
	// to stay; nil unless it was asked for.
	Age *Age
}

// NoCommit is the Reason of a partition in which the group has committed
// nothing. It is no failure: the group has not read the partition, or does not
// commit.
const NoCommit = "no commit"

// Package lag watches how far consumer groups are behind: a Reader reads one
// cluster, Judge compares what it saw with the rules, and Watcher keeps the
// state between polls and hands alerts on.
//
// Lag is the log end offset minus the committed offset, in messages, summed over
// a topic's partitions. What could not be read is unknown: it is never taken for
// zero, and it never ends an alert.
package lag

import "context"

// Reader reads the current lag of one cluster's consumer groups.
type Reader interface {
	// Read returns what it could see before ctx was done. An error means that
	// nothing could be learnt of the cluster; it may have a method
	// Text(lang string) string with words for people. What went wrong with one
	// group only is in that Group's Err. A group's Complete list of topics means
	// that a topic missing from it is gone.
	Read(ctx context.Context) (*Snapshot, error)
}

// Snapshot is what one poll saw.
type Snapshot struct {
	Groups []Group
	// Complete tells that the list of groups is whole: a group that is not in it
	// does not exist.
	Complete bool
}

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
}

// Topic is one topic that a group has read.
type Topic struct {
	Name       string
	Partitions []Partition
}

// Partition is one partition of a topic as its group sees it.
type Partition struct {
	ID int32
	// Committed is the group's committed offset, End the log end offset.
	Committed, End int64
	// Lag is End - Committed in messages, never negative; valid when Known.
	Lag   int64
	Known bool
	// Reason is why the lag is not known: "no commit", "error 3", …
	Reason string
}

package ckafka

import (
	"fmt"
	"math"

	"tocsin/pkg/lag"
)

// The Results of the two actions, as far as they are read (API 2019-08-19). What
// a number's absence means is for the reader to say, so that numbers are
// pointers.
type (
	groupList struct {
		TotalCount *int64
		GroupList  []struct{ Group string }
	}
	offsetList struct {
		TotalCount *int64
		TopicList  []offsetTopic
	}
	offsetTopic struct {
		Topic      string
		Partitions []offsetPartition
	}
	offsetPartition struct {
		Partition, Offset, LogEndOffset, ErrorCode *int64
	}
)

// topic converts a topic. One without a name comes back without anything.
func (t *offsetTopic) topic() lag.Topic {
	if t.Topic == "" {
		return lag.Topic{}
	}
	topic := lag.Topic{Name: t.Topic, Partitions: make([]lag.Partition, len(t.Partitions))}
	for i := range t.Partitions {
		topic.Partitions[i] = t.Partitions[i].partition()
	}
	return topic
}

// partition converts a partition. The vendor does not say what Offset and Lag
// hold where nothing was committed, so a missing or negative offset is an unknown
// lag, and the vendor's own Lag is not used.
func (p *offsetPartition) partition() lag.Partition {
	id, committed, end, code := orMinusOne(p.Partition), orMinusOne(p.Offset), orMinusOne(p.LogEndOffset), int64(0)
	if p.ErrorCode != nil {
		code = *p.ErrorCode
	}
	partition := lag.Partition{ID: int32(id), Committed: committed, End: end}
	switch {
	case id < 0 || id > math.MaxInt32:
		partition.ID, partition.Reason = -1, "no partition number"
	case code != 0:
		partition.Reason = fmt.Sprintf("error %d", code)
	case committed < 0:
		partition.Reason = "no commit"
	case end < 0:
		partition.Reason = "no log end offset"
	default:
		partition.Known, partition.Lag = true, max(0, end-committed)
	}
	return partition
}

func orMinusOne(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

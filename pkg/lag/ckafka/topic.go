package ckafka

import (
	"fmt"
	"math"

	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/ckafka/v20190819"

	"tocsin/pkg/lag"
)

// topicOf converts a topic. One without a name comes back without anything.
func topicOf(t *sdk.GroupOffsetTopic) lag.Topic {
	if t == nil || t.Topic == nil {
		return lag.Topic{}
	}
	topic := lag.Topic{Name: *t.Topic, Partitions: make([]lag.Partition, len(t.Partitions))}
	for i, p := range t.Partitions {
		topic.Partitions[i] = partitionOf(p)
	}
	return topic
}

// partitionOf converts a partition. The vendor does not say what Offset and Lag
// hold where nothing was committed, so a missing or negative offset is an
// unknown lag, and the vendor's own Lag is not used.
func partitionOf(p *sdk.GroupOffsetPartition) lag.Partition {
	if p == nil {
		p = &sdk.GroupOffsetPartition{}
	}
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

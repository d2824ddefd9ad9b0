package ckafka

import (
	"errors"
	"fmt"
	"math"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/pkg/lag"
)

// The Results of the two actions, as far as they are read (API 2019-08-19).
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
		Partition, Offset, LogEndOffset, ErrorCode number
	}
)

// number is a number of the API, which may be absent: what that means is for the
// reader to say. A page has thousands, too many for pointers.
type number struct {
	value int64
	given bool
}

// UnmarshalJSONFrom reads the number; null is none.
func (n *number) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	token, err := d.ReadToken()
	switch {
	case err != nil:
		return err
	case token.Kind() == jsontext.KindNull:
		return nil
	case token.Kind() != jsontext.KindNumber:
		return errors.New("not a number")
	}
	n.value, err = token.Int()
	n.given = true
	return err
}

// or returns the number, or absent where there is none.
func (n number) or(absent int64) int64 {
	if !n.given {
		return absent
	}
	return n.value
}

func (l groupList) length() *int64  { return l.TotalCount }
func (l offsetList) length() *int64 { return l.TotalCount }

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
	id, committed, end, code := p.Partition.or(-1), p.Offset.or(-1), p.LogEndOffset.or(-1), p.ErrorCode.or(0)
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

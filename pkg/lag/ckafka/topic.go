package ckafka

import (
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
		Partitions partitions
	}
	offsetPartition struct {
		Partition, Offset, LogEndOffset, ErrorCode number
	}
)

// number is a number of the API, which may be absent: what that means is for the
// reader to say.
type number struct {
	value int64
	given bool
}

// partitions are read token by token: a page has thousands, and going by
// reflection takes three times as long.
type partitions []lag.Partition

// UnmarshalJSONFrom reads the list; null is an empty one.
func (ps *partitions) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != jsontext.KindBeginArray {
		return skipNull(d)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != jsontext.KindEndArray {
		var p offsetPartition
		if err := p.read(d); err != nil {
			return err
		}
		*ps = append(*ps, p.partition())
	}
	_, err := d.ReadToken()
	return err
}

func (p *offsetPartition) read(d *jsontext.Decoder) error {
	if d.PeekKind() != jsontext.KindBeginObject {
		return skipNull(d)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != jsontext.KindEndObject {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		switch name.String() {
		case "Partition":
			err = p.Partition.read(d)
		case "Offset":
			err = p.Offset.read(d)
		case "LogEndOffset":
			err = p.LogEndOffset.read(d)
		case "ErrorCode":
			err = p.ErrorCode.read(d)
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func (n *number) read(d *jsontext.Decoder) error {
	if d.PeekKind() != jsontext.KindNumber {
		return skipNull(d)
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	n.value, err = token.Int()
	n.given = true
	return err
}

// skipNull passes over a null where something else might be.
func skipNull(d *jsontext.Decoder) error {
	token, err := d.ReadToken()
	if err == nil && token.Kind() != jsontext.KindNull {
		err = fmt.Errorf("%s where the API documents another kind of value", token.Kind())
	}
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
	return lag.Topic{Name: t.Topic, Partitions: t.Partitions}
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
		partition.Reason = lag.NoCommit
	case end < 0:
		partition.Reason = "no log end offset"
	default:
		partition.Known, partition.Lag = true, max(0, end-committed)
	}
	return partition
}

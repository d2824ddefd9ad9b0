package ckafka

import (
	"fmt"
	"math"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/pkg/lag"
	"tocsin/pkg/tencent"
)

// The responses of the actions (API 2019-08-19), as far as they are used.
type (
	groupsResponse struct {
		tencent.ResponseHeader
		Result struct {
			TotalCount *int64
			GroupList  []struct{ Group string }
		}
	}
	offsetsResponse struct {
		tencent.ResponseHeader
		Result struct {
			TotalCount *int64
			TopicList  []topicOffsets
		}
	}
	topicOffsets struct {
		Topic      string
		Partitions partitions
	}
	partitionOffsets struct {
		Partition, Offset, LogEndOffset, ErrorCode number
	}

	infoResponse struct {
		tencent.ResponseHeader
		Result []groupInfo
	}
	groupInfo struct {
		Group, State, ErrorCode string
		Members                 []struct {
			ClientId, ClientHost string
			Assignment           struct {
				Topics []struct {
					Topic      string
					Partitions []int32
				}
			}
		}
	}
)

// Valid reports whether the response holds a list.
func (r *groupsResponse) Valid() bool { return r.Result.TotalCount != nil }

// Valid reports whether the response holds a list.
func (r *offsetsResponse) Valid() bool { return r.Result.TotalCount != nil }

// Valid reports whether the response holds a list.
func (r *infoResponse) Valid() bool { return r.Result != nil }

// topic converts a topic. One without a name becomes the zero Topic.
func (t *topicOffsets) topic() lag.Topic {
	if t.Topic == "" {
		return lag.Topic{}
	}
	return lag.Topic{Name: t.Topic, Partitions: t.Partitions}
}

// partition converts a partition. The vendor does not document the values of
// Offset and Lag where nothing was committed: a missing or negative offset is an
// unknown lag, and the vendor's own Lag is not used.
func (p *partitionOffsets) partition() lag.Partition {
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

// partitions is decoded token by token: a page has thousands, and decoding by
// reflection takes three times as long.
type partitions []lag.Partition

// UnmarshalJSONFrom decodes a list; null is an empty one. Topics are decoded on the
// stack first, so that each is allocated once and in its size.
func (ps *partitions) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != jsontext.KindBeginArray {
		return skipNull(d)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	var buffer [64]lag.Partition
	list := buffer[:0]
	for d.PeekKind() != jsontext.KindEndArray {
		var p partitionOffsets
		if err := p.decode(d); err != nil {
			return err
		}
		list = append(list, p.partition())
	}
	*ps = slices.Clone(list)
	_, err := d.ReadToken()
	return err
}

func (p *partitionOffsets) decode(d *jsontext.Decoder) error {
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
			err = p.Partition.decode(d)
		case "Offset":
			err = p.Offset.decode(d)
		case "LogEndOffset":
			err = p.LogEndOffset.decode(d)
		case "ErrorCode":
			err = p.ErrorCode.decode(d)
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

// number is a number of the API that may be missing.
type number struct {
	value   int64
	present bool
}

func (n *number) decode(d *jsontext.Decoder) error {
	if d.PeekKind() != jsontext.KindNumber {
		return skipNull(d)
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	n.value, err = token.Int()
	n.present = true
	return err
}

// or returns the number, or missing when there is none.
func (n number) or(missing int64) int64 {
	if !n.present {
		return missing
	}
	return n.value
}

// skipNull reads a null in the place of another value.
func skipNull(d *jsontext.Decoder) error {
	token, err := d.ReadToken()
	if err == nil && token.Kind() != jsontext.KindNull {
		err = fmt.Errorf("%s where the API documents another kind of value", token.Kind())
	}
	return err
}

package kafka

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	world "tocsin/pkg/localcloud/kafka"
)

// TestOthersAreUnchanged: whatever a broker says of one group, topic, partition
// or of all that it has, with every code that Kafka knows, the rows of the others
// are as they were, and what it was said of is unknown, unchanged, or gone where
// the code says so.
func TestOthersAreUnchanged(t *testing.T) {
	k, r, whole := spread(t)
	type aim struct {
		name  string
		fault world.Fault
		hit   func(group, topic string, partition int32) bool
		gone  int16 // the code that says that it does not exist
	}
	aims := []aim{
		{"group", world.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g3"},
			func(g, _ string, _ int32) bool { return g == "g3" }, kerr.GroupIDNotFound.Code},
		{"partition's offsets", world.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "a", Partitions: []int32{2}},
			func(_, topic string, p int32) bool { return topic == "a" && p == 2 }, -2},
		{"partition's place", world.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "b", Partitions: []int32{0}},
			func(_, topic string, p int32) bool { return topic == "b" && p == 0 }, -2},
		{"topic's place", world.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "a"},
			func(_, topic string, _ int32) bool { return topic == "a" }, kerr.UnknownTopicOrPartition.Code},
		{"broker's offsets", world.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Nodes: []int32{1}},
			func(_, topic string, p int32) bool { return k.Leader(topic, p) == 1 }, -2},
	}
	for _, aim := range aims {
		for code := int16(-1); code < 140; code++ {
			err := kerr.TypedErrorForCode(code)
			if err == nil || code > 0 && err == kerr.UnknownServerError {
				continue // 0, or a number that stands for nothing
			}
			aim.fault.Err = err
			undo := k.Fail(aim.fault)
			snap := read(t, t.Context(), r)
			undo()
			if !snap.Complete || len(snap.Groups) != len(whole.Groups) {
				t.Fatalf("%s, %s: %d groups, complete = %t", aim.name, err.Message, len(snap.Groups), snap.Complete)
			}
			is := map[string]lag.Partition{}
			for _, row := range allRows(snap) {
				is[fmt.Sprint(row.Group, row.Topic, row.ID)] = row.Partition
			}
			for _, was := range allRows(whole) {
				got, ok := is[fmt.Sprint(was.Group, was.Topic, was.ID)]
				hit := aim.hit(was.Group, was.Topic, was.ID)
				switch {
				case !hit && (!ok || got != was.Partition):
					t.Errorf("%s, %s: %s %s changed: %+v, was %+v", aim.name, err.Message, was.Group, was.Topic, got, was.Partition)
				case hit && !ok && code != aim.gone && groupOf(t, snap, was.Group).Complete:
					t.Errorf("%s, %s: %s %s is gone", aim.name, err.Message, was.Group, was.Topic)
				case hit && ok && got.Known && got != was.Partition:
					t.Errorf("%s, %s: %s %s: %+v, was %+v", aim.name, err.Message, was.Group, was.Topic, got, was.Partition)
				case hit && ok && !got.Known && (got.Reason == "" || groupOf(t, snap, was.Group).Err == nil):
					t.Errorf("%s, %s: %s %s says not why: %+v", aim.name, err.Message, was.Group, was.Topic, got)
				}
			}
		}
	}
}

// TestOneBrokerAnswersAnything: its answers are well formed and mean nothing.
// What the other brokers answer for does not change.
func TestOneBrokerAnswersAnything(t *testing.T) {
	k, r, whole := spread(t)
	const mad = 2
	random := rand.New(rand.NewPCG(3, 4))
	number := func() int64 { return []int64{-1 << 63, -1, 0, 1, 7, 1<<63 - 1}[random.IntN(6)] }
	topic := func() string { return []string{"a", "b", "c", ""}[random.IntN(4)] }
	group := func() string { return fmt.Sprintf("g%d", random.IntN(12)) }
	k.Respond(kmsg.ListOffsets, func(node int32, req kmsg.Request) kmsg.Response {
		if node != mad {
			return nil
		}
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		for range random.IntN(9) {
			add(resp, topic(), int32(random.IntN(5)-1), number())
		}
		return resp
	})
	k.Respond(kmsg.OffsetFetch, func(node int32, req kmsg.Request) kmsg.Response {
		if node != mad {
			return nil
		}
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for range random.IntN(9) {
			g := kmsg.NewOffsetFetchResponseGroup()
			g.Group, g.ErrorCode = group(), int16(random.IntN(3)*random.IntN(130))
			for range random.IntN(4) {
				one := kmsg.NewOffsetFetchResponseGroupTopic()
				one.Topic = topic()
				for range random.IntN(4) {
					p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
					p.Partition, p.Offset = int32(random.IntN(5)-1), number()
					one.Partitions = append(one.Partitions, p)
				}
				g.Topics = append(g.Topics, one)
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp
	})
	for range 200 {
		snap := read(t, t.Context(), r)
		for _, want := range whole.Groups {
			if k.Coordinator(want.Name) == mad {
				groupOf(t, snap, want.Name)
				continue
			}
			got := groupOf(t, snap, want.Name)
			for i, topic := range want.Topics {
				for j, row := range topic.Partitions {
					is := got.Topics[i].Partitions[j]
					if k.Leader(topic.Name, row.ID) != mad && !reflect.DeepEqual(is, row) {
						t.Fatalf("%s %s changed: %+v, was %+v", want.Name, topic.Name, is, row)
					}
					if is.Lag < 0 || is.Lost < 0 || is.Known && (is.Start < 0 || is.End < 0 || is.Committed < 0) {
						t.Fatalf("%s %s: %+v", want.Name, topic.Name, is)
					}
				}
			}
		}
	}
}

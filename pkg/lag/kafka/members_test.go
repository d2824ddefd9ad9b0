package kafka

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// TestParseKIP848 parses the description of a group that moves between topics:
// b is still assigned, c is going to be.
func TestParseKIP848(t *testing.T) {
	assignment := func(topic string, partitions ...int32) kmsg.Assignment {
		return kmsg.Assignment{TopicPartitions: []kmsg.AssignmentTopicPartition{{Topic: topic, Partitions: partitions}, {Partitions: []int32{1}}}}
	}
	d := parseKIP848(&kmsg.ConsumerGroupDescribeResponseGroup{
		Group: "g", State: "Stable",
		Members: []kmsg.ConsumerGroupDescribeResponseGroupMember{{
			ClientID: "order-1", ClientHost: "/10.0.0.9", SubscribedTopics: []string{"a"},
			Assignment: assignment("b", 0, 2), TargetAssignment: assignment("c", 1),
		}},
	})
	got := lag.Group{Topics: []lag.Topic{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}}
	d.addTo(&got)
	want := lag.Group{
		State:   "Stable",
		Members: []lag.Member{{ClientID: "order-1", Host: "/10.0.0.9", Partitions: map[string][]int32{"b": {0, 2}}}},
		Topics:  []lag.Topic{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d", Unsubscribed: true}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestUnsubscribedNeedsStableGroup(t *testing.T) {
	for name, d := range map[string]*kmsg.DescribeGroupsResponseGroup{
		"rebalance":        {State: "PreparingRebalance", ProtocolType: "consumer", Members: []kmsg.DescribeGroupsResponseGroupMember{{ClientID: "c"}}},
		"other protocol":   {State: "Stable", ProtocolType: "connect", Members: []kmsg.DescribeGroupsResponseGroupMember{{ProtocolMetadata: []byte{0, 1, 0, 0, 0, 9}}}},
		"invalid metadata": {State: "Stable", ProtocolType: "consumer", Members: []kmsg.DescribeGroupsResponseGroupMember{{ProtocolMetadata: []byte{0, 1, 0, 0}, MemberAssignment: []byte{255}}}},
		"no members":       {State: "Empty", ProtocolType: "consumer"},
	} {
		t.Run(name, func(t *testing.T) {
			g := lag.Group{Topics: []lag.Topic{{Name: "a"}}}
			parsed := parseClassic(d)
			parsed.addTo(&g)
			if g.State != d.State || len(g.Members) != len(d.Members) || g.Topics[0].Unsubscribed {
				t.Errorf("got %+v, want state %s, %d members, no unsubscribed topic", g, d.State, len(d.Members))
			}
		})
	}
}

// TestUnsubscribedTopic reads a group with commits in a topic that it does not
// subscribe to any more, and a group without members.
func TestUnsubscribedTopic(t *testing.T) {
	for _, kip848 := range []bool{false, true} {
		t.Run(fmt.Sprintf("KIP-848 %t", kip848), func(t *testing.T) {
			ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 3, "b": 1}})
			join := k.Consumer
			if kip848 {
				join = k.NextGenConsumer
			}
			commitOffsets(t, ctx, k, "manual", "b", 0)
			commitOffsets(t, ctx, k, "g", "b", 0)
			must(t, k.Produce(ctx, "a", 3))
			c, err := join(ctx, "g", "a")
			must(t, err)
			defer c.Close()
			_, err = c.Consume(ctx, 3)
			must(t, err)
			r := newReader(t, k, nil)
			snap := mustRead(t, ctx, r)
			must(t, r.Describe(ctx, snap.Groups))
			if g := findGroup(t, snap, "g"); len(g.Topics) != 2 || g.Topics[0].Unsubscribed || !g.Topics[1].Unsubscribed {
				t.Errorf("got %+v, want topic b unsubscribed", g)
			}
			if g := findGroup(t, snap, "manual"); g.State != "Empty" || len(g.Members) != 0 || g.Topics[0].Unsubscribed {
				t.Errorf("group without members: got %+v, want it empty and no topic unsubscribed", g)
			}
		})
	}
}

// TestDescribeLeavesPartitions describes groups of which some fail.
func TestDescribeLeavesPartitions(t *testing.T) {
	k, r, want := startSpreadCluster(t)
	snap := mustRead(t, t.Context(), r)
	k.Fail(localkafka.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: "g2", Err: kerr.GroupAuthorizationFailed})
	k.Fail(localkafka.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: "g4", Err: kerr.GroupIDNotFound}) // and is no KIP-848 group
	checkError(t, r.Describe(t.Context(), snap.Groups), Permission, "DESCRIBE on group g2")
	for i, g := range snap.Groups {
		wantState := "Empty"
		if g.Name == "g2" || g.Name == "g4" {
			wantState = ""
		}
		if g.State != wantState {
			t.Errorf("group %s: got state %q, want %q", g.Name, g.State, wantState)
		}
		if !reflect.DeepEqual(g.Topics, want.Groups[i].Topics) {
			t.Errorf("group %s: got topics %+v, want them unchanged: %+v", g.Name, g.Topics, want.Groups[i].Topics)
		}
	}
	must(t, r.Describe(t.Context(), nil))
}

package kafka

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	world "tocsin/pkg/localcloud/kafka"
)

// TestNextGenDescription reads what Kafka 4 says of a group of KIP-848 that moves
// from one topic to another: b is still with the member, c will be.
func TestNextGenDescription(t *testing.T) {
	assignment := func(topic string, partitions ...int32) kmsg.Assignment {
		return kmsg.Assignment{TopicPartitions: []kmsg.AssignmentTopicPartition{{Topic: topic, Partitions: partitions}, {Partitions: []int32{1}}}}
	}
	d := nextGen(&kmsg.ConsumerGroupDescribeResponseGroup{
		Group: "g", State: "Stable",
		Members: []kmsg.ConsumerGroupDescribeResponseGroupMember{{
			ClientID: "order-1", ClientHost: "/10.0.0.9", SubscribedTopics: []string{"a"},
			Assignment: assignment("b", 0, 2), TargetAssignment: assignment("c", 1),
		}},
	})
	g := lag.Group{Topics: []lag.Topic{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}}
	d.decorate(&g)
	want := lag.Group{
		State:   "Stable",
		Members: []lag.Member{{ClientID: "order-1", Host: "/10.0.0.9", Partitions: map[string][]int32{"b": {0, 2}}}},
		Topics:  []lag.Topic{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d", Unsubscribed: true}},
	}
	if !reflect.DeepEqual(g, want) {
		t.Errorf("got\n%+v\nwant\n%+v", g, want)
	}
}

// TestUnrestTellsNothing: while partitions are shared out anew, and where members
// say nothing that can be read, no topic is taken for one that nobody reads.
func TestUnrestTellsNothing(t *testing.T) {
	for _, d := range []*kmsg.DescribeGroupsResponseGroup{
		{State: "PreparingRebalance", ProtocolType: "consumer", Members: []kmsg.DescribeGroupsResponseGroupMember{{ClientID: "c"}}},
		{State: "Stable", ProtocolType: "connect", Members: []kmsg.DescribeGroupsResponseGroupMember{{ProtocolMetadata: []byte{0, 1, 0, 0, 0, 9}}}},
		{State: "Stable", ProtocolType: "consumer", Members: []kmsg.DescribeGroupsResponseGroupMember{{ProtocolMetadata: []byte{0, 1, 0, 0}, MemberAssignment: []byte{255}}}},
		{State: "Empty", ProtocolType: "consumer"},
	} {
		g := lag.Group{Topics: []lag.Topic{{Name: "a"}}}
		out := classic(d)
		out.decorate(&g)
		if g.State != d.State || len(g.Members) != len(d.Members) || g.Topics[0].Unsubscribed {
			t.Errorf("%s of type %s: %+v", d.State, d.ProtocolType, g)
		}
	}
}

// TestDescribeChangesNoRow: groups that cannot be described stay as they were,
// and the others are described.
func TestDescribeChangesNoRow(t *testing.T) {
	k, r, whole := spread(t)
	snap := read(t, t.Context(), r)
	k.Fail(world.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: "g2", Err: kerr.GroupAuthorizationFailed})
	k.Fail(world.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: "g4", Err: kerr.GroupIDNotFound}) // and is none of KIP-848
	if err := r.Describe(t.Context(), snap.Groups); kindOf(t, err) != Permission {
		t.Errorf("%v", err)
	}
	for i, g := range snap.Groups {
		if known := g.Name != "g2" && g.Name != "g4"; known != (g.State == "Empty") {
			t.Errorf("%s is %q", g.Name, g.State)
		}
		if !reflect.DeepEqual(g.Topics, whole.Groups[i].Topics) {
			t.Errorf("%s changed: %+v", g.Name, g)
		}
	}
	must(t, r.Describe(t.Context(), nil))
}

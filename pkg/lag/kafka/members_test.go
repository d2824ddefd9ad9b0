package kafka

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// TestParseConsumerGroup parses the description of a group that moves between topics:
// b is still assigned, c is going to be.
func TestParseConsumerGroup(t *testing.T) {
	assignment := func(topic string, partitions ...int32) kmsg.Assignment {
		return kmsg.Assignment{TopicPartitions: []kmsg.AssignmentTopicPartition{{Topic: topic, Partitions: partitions}, {Partitions: []int32{1}}}}
	}
	d := parseConsumer(&kmsg.ConsumerGroupDescribeResponseGroup{
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
			mustDescribe(t, ctx, r, snap.Groups)
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
	r.Describe(t.Context(), snap.Groups)
	checkError(t, findGroup(t, snap, "g2").PartialErr, Permission, "DESCRIBE on group g2")
	for i, g := range snap.Groups {
		wantState := "Empty"
		switch g.Name {
		case "g2":
			wantState = ""
		case "g4":
			wantState = "Dead"
		}
		if g.State != wantState {
			t.Errorf("group %s: got state %q, want %q", g.Name, g.State, wantState)
		}
		if !reflect.DeepEqual(g.Topics, want.Groups[i].Topics) {
			t.Errorf("group %s: got topics %+v, want them unchanged: %+v", g.Name, g.Topics, want.Groups[i].Topics)
		}
	}
	r.Describe(t.Context(), nil)
}

// asKafka4 makes the brokers describe groups as Kafka 4 does: each only by the request
// of its type.
func asKafka4(k *localkafka.Kafka, types map[string]string) {
	k.Respond(kmsg.ListGroups, func(node int32, _ kmsg.Request) kmsg.Response {
		resp := kmsg.NewPtrListGroupsResponse()
		for name, typ := range types {
			if k.Coordinator(name) == node {
				resp.Groups = append(resp.Groups, kmsg.ListGroupsResponseGroup{Group: name, GroupType: typ, ProtocolType: "consumer", GroupState: "Stable"})
			}
		}
		resp.Version = 5
		return resp
	})
	describe := func(typ, group string) (code int16, state string) {
		if types[group] != typ {
			return kerr.GroupIDNotFound.Code, ""
		}
		return 0, "Stable"
	}
	k.Respond(kmsg.DescribeGroups, func(_ int32, r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.DescribeGroupsResponse)
		for _, name := range r.(*kmsg.DescribeGroupsRequest).Groups {
			d := kmsg.NewDescribeGroupsResponseGroup()
			d.Group, d.Members = name, []kmsg.DescribeGroupsResponseGroupMember{{ClientID: "classic"}}
			d.ErrorCode, d.State = describe("classic", name)
			resp.Groups = append(resp.Groups, d)
		}
		return resp
	})
	k.Respond(kmsg.ConsumerGroupDescribe, func(_ int32, r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
		for _, name := range r.(*kmsg.ConsumerGroupDescribeRequest).Groups {
			d := kmsg.NewConsumerGroupDescribeResponseGroup()
			d.Group, d.Members = name, []kmsg.ConsumerGroupDescribeResponseGroupMember{{ClientID: "consumer"}}
			d.ErrorCode, d.State = describe("consumer", name)
			resp.Groups = append(resp.Groups, d)
		}
		return resp
	})
	// The embedded cluster does not know streams groups.
	k.Respond(kmsg.StreamsGroupDescribe, func(_ int32, r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.StreamsGroupDescribeResponse)
		for _, name := range r.(*kmsg.StreamsGroupDescribeRequest).Groups {
			d := kmsg.NewStreamsGroupDescribeResponseGroup()
			d.Group, d.Members = name, []kmsg.StreamsGroupDescribeResponseGroupMember{{ClientID: "streams"}}
			d.ErrorCode, d.State = describe("streams", name)
			resp.Groups = append(resp.Groups, d)
		}
		return resp
	})
}

// TestDescribeByType describes groups that the list names with their types.
func TestDescribeByType(t *testing.T) {
	types := map[string]string{"a": "classic", "b": "consumer"}
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"t": 1}})
	for name := range types {
		commitOffsets(t, ctx, k, name, "t", 0)
	}
	asKafka4(k, types)
	r := newReader(t, k, nil)
	snap := mustRead(t, ctx, r)
	k.RequestCounts()
	mustDescribe(t, ctx, r, snap.Groups)
	if counts := k.RequestCounts(); counts["DescribeGroups"] != 1 || counts["ConsumerGroupDescribe"] != 1 || counts["StreamsGroupDescribe"] != 0 {
		t.Errorf("got requests %v, want one for each type", counts)
	}
	for name, typ := range types {
		if g := findGroup(t, snap, name); g.Type != typ || len(g.Members) != 1 || g.Members[0].ClientID != typ {
			t.Errorf("group %s: got %+v, want type and member %s", name, g, typ)
		}
	}
}

// TestDescribeFailureIsNotDeath describes a group of the consumer protocol, whose
// request fails: whether it has members is not known.
func TestDescribeFailureIsNotDeath(t *testing.T) {
	for name, tt := range map[string]struct {
		fail      func(k *localkafka.Kafka)
		wantState string
		wantErr   string
	}{
		"times out":      {func(k *localkafka.Kafka) { k.HangRequests(0, kmsg.ConsumerGroupDescribe) }, "", "did not answer in time"},
		"denied":         {failDescribe(kerr.GroupAuthorizationFailed), "", "DESCRIBE on group g"},
		"topic denied":   {failDescribe(kerr.TopicAuthorizationFailed), "", "DESCRIBE"},
		"loading":        {failDescribe(kerr.CoordinatorLoadInProgress), "", "COORDINATOR_LOAD_IN_PROGRESS"},
		"not enabled":    {failDescribe(kerr.UnsupportedVersion), "Dead", ""},
		"does not exist": {failDescribe(kerr.GroupIDNotFound), "Dead", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, typ := range []string{"", "consumer"} {
				ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"t": 1}})
				commitOffsets(t, ctx, k, "g", "t", 0)
				tt.fail(k)
				asKafka4(k, map[string]string{"g": "consumer"})
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				groups := []lag.Group{{Name: "g", Type: typ}}
				newReader(t, k, nil).Describe(ctx, groups)
				g := groups[0]
				if g.State != tt.wantState || (g.PartialErr == nil) != (tt.wantErr == "") || g.PartialErr != nil && !strings.Contains(g.PartialErr.Error(), tt.wantErr) {
					t.Errorf("type %q: got state %q, error %v; want state %q, error with %q", typ, g.State, g.PartialErr, tt.wantState, tt.wantErr)
				}
			}
		})
	}
}

// failDescribe makes the description of group g as one of the consumer protocol fail.
func failDescribe(err *kerr.Error) func(*localkafka.Kafka) {
	return func(k *localkafka.Kafka) {
		k.Respond(kmsg.ConsumerGroupDescribe, func(_ int32, r kmsg.Request) kmsg.Response {
			resp := r.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
			for _, name := range r.(*kmsg.ConsumerGroupDescribeRequest).Groups {
				resp.Groups = append(resp.Groups, kmsg.ConsumerGroupDescribeResponseGroup{Group: name, ErrorCode: err.Code})
			}
			return resp
		})
	}
}

// TestSubscriptions reports topics as unsubscribed only when the subscriptions of all
// members are known.
func TestSubscriptions(t *testing.T) {
	pattern := func(s string) *string { return &s }
	member := func(topics []string, regex *string) kmsg.ConsumerGroupDescribeResponseGroupMember {
		return kmsg.ConsumerGroupDescribeResponseGroupMember{SubscribedTopics: topics, SubscribedTopicRegex: regex}
	}
	subscription := func(topics ...string) []byte {
		m := kmsg.NewConsumerMemberMetadata()
		m.Topics = topics
		return m.AppendTo(nil)
	}
	consumer := func(members ...kmsg.ConsumerGroupDescribeResponseGroupMember) *groupDescription {
		return parseConsumer(&kmsg.ConsumerGroupDescribeResponseGroup{State: "Stable", Members: members})
	}
	classic := func(metadata ...[]byte) *groupDescription {
		d := &kmsg.DescribeGroupsResponseGroup{State: "Stable", ProtocolType: "consumer"}
		for _, m := range metadata {
			d.Members = append(d.Members, kmsg.DescribeGroupsResponseGroupMember{ProtocolMetadata: m})
		}
		return parseClassic(d)
	}
	streams := func(topology *kmsg.StreamsGroupDescribeResponseGroupTopology) *groupDescription {
		return parseStreams(&kmsg.StreamsGroupDescribeResponseGroup{State: "Stable", Topology: topology, Members: []kmsg.StreamsGroupDescribeResponseGroupMember{{}}})
	}
	for name, tt := range map[string]struct {
		d    *groupDescription
		want string // the unsubscribed ones of orders-a, orders-b and clicks
	}{
		"names":                             {consumer(member([]string{"orders-a"}, nil)), "orders-b clicks"},
		"pattern":                           {consumer(member(nil, pattern("orders-.*"))), "clicks"},
		"pattern that is part of a name":    {consumer(member(nil, pattern("orders"))), "orders-a orders-b clicks"},
		"pattern of another language":       {consumer(member(nil, pattern("(?=orders)"))), ""},
		"classic":                           {classic(subscription("orders-a"), subscription("clicks")), "orders-b"},
		"classic with an unknown member":    {classic(subscription("orders-a"), []byte{0, 1, 0, 0}), ""},
		"streams without a topology":        {streams(nil), ""},
		"streams with a source and a store": {streams(&kmsg.StreamsGroupDescribeResponseGroupTopology{Subtopologies: []kmsg.StreamsGroupDescribeResponseGroupTopologySubtopology{{SourceTopics: []string{"orders-a"}, RepartitionSourceTopics: []kmsg.TopicInfo{{Topic: "orders-b"}}}}}), "clicks"},
	} {
		t.Run(name, func(t *testing.T) {
			g := lag.Group{Topics: []lag.Topic{{Name: "orders-a"}, {Name: "orders-b"}, {Name: "clicks"}}}
			tt.d.addTo(&g)
			var got []string
			for _, topic := range g.Topics {
				if topic.Unsubscribed {
					got = append(got, topic.Name)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q unsubscribed, want %q", got, tt.want)
			}
		})
	}
}

// TestParseStreamsGroup parses the tasks of a member.
func TestParseStreamsGroup(t *testing.T) {
	d := parseStreams(&kmsg.StreamsGroupDescribeResponseGroup{
		State: "Stable",
		Topology: &kmsg.StreamsGroupDescribeResponseGroupTopology{Subtopologies: []kmsg.StreamsGroupDescribeResponseGroupTopologySubtopology{
			{SubtopologyID: "0", SourceTopics: []string{"a", "b"}}, {SubtopologyID: "1", SourceTopics: []string{"c"}},
		}},
		Members: []kmsg.StreamsGroupDescribeResponseGroupMember{{
			ClientID: "app-1", ClientHost: "/10.0.0.9",
			Assignment: kmsg.StreamsAssignment{ActiveTasks: []kmsg.TaskIDs{{SubtopologyID: "0", Partitions: []int32{0, 2}}, {SubtopologyID: "1", Partitions: []int32{1}}}},
		}},
	})
	want := []lag.Member{{ClientID: "app-1", Host: "/10.0.0.9", Partitions: map[string][]int32{"a": {0, 2}, "b": {0, 2}, "c": {1}}}}
	if !reflect.DeepEqual(d.members, want) {
		t.Errorf("got %+v, want %+v", d.members, want)
	}
}

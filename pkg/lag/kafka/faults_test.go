package kafka

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// affected selects the groups and partitions that a fault makes unknown; nil
// selects none.
type affected struct {
	group     func(group string) bool
	partition func(topic string, id int32) bool
}

func (a affected) hasGroup(name string) bool { return a.group != nil && a.group(name) }

func (a affected) hasPartition(topic string, id int32) bool {
	return a.partition != nil && a.partition(topic, id)
}

// checkSnapshot checks that affected groups and partitions are unknown with a
// reason, and all others as in healthy.
func checkSnapshot(t *testing.T, healthy, snap *lag.Snapshot, a affected) {
	t.Helper()
	for _, want := range healthy.Groups {
		g := findGroup(t, snap, want.Name)
		if a.hasGroup(want.Name) {
			if g.Err == nil || g.Complete || len(g.Topics) != 0 {
				t.Errorf("group %s: got %+v, want an error and no topics", g.Name, g)
			}
			continue
		}
		wantErr := false
		for i, topic := range want.Topics {
			if len(g.Topics) != len(want.Topics) || len(g.Topics[i].Partitions) != len(topic.Partitions) {
				t.Fatalf("group %s: got %+v, want all partitions of %+v", g.Name, g, want)
			}
			for j, p := range topic.Partitions {
				got := g.Topics[i].Partitions[j]
				if a.hasPartition(topic.Name, p.ID) {
					wantErr = true
					if got.Known || got.Reason == "" || got.Lag != 0 {
						t.Errorf("group %s, topic %s: got %+v, want it unknown with a reason", g.Name, topic.Name, got)
					}
				} else if got != p {
					t.Errorf("group %s, topic %s: got %+v, want %+v", g.Name, topic.Name, got, p)
				}
			}
		}
		if wantErr != (g.Err != nil) {
			t.Errorf("group %s: got error %v, want one: %v", g.Name, g.Err, wantErr)
		}
	}
}

// withoutGroups returns the groups of a snapshot that are not excluded.
func withoutGroups(snap *lag.Snapshot, excluded func(string) bool) *lag.Snapshot {
	out := &lag.Snapshot{}
	for _, g := range snap.Groups {
		if !excluded(g.Name) {
			out.Groups = append(out.Groups, g)
		}
	}
	return out
}

func TestFaultsAffectOnlyTheirObject(t *testing.T) {
	k, r, healthy := startSpreadCluster(t)
	group := func(name string) affected { return affected{group: func(g string) bool { return g == name }} }
	topic := func(name string) affected {
		return affected{partition: func(topic string, _ int32) bool { return topic == name }}
	}
	partition := func(name string, id int32) affected {
		return affected{partition: func(topic string, p int32) bool { return topic == name && p == id }}
	}
	for _, tt := range []struct {
		name     string
		fault    localkafka.Fault
		affected affected
	}{
		{"group denied", localkafka.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g4", Err: kerr.GroupAuthorizationFailed}, group("g4")},
		{"coordinator of a group keeps loading", localkafka.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g5", Err: kerr.CoordinatorLoadInProgress}, group("g5")},
		{"offsets of a partition denied", localkafka.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "a", Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed}, partition("a", 1)},
		{"offsets of a topic fail", localkafka.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "b", Err: kerr.UnknownServerError}, topic("b")},
		{"topic denied", localkafka.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "b", Err: kerr.TopicAuthorizationFailed}, topic("b")},
		{"partition without a leader", localkafka.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "a", Partitions: []int32{2}, Err: kerr.LeaderNotAvailable}, partition("a", 2)},
		{"leader denies its leadership", localkafka.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "a", Partitions: []int32{0}, Err: kerr.NotLeaderForPartition}, partition("a", 0)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			undo := k.Fail(tt.fault)
			defer undo()
			checkSnapshot(t, healthy, mustRead(t, t.Context(), r), tt.affected)
		})
	}
	t.Run("no fault", func(t *testing.T) {
		checkSnapshot(t, healthy, mustRead(t, t.Context(), r), affected{})
	})
}

// TestDeadLeader kills a broker that the others consider alive. The partitions
// that it leads and the groups that it coordinates are unknown.
func TestDeadLeader(t *testing.T) {
	t.Parallel()
	k, r, healthy := startSpreadCluster(t)
	const dead = 1
	named := newReader(t, k, func(c *lag.Cluster) {
		c.Groups = newFilter(t, "g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8")
	})
	k.Kill(dead)
	coordinated := func(g string) bool { return k.Coordinator(g) == dead }
	led := func(topic string, p int32) bool { return k.Leader(topic, p) == dead }

	snap, err := readWithin(t, t.Context(), named, 20*time.Second)
	must(t, err)
	checkSnapshot(t, healthy, snap, affected{coordinated, led})
	if !snap.Complete {
		t.Error("named groups: got an incomplete list, want it complete")
	}

	snap, err = readWithin(t, t.Context(), r, 20*time.Second)
	must(t, err)
	if snap.Complete {
		t.Error("all groups: got a complete list, want it incomplete")
	}
	checkError(t, snap.Err, Network, "broker 1 could not be reached")
	checkSnapshot(t, withoutGroups(healthy, coordinated), snap, affected{partition: led})
}

// TestHangingBroker reads while a broker takes requests without responding. The
// partitions of other brokers must be read before the timeout.
func TestHangingBroker(t *testing.T) {
	t.Parallel()
	for hanging := range int32(3) {
		t.Run(fmt.Sprintf("broker %d", hanging), func(t *testing.T) {
			t.Parallel()
			k, r, healthy := startSpreadCluster(t)
			k.Hang(hanging)
			snap, err := readWithin(t, t.Context(), r, 3*time.Second)
			must(t, err)
			if snap.Complete {
				t.Error("got a complete list of groups, want it incomplete")
			}
			checkError(t, snap.Err, Timeout, "")
			checkSnapshot(t, withoutGroups(healthy, func(g string) bool { return k.Coordinator(g) == hanging }), snap,
				affected{partition: func(topic string, p int32) bool { return k.Leader(topic, p) == hanging }})
		})
	}
}

// TestHangingRequests reads while a broker does not respond to one kind of
// request. Brokers respond in order, so the requests after it on the same
// connection hang as well.
func TestHangingRequests(t *testing.T) {
	t.Parallel()
	for _, key := range []kmsg.Key{kmsg.OffsetFetch, kmsg.ListOffsets} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			k, r, healthy := startSpreadCluster(t)
			k.HangRequests(2, key)
			snap, err := readWithin(t, t.Context(), r, 3*time.Second)
			must(t, err)
			if !snap.Complete {
				t.Error("got an incomplete list of groups, want it complete")
			}
			checkSnapshot(t, healthy, snap, affected{
				group:     func(g string) bool { return key == kmsg.OffsetFetch && k.Coordinator(g) == 2 },
				partition: func(topic string, p int32) bool { return k.Leader(topic, p) == 2 },
			})
		})
	}
}

func TestNoBrokerAnswers(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{})
	defer k.Hang(0)()
	_, err := readWithin(t, ctx, newReader(t, k, nil), time.Second)
	checkError(t, err, Timeout, "")
	k.Kill(0)
	_, err = readWithin(t, ctx, newReader(t, k, nil), 5*time.Second)
	checkError(t, err, Network, k.Brokers()[0])
}

// TestErrorCodesAffectOnlyTheirObject returns every error code of Kafka for one
// group, topic, partition or broker. Others must be as before; the object
// itself must be unknown or unchanged, or missing where the code reports that.
func TestErrorCodesAffectOnlyTheirObject(t *testing.T) {
	k, r, healthy := startSpreadCluster(t)
	const never = -2
	for _, tt := range []struct {
		name     string
		fault    localkafka.Fault
		affected func(group, topic string, partition int32) bool
		notFound int16 // the code for an object that does not exist
	}{
		{"commits of a group", localkafka.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g3"},
			func(g, _ string, _ int32) bool { return g == "g3" }, kerr.GroupIDNotFound.Code},
		{"offsets of a partition", localkafka.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "a", Partitions: []int32{2}},
			func(_, topic string, p int32) bool { return topic == "a" && p == 2 }, never},
		{"metadata of a partition", localkafka.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "b", Partitions: []int32{0}},
			func(_, topic string, p int32) bool { return topic == "b" && p == 0 }, never},
		{"metadata of a topic", localkafka.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "a"},
			func(_, topic string, _ int32) bool { return topic == "a" }, kerr.UnknownTopicOrPartition.Code},
		{"offsets of a broker", localkafka.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Nodes: []int32{1}},
			func(_, topic string, p int32) bool { return k.Leader(topic, p) == 1 }, never},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for code := int16(-1); code < 140; code++ {
				err := kerr.TypedErrorForCode(code)
				if err == nil || code > 0 && err == kerr.UnknownServerError {
					continue // 0, or a number without an error
				}
				fault := tt.fault
				fault.Err = err
				undo := k.Fail(fault)
				snap := mustRead(t, t.Context(), r)
				undo()
				if !snap.Complete || len(snap.Groups) != len(healthy.Groups) {
					t.Fatalf("%s: got %d groups, complete %t; want %d, complete", err.Message, len(snap.Groups), snap.Complete, len(healthy.Groups))
				}
				partitions := map[string]lag.Partition{}
				for _, row := range groupPartitions(snap) {
					partitions[fmt.Sprint(row.Group, row.Topic, row.ID)] = row.Partition
				}
				for _, want := range groupPartitions(healthy) {
					got, ok := partitions[fmt.Sprint(want.Group, want.Topic, want.ID)]
					affected := tt.affected(want.Group, want.Topic, want.ID)
					switch {
					case !affected && (!ok || got != want.Partition):
						t.Errorf("%s: group %s, topic %s: got %+v, want %+v", err.Message, want.Group, want.Topic, got, want.Partition)
					case affected && !ok && code != tt.notFound && findGroup(t, snap, want.Group).Complete:
						t.Errorf("%s: group %s, topic %s: got a complete group without partition %d, want the partition", err.Message, want.Group, want.Topic, want.ID)
					case affected && ok && got.Known && got != want.Partition:
						t.Errorf("%s: group %s, topic %s: got %+v, want it unknown or %+v", err.Message, want.Group, want.Topic, got, want.Partition)
					case affected && ok && !got.Known && (got.Reason == "" || findGroup(t, snap, want.Group).Err == nil):
						t.Errorf("%s: group %s, topic %s: got %+v, want a reason", err.Message, want.Group, want.Topic, got)
					}
				}
			}
		})
	}
}

// TestInvalidResponsesOfOneBroker reads while one broker returns responses that
// are well formed and otherwise random. Results from other brokers must not
// change.
func TestInvalidResponsesOfOneBroker(t *testing.T) {
	k, r, healthy := startSpreadCluster(t)
	const broken = 2
	random := rand.New(rand.NewPCG(3, 4))
	number := func() int64 { return []int64{-1 << 63, -1, 0, 1, 7, 1<<63 - 1}[random.IntN(6)] }
	topic := func() string { return []string{"a", "b", "c", ""}[random.IntN(4)] }
	group := func() string { return fmt.Sprintf("g%d", random.IntN(12)) }
	k.Respond(kmsg.ListOffsets, func(node int32, req kmsg.Request) kmsg.Response {
		if node != broken {
			return nil
		}
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		for range random.IntN(9) {
			addOffset(resp, topic(), int32(random.IntN(5)-1), number())
		}
		return resp
	})
	k.Respond(kmsg.OffsetFetch, func(node int32, req kmsg.Request) kmsg.Response {
		if node != broken {
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
	for round := range 200 {
		snap := mustRead(t, t.Context(), r)
		for _, want := range healthy.Groups {
			got := findGroup(t, snap, want.Name)
			if k.Coordinator(want.Name) == broken {
				continue
			}
			for i, topic := range want.Topics {
				for j, p := range topic.Partitions {
					is := got.Topics[i].Partitions[j]
					if k.Leader(topic.Name, p.ID) != broken && is != p {
						t.Fatalf("round %d, group %s, topic %s: got %+v, want %+v", round, want.Name, topic.Name, is, p)
					}
					if is.Lag < 0 || is.Lost < 0 || is.Known && (is.Start < 0 || is.End < 0 || is.Committed < 0) {
						t.Fatalf("round %d, group %s, topic %s: got %+v, want no negative numbers", round, want.Name, topic.Name, is)
					}
				}
			}
		}
	}
}

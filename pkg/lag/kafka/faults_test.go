package kafka

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	world "tocsin/pkg/localcloud/kafka"
)

// spread is a cluster of three brokers, of which each leads a partition of each
// topic and keeps some of the groups.
func spread(t *testing.T) (k *world.Kafka, r *Reader, whole *lag.Snapshot) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 3, "b": 3}, Brokers: 3})
	must(t, k.Produce(ctx, "a", 30))
	must(t, k.Produce(ctx, "b", 60))
	for p := range int32(3) {
		must(t, k.SetLeader("a", p, p))
		must(t, k.SetLeader("b", p, (p+1)%3))
	}
	for g := range 9 {
		commitAt(t, ctx, k, fmt.Sprintf("g%d", g), "a", int64(g), 1, 2)
		commitAt(t, ctx, k, fmt.Sprintf("g%d", g), "b", int64(g), 3, 4)
	}
	r = newReader(t, k, nil)
	whole = read(t, ctx, r)
	for _, g := range whole.Groups {
		if g.Err != nil || len(g.Topics) != 2 {
			t.Fatalf("%+v", g)
		}
	}
	return k, r, whole
}

// compare holds a snapshot against the whole one: groups and rows for which hit
// tells so are unknown with a reason, and all others are as they were.
func compare(t *testing.T, whole, got *lag.Snapshot, hitGroup func(group string) bool, hitRow func(group, topic string, partition int32) bool) {
	t.Helper()
	for _, want := range whole.Groups {
		g := groupOf(t, got, want.Name)
		if hitGroup(want.Name) {
			if g.Err == nil || g.Complete || len(g.Topics) != 0 {
				t.Errorf("%s was read: %+v", g.Name, g)
			}
			continue
		}
		hit := false
		for i, topic := range want.Topics {
			if len(g.Topics) != len(want.Topics) || len(g.Topics[i].Partitions) != len(topic.Partitions) {
				t.Fatalf("%s: %+v", g.Name, g)
			}
			for j, row := range topic.Partitions {
				is := g.Topics[i].Partitions[j]
				if hitRow(want.Name, topic.Name, row.ID) {
					hit = true
					if is.Known || is.Reason == "" || is.Lag != 0 {
						t.Errorf("%s %s: %+v", g.Name, topic.Name, is)
					}
				} else if is != row {
					t.Errorf("%s %s changed: %+v, was %+v", g.Name, topic.Name, is, row)
				}
			}
		}
		if hit != (g.Err != nil) {
			t.Errorf("%s: error = %v", g.Name, g.Err)
		}
	}
}

func noGroup(string) bool              { return false }
func noRow(string, string, int32) bool { return false }

// TestFaultsStayWhereTheyAre refuses one thing after the other.
func TestFaultsStayWhereTheyAre(t *testing.T) {
	k, r, whole := spread(t)
	for _, tt := range []struct {
		name  string
		fault world.Fault
		group func(string) bool
		row   func(string, string, int32) bool
	}{
		{"a denied group", world.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g4", Err: kerr.GroupAuthorizationFailed},
			func(g string) bool { return g == "g4" }, noRow},
		{"a group whose coordinator is loading for good", world.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g5", Err: kerr.CoordinatorLoadInProgress},
			func(g string) bool { return g == "g5" }, noRow},
		{"a denied partition's ends", world.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "a", Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed},
			noGroup, func(_, topic string, p int32) bool { return topic == "a" && p == 1 }},
		{"a topic whose offsets are refused", world.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "b", Err: kerr.UnknownServerError},
			noGroup, func(_, topic string, _ int32) bool { return topic == "b" }},
		{"a denied topic", world.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "b", Err: kerr.TopicAuthorizationFailed},
			noGroup, func(_, topic string, _ int32) bool { return topic == "b" }},
		{"a partition without a leader", world.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "a", Partitions: []int32{2}, Err: kerr.LeaderNotAvailable},
			noGroup, func(_, topic string, p int32) bool { return topic == "a" && p == 2 }},
		{"a leader that does not know that it is", world.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "a", Partitions: []int32{0}, Err: kerr.NotLeaderForPartition},
			noGroup, func(_, topic string, p int32) bool { return topic == "a" && p == 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			undo := k.Fail(tt.fault)
			defer undo()
			compare(t, whole, read(t, t.Context(), r), tt.group, tt.row)
		})
	}
	compare(t, whole, read(t, t.Context(), r), noGroup, noRow)
}

// TestDeadLeader: a broker that others take for alive refuses connections. The
// partitions that it leads and the groups that it keeps are unknown.
func TestDeadLeader(t *testing.T) {
	t.Parallel()
	k, r, whole := spread(t)
	const dead = 1
	named := newReader(t, k, func(c *lag.Cluster) { c.Groups = filter(t, "g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8") })
	k.Kill(dead)
	kept := func(g string) bool { return k.Coordinator(g) == dead }
	led := func(_, topic string, p int32) bool { return k.Leader(topic, p) == dead }

	snap, err := within(t, t.Context(), named, 20*time.Second)
	must(t, err)
	compare(t, whole, snap, kept, led)
	if !snap.Complete {
		t.Error("the groups are named, so that their list is whole")
	}

	snap, err = within(t, t.Context(), r, 20*time.Second)
	must(t, err)
	if snap.Complete || snap.Err == nil || !strings.Contains(snap.Err.Error(), "broker 1 could not be reached") || kindOf(t, snap.Err) != Network {
		t.Errorf("complete = %t, error = %v", snap.Complete, snap.Err)
	}
	compare(t, only(whole, func(g string) bool { return !kept(g) }), snap, noGroup, led)
}

// TestSlowBroker: a broker takes requests and does not answer. The others' rows
// are there before the time is over.
func TestSlowBroker(t *testing.T) {
	t.Parallel()
	for slow := range int32(3) {
		t.Run(fmt.Sprintf("broker %d", slow), func(t *testing.T) {
			t.Parallel()
			k, r, whole := spread(t)
			k.Hang(slow)
			kept := func(g string) bool { return k.Coordinator(g) == slow }
			led := func(_, topic string, p int32) bool { return k.Leader(topic, p) == slow }
			snap, err := within(t, t.Context(), r, 3*time.Second)
			must(t, err)
			if snap.Complete || snap.Err == nil || kindOf(t, snap.Err) != Timeout {
				t.Errorf("complete = %t, error = %v", snap.Complete, snap.Err)
			}
			compare(t, only(whole, func(g string) bool { return !kept(g) }), snap, noGroup, led)
		})
	}
}

// TestSlowOnOneRequest: a broker answers everything but one kind. It answers in
// order, so that one request that hangs holds up those behind it.
func TestSlowOnOneRequest(t *testing.T) {
	t.Parallel()
	for _, key := range []kmsg.Key{kmsg.OffsetFetch, kmsg.ListOffsets} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			k, r, whole := spread(t)
			k.HangRequests(2, key)
			snap, err := within(t, t.Context(), r, 3*time.Second)
			must(t, err)
			if !snap.Complete {
				t.Error("the list of groups is whole")
			}
			compare(t, whole, snap,
				func(g string) bool { return key == kmsg.OffsetFetch && k.Coordinator(g) == 2 },
				func(_, topic string, p int32) bool { return k.Leader(topic, p) == 2 })
		})
	}
}

// TestNobodyAnswers: nothing is learnt, and in time.
func TestNobodyAnswers(t *testing.T) {
	ctx, k := start(t, world.Config{})
	defer k.Hang(0)()
	_, err := within(t, ctx, newReader(t, k, nil), time.Second)
	if kindOf(t, err) != Timeout {
		t.Errorf("%v", err)
	}
	k.Kill(0)
	_, err = within(t, ctx, newReader(t, k, nil), 5*time.Second)
	if kindOf(t, err) != Network || !strings.Contains(err.Error(), k.Brokers()[0]) {
		t.Errorf("%v", err)
	}
}

// only returns the groups of a snapshot that are chosen.
func only(snap *lag.Snapshot, chosen func(string) bool) *lag.Snapshot {
	out := &lag.Snapshot{}
	for _, g := range snap.Groups {
		if chosen(g.Name) {
			out.Groups = append(out.Groups, g)
		}
	}
	return out
}

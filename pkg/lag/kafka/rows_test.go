package kafka

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	world "tocsin/pkg/localcloud/kafka"
)

// crafted is a cluster with topic a: 10 messages in each of 3 partitions.
func crafted(t *testing.T) world.Config {
	return world.Config{Topics: map[string]int32{"a": 3}, Brokers: 3}
}

// TestCommitsAheadOfTheEnd: commits 99 (end 10), 10, 8. The truth is 0+0+2 = 2.
func TestCommitsAheadOfTheEnd(t *testing.T) {
	ctx, k := start(t, crafted(t))
	must(t, k.Produce(ctx, "a", 30))
	commitAt(t, ctx, k, "g", "a", 99, 10, 8)
	got := rowsOf(t, read(t, ctx, newReader(t, k, nil)), "g", "a")
	want := []lag.Partition{
		{ID: 0, Committed: 99, End: 10, Known: true},
		{ID: 1, Committed: 10, End: 10, Known: true},
		{ID: 2, Committed: 8, End: 10, Lag: 2, Known: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// TestOnlyOnePartitionCommitted: partition 0 at 4. The truth is 6 known, 2
// partitions unknown.
func TestOnlyOnePartitionCommitted(t *testing.T) {
	ctx, k := start(t, crafted(t))
	must(t, k.Produce(ctx, "a", 30))
	commitAt(t, ctx, k, "g", "a", 4)
	snap := read(t, ctx, newReader(t, k, nil))
	want := []lag.Partition{
		{ID: 0, Committed: 4, End: 10, Lag: 6, Known: true},
		{ID: 1, Committed: -1, End: 10, Reason: "no commit"},
		{ID: 2, Committed: -1, End: 10, Reason: "no commit"},
	}
	if got := rowsOf(t, snap, "g", "a"); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if g := groupOf(t, snap, "g"); g.Err != nil || !g.Complete || !snap.Complete {
		t.Errorf("complete = %t and %t, error = %v", snap.Complete, g.Complete, g.Err)
	}
}

// TestCommitBeforeTheLogStart: commit 1, log start 6, end 10. The truth is 4
// left, 5 lost.
func TestCommitBeforeTheLogStart(t *testing.T) {
	ctx, k := start(t, crafted(t))
	must(t, k.Produce(ctx, "a", 30))
	commitAt(t, ctx, k, "g", "a", 1)
	deleteBefore(t, ctx, k, 6)
	got := rowsOf(t, read(t, ctx, newReader(t, k, nil)), "g", "a")[0]
	if want := (lag.Partition{ID: 0, Committed: 1, Start: 6, End: 10, Lag: 4, Lost: 5, Known: true}); got != want {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// TestLiveGroupOfKIP848: lag 5, 1 member, as Kafka 4 answers.
func TestLiveGroupOfKIP848(t *testing.T) {
	ctx, k := start(t, crafted(t))
	c, err := k.NextGenConsumer(ctx, "g", "a")
	must(t, err)
	defer c.Close()
	must(t, k.Produce(ctx, "a", 30))
	_, err = c.Consume(ctx, 25)
	must(t, err)
	classic, err := k.Consumer(ctx, "old", "a")
	must(t, err)
	defer classic.Close()
	_, err = classic.Consume(ctx, 10)
	must(t, err)

	r := newReader(t, k, nil)
	snap := read(t, ctx, r)
	if total, unknown := sum(rowsOf(t, snap, "g", "a")); total != 5 || unknown != 0 {
		t.Errorf("lag %d, %d unknown", total, unknown)
	}
	if total, unknown := sum(rowsOf(t, snap, "old", "a")); total != 20 || unknown != 0 {
		t.Errorf("the classic group beside it: lag %d, %d unknown", total, unknown)
	}
	must(t, r.Describe(ctx, snap.Groups))
	for _, name := range []string{"g", "old"} {
		g := groupOf(t, snap, name)
		if g.State != "Stable" || len(g.Members) != 1 || g.Members[0].Host == "" || g.Topics[0].Unsubscribed {
			t.Errorf("%s: state %s, members %+v", name, g.State, g.Members)
		}
	}
	if read := groupOf(t, snap, "old").Members[0].Partitions["a"]; len(read) != 3 {
		t.Errorf("the member of the classic group reads %v", read)
	}
}

// TestTransactionalTopicFullyRead: the commit is after the last message, and the
// marker behind it stays. The row says so much that one who allows a lag of 1
// sees that nothing is left.
func TestTransactionalTopicFullyRead(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1}})
	end, err := k.ProduceInTransaction(ctx, "a", 0, 5)
	must(t, err)
	must(t, end(true))
	commitAt(t, ctx, k, "g", "a", 5)
	got := rowsOf(t, read(t, ctx, newReader(t, k, nil)), "g", "a")[0]
	if want := (lag.Partition{ID: 0, Committed: 5, End: 6, Lag: 1, Known: true}); got != want {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// TestOpenTransactionOfFive: a reader of committed messages has nothing to read.
func TestOpenTransactionOfFive(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1}})
	must(t, k.Produce(ctx, "a", 2))
	end, err := k.ProduceInTransaction(ctx, "a", 0, 5)
	must(t, err)
	defer end(false)
	commitAt(t, ctx, k, "g", "a", 2)
	for isolation, want := range map[string]lag.Partition{
		"":                  {ID: 0, Committed: 2, End: 7, Lag: 5, Known: true},
		lag.ReadUncommitted: {ID: 0, Committed: 2, End: 7, Lag: 5, Known: true},
		lag.ReadCommitted:   {ID: 0, Committed: 2, End: 2, Known: true},
	} {
		r := newReader(t, k, func(c *lag.Cluster) { c.Kafka.Isolation = isolation })
		if got := rowsOf(t, read(t, ctx, r), "g", "a")[0]; got != want {
			t.Errorf("isolation %q: got\n%+v\nwant\n%+v", isolation, got, want)
		}
	}
}

// TestPartitionsThatGrow: the new ones are unknown until something is committed.
func TestPartitionsThatGrow(t *testing.T) {
	ctx, k := start(t, crafted(t))
	must(t, k.Produce(ctx, "a", 30))
	commitAt(t, ctx, k, "g", "a", 10, 10, 10)
	r := newReader(t, k, nil)
	if total, unknown := sum(rowsOf(t, read(t, ctx, r), "g", "a")); total != 0 || unknown != 0 {
		t.Fatalf("lag %d, %d unknown", total, unknown)
	}
	_, err := k.Admin().UpdatePartitions(ctx, 5, "a")
	must(t, err)
	rows := rowsOf(t, read(t, ctx, r), "g", "a")
	if total, unknown := sum(rows); len(rows) != 5 || total != 0 || unknown != 2 {
		t.Errorf("%d rows, lag %d, %d unknown", len(rows), total, unknown)
	}
}

// TestTopicDeletedAndCreatedAgain: a deleted topic is gone, and a new one of its
// name is judged by its own offsets.
func TestTopicDeletedAndCreatedAgain(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 3, "b": 1}})
	must(t, k.Produce(ctx, "a", 30))
	commitAt(t, ctx, k, "g", "a", 10, 10, 10)
	commitAt(t, ctx, k, "g", "b", 0)
	r := newReader(t, k, nil)
	read(t, ctx, r)
	_, err := k.Admin().DeleteTopics(ctx, "a")
	must(t, err)
	snap := read(t, ctx, r)
	if g := groupOf(t, snap, "g"); len(g.Topics) != 1 || g.Topics[0].Name != "b" || !g.Complete || g.Err != nil {
		t.Errorf("after its end: %+v", g)
	}
	_, err = k.Admin().CreateTopics(ctx, 2, 1, nil, "a")
	must(t, err)
	commitAt(t, ctx, k, "g", "a", 10, 10) // from before, as a broker keeps it for a while
	want := []lag.Partition{{ID: 0, Committed: 10, Known: true}, {ID: 1, Committed: 10, Known: true}}
	if got := rowsOf(t, read(t, ctx, r), "g", "a"); !reflect.DeepEqual(got, want) {
		t.Errorf("created again: got\n%+v\nwant\n%+v", got, want)
	}
}

// TestDeletedGroup: it is not in a list that is whole; asked for by name it has
// no topics.
func TestDeletedGroup(t *testing.T) {
	ctx, k := start(t, crafted(t))
	commitAt(t, ctx, k, "g", "a", 0)
	commitAt(t, ctx, k, "h", "a", 0)
	all := newReader(t, k, nil)
	named := newReader(t, k, func(c *lag.Cluster) { c.Groups = filter(t, "g", "h") })
	for _, r := range []*Reader{all, named} {
		if snap := read(t, ctx, r); len(snap.Groups) != 2 || len(snap.Groups[0].Topics) != 1 {
			t.Fatalf("%+v", snap)
		}
	}
	_, err := k.Admin().DeleteGroups(ctx, "g")
	must(t, err)
	if snap := read(t, ctx, all); len(snap.Groups) != 1 || snap.Groups[0].Name != "h" || !snap.Complete {
		t.Errorf("listed: %+v", snap)
	}
	snap := read(t, ctx, named)
	if g := groupOf(t, snap, "g"); len(g.Topics) != 0 || !g.Complete || g.Err != nil || len(groupOf(t, snap, "h").Topics) != 1 {
		t.Errorf("named: %+v", snap)
	}
}

// TestTopicNoLongerSubscribed: its commits are still there, and Describe tells
// that nobody reads it.
func TestTopicNoLongerSubscribed(t *testing.T) {
	for _, nextGen := range []bool{false, true} {
		ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 3, "b": 1}})
		join := k.Consumer
		if nextGen {
			join = k.NextGenConsumer
		}
		commitAt(t, ctx, k, "manual", "b", 0)
		commitAt(t, ctx, k, "g", "b", 0)
		must(t, k.Produce(ctx, "a", 3))
		c, err := join(ctx, "g", "a")
		must(t, err)
		_, err = c.Consume(ctx, 3)
		must(t, err)
		r := newReader(t, k, nil)
		snap := read(t, ctx, r)
		must(t, r.Describe(ctx, snap.Groups))
		g, manual := groupOf(t, snap, "g"), groupOf(t, snap, "manual")
		if len(g.Topics) != 2 || g.Topics[0].Unsubscribed || !g.Topics[1].Unsubscribed {
			t.Errorf("KIP-848 %t: %+v", nextGen, g)
		}
		if manual.State != "Empty" || len(manual.Members) != 0 || manual.Topics[0].Unsubscribed {
			t.Errorf("a group that chooses its partitions by itself: %+v", manual)
		}
		c.Close()
	}
}

// TestFilters reads what is chosen and nothing else.
func TestFilters(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1, "b": 1}})
	for _, g := range []string{"order-a", "order-test", "billing"} {
		commitAt(t, ctx, k, g, "a", 0)
		commitAt(t, ctx, k, g, "b", 0)
	}
	r := newReader(t, k, func(c *lag.Cluster) {
		c.Groups = filter(t, "order-.*")
		c.Groups.Exclude = filter(t, "order-test").Include
		c.Topics = filter(t, "b")
	})
	snap := read(t, ctx, r)
	if len(snap.Groups) != 1 || !snap.Complete || snap.Groups[0].Name != "order-a" || len(snap.Groups[0].Topics) != 1 || snap.Groups[0].Topics[0].Name != "b" {
		t.Errorf("%+v", snap)
	}
}

// TestShareGroup: one that shares out messages (KIP-932) commits no offsets, and
// is no consumer group.
func TestShareGroup(t *testing.T) {
	ctx, k := start(t, crafted(t))
	commitAt(t, ctx, k, "g", "a", 0)
	k.Respond(kmsg.ListGroups, func(node int32, r kmsg.Request) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.ListGroupsResponse)
		for name, kind := range map[string]string{"g": "classic", "jobs": "share"} {
			if g := kmsg.NewListGroupsResponseGroup(); k.Coordinator(name) == node {
				g.Group, g.GroupType = name, kind
				resp.Groups = append(resp.Groups, g)
			}
		}
		return resp
	})
	if snap := read(t, ctx, newReader(t, k, nil)); len(snap.Groups) != 1 || snap.Groups[0].Name != "g" {
		t.Errorf("%+v", snap)
	}
}

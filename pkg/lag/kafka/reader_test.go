package kafka

import (
	"fmt"
	"testing"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

func TestReadPartitions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		commits []int64
		deleted int64 // in partition 0, up to this offset
		want    []lag.Partition
	}{
		{"commit beyond the end is no lag", []int64{99, 10, 8}, 0, []lag.Partition{
			{ID: 0, Committed: 99, End: 10, Known: true},
			{ID: 1, Committed: 10, End: 10, Known: true},
			{ID: 2, Committed: 8, End: 10, Lag: 2, Known: true},
		}},
		{"partition without a commit is unknown", []int64{4}, 0, []lag.Partition{
			{ID: 0, Committed: 4, End: 10, Lag: 6, Known: true},
			{ID: 1, Committed: -1, End: 10, Reason: "no commit"},
			{ID: 2, Committed: -1, End: 10, Reason: "no commit"},
		}},
		{"deleted unread messages are lost, not lag", []int64{1, 10, 10}, 6, []lag.Partition{
			{ID: 0, Committed: 1, Start: 6, End: 10, Lag: 4, Lost: 5, Known: true},
			{ID: 1, Committed: 10, End: 10, Known: true},
			{ID: 2, Committed: 10, End: 10, Known: true},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, k := startCluster(t, threePartitions())
			must(t, k.Produce(ctx, "a", 30))
			commitOffsets(t, ctx, k, "g", "a", tt.commits...)
			if tt.deleted > 0 {
				deleteBefore(t, ctx, k, tt.deleted)
			}
			snap := mustRead(t, ctx, newReader(t, k, nil))
			checkPartitions(t, snap, "g", "a", tt.want...)
			if g := findGroup(t, snap, "g"); g.Err != nil || !g.Complete || !snap.Complete {
				t.Errorf("got group complete %t, snapshot complete %t, error %v; want both complete", g.Complete, snap.Complete, g.Err)
			}
		})
	}
}

// TestKIP848Group reads and describes a KIP-848 group from brokers that respond
// as Kafka 4 does, and a classic group.
func TestKIP848Group(t *testing.T) {
	ctx, k := startCluster(t, threePartitions())
	c, err := k.NextGenConsumer(ctx, "g", "a")
	must(t, err)
	defer c.Close()
	must(t, k.Produce(ctx, "a", 30))
	_, err = c.Consume(ctx, 25)
	must(t, err)
	classic, err := k.Consumer(ctx, "classic", "a")
	must(t, err)
	defer classic.Close()
	_, err = classic.Consume(ctx, 10)
	must(t, err)

	r := newReader(t, k, nil)
	snap := mustRead(t, ctx, r)
	checkLag(t, snap, "g", "a", 5, 0)
	checkLag(t, snap, "classic", "a", 20, 0)
	mustDescribe(t, ctx, r, snap.Groups)
	for _, name := range []string{"g", "classic"} {
		g := findGroup(t, snap, name)
		if g.State != "Stable" || len(g.Members) != 1 || g.Members[0].Host == "" || g.Topics[0].Unsubscribed {
			t.Errorf("group %s: got state %s, members %+v, topics %+v; want stable, one member, subscribed", name, g.State, g.Members, g.Topics)
		}
	}
	if got := findGroup(t, snap, "classic").Members[0].Partitions["a"]; len(got) != 3 {
		t.Errorf("got partitions %v of the classic group's member, want three", got)
	}
}

// TestTransactionMarkerCountsAsLag reads a group that has consumed all messages
// of a transaction: its marker remains as a lag of 1.
func TestTransactionMarkerCountsAsLag(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}})
	end, err := k.ProduceInTransaction(ctx, "a", 0, 5)
	must(t, err)
	must(t, end(true))
	commitOffsets(t, ctx, k, "g", "a", 5)
	checkPartitions(t, mustRead(t, ctx, newReader(t, k, nil)), "g", "a", lag.Partition{ID: 0, Committed: 5, End: 6, Lag: 1, Known: true})
}

func TestIsolationLevelWithOpenTransaction(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}})
	must(t, k.Produce(ctx, "a", 2))
	end, err := k.ProduceInTransaction(ctx, "a", 0, 5)
	must(t, err)
	defer end(false)
	commitOffsets(t, ctx, k, "g", "a", 2)
	commitOffsets(t, ctx, k, "reads-uncommitted", "a", 6)
	for isolation, want := range map[string][2]lag.Partition{
		"":                  {{ID: 0, Committed: 2, End: 7, Lag: 5, Known: true}, {ID: 0, Committed: 6, End: 7, Lag: 1, Known: true}},
		lag.ReadUncommitted: {{ID: 0, Committed: 2, End: 7, Lag: 5, Known: true}, {ID: 0, Committed: 6, End: 7, Lag: 1, Known: true}},
		// The second one's commit is beyond the last stable offset, not the log end.
		lag.ReadCommitted: {{ID: 0, Committed: 2, End: 2, HighWatermark: 7, Known: true}, {ID: 0, Committed: 6, End: 6, HighWatermark: 7, Known: true}},
	} {
		t.Run(fmt.Sprintf("isolation %q", isolation), func(t *testing.T) {
			r := newReader(t, k, func(c *lag.Cluster) { c.Kafka.Isolation = isolation })
			snap := mustRead(t, ctx, r)
			checkPartitions(t, snap, "g", "a", want[0])
			checkPartitions(t, snap, "reads-uncommitted", "a", want[1])
		})
	}
}

func TestAddedPartitionsAreUnknown(t *testing.T) {
	ctx, k := startCluster(t, threePartitions())
	must(t, k.Produce(ctx, "a", 30))
	commitOffsets(t, ctx, k, "g", "a", 10, 10, 10)
	r := newReader(t, k, nil)
	checkLag(t, mustRead(t, ctx, r), "g", "a", 0, 0)
	_, err := k.Admin().UpdatePartitions(ctx, 5, "a")
	must(t, err)
	snap := mustRead(t, ctx, r)
	checkLag(t, snap, "g", "a", 0, 2)
	if got := len(findPartitions(t, snap, "g", "a")); got != 5 {
		t.Errorf("got %d partitions, want 5", got)
	}
}

func TestTopicDeletedAndCreatedAgain(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 3, "b": 1}})
	must(t, k.Produce(ctx, "a", 30))
	commitOffsets(t, ctx, k, "g", "a", 10, 10, 10)
	commitOffsets(t, ctx, k, "g", "b", 0)
	r := newReader(t, k, nil)
	mustRead(t, ctx, r)
	_, err := k.Admin().DeleteTopics(ctx, "a")
	must(t, err)
	if g := findGroup(t, mustRead(t, ctx, r), "g"); len(g.Topics) != 1 || g.Topics[0].Name != "b" || !g.Complete || g.Err != nil {
		t.Errorf("deleted: got %+v, want topic b only, complete", g)
	}
	_, err = k.Admin().CreateTopics(ctx, 2, 1, nil, "a")
	must(t, err)
	commitOffsets(t, ctx, k, "g", "a", 10, 10) // a broker keeps the old commits for a while
	checkPartitions(t, mustRead(t, ctx, r), "g", "a", lag.Partition{ID: 0, Committed: 10, Known: true}, lag.Partition{ID: 1, Committed: 10, Known: true})
}

// TestDeletedGroup deletes a group. It disappears from the list of all groups;
// a group that the filter names remains without topics.
func TestDeletedGroup(t *testing.T) {
	ctx, k := startCluster(t, threePartitions())
	commitOffsets(t, ctx, k, "g", "a", 0)
	commitOffsets(t, ctx, k, "h", "a", 0)
	all := newReader(t, k, nil)
	named := newReader(t, k, func(c *lag.Cluster) { c.Groups = newFilter(t, "g", "h") })
	for _, r := range []*Reader{all, named} {
		if snap := mustRead(t, ctx, r); len(snap.Groups) != 2 || len(snap.Groups[0].Topics) != 1 {
			t.Fatalf("before: got %+v, want two groups with a topic", snap)
		}
	}
	_, err := k.Admin().DeleteGroups(ctx, "g")
	must(t, err)
	if snap := mustRead(t, ctx, all); len(snap.Groups) != 1 || snap.Groups[0].Name != "h" || !snap.Complete {
		t.Errorf("all groups: got %+v, want group h only, complete", snap)
	}
	snap := mustRead(t, ctx, named)
	if g := findGroup(t, snap, "g"); len(g.Topics) != 0 || !g.Complete || g.Err != nil || len(findGroup(t, snap, "h").Topics) != 1 {
		t.Errorf("named groups: got %+v, want group g without topics, group h with one", snap)
	}
}

func TestFilters(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1, "b": 1}})
	for _, g := range []string{"order-a", "order-test", "billing"} {
		commitOffsets(t, ctx, k, g, "a", 0)
		commitOffsets(t, ctx, k, g, "b", 0)
	}
	r := newReader(t, k, func(c *lag.Cluster) {
		c.Groups = newFilter(t, "order-.*")
		c.Groups.Exclude = newFilter(t, "order-test").Include
		c.Topics = newFilter(t, "b")
	})
	snap := mustRead(t, ctx, r)
	if len(snap.Groups) != 1 || !snap.Complete || snap.Groups[0].Name != "order-a" || len(snap.Groups[0].Topics) != 1 || snap.Groups[0].Topics[0].Name != "b" {
		t.Errorf("got %+v, want topic b of group order-a only", snap)
	}
}

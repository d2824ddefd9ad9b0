package kafka

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/pkg/lag"
	world "tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/setting"
)

// start starts a cluster, and gives a test half a minute.
func start(t testing.TB, c world.Config) (context.Context, *world.Kafka) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	k, err := c.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return ctx, k
}

// newReader returns a reader of k; change, if given, changes its configuration.
func newReader(t testing.TB, k *world.Kafka, change func(*lag.Cluster)) *Reader {
	t.Helper()
	c := lag.Cluster{Name: "orders", Kafka: &lag.Kafka{Brokers: k.Brokers()}}
	if change != nil {
		change(&c)
	}
	r, err := New(c, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func read(t testing.TB, ctx context.Context, r *Reader) *lag.Snapshot {
	t.Helper()
	snap, err := r.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// must ends a test at an error of a step that only prepares.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func commitAt(t testing.TB, ctx context.Context, k *world.Kafka, group, topic string, offsets ...int64) {
	t.Helper()
	for p, at := range offsets {
		if at >= 0 {
			must(t, k.Commit(ctx, group, topic, int32(p), at))
		}
	}
}

// deleteBefore deletes the messages of partition 0 of topic a before an offset.
func deleteBefore(t testing.TB, ctx context.Context, k *world.Kafka, offset int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset("a", 0, offset, -1)
	_, err := k.Admin().DeleteRecords(ctx, offsets)
	must(t, err)
}

func groupOf(t testing.TB, snap *lag.Snapshot, name string) lag.Group {
	t.Helper()
	i := slices.IndexFunc(snap.Groups, func(g lag.Group) bool { return g.Name == name })
	if i < 0 {
		t.Fatalf("group %s is not among %d groups", name, len(snap.Groups))
	}
	return snap.Groups[i]
}

// rowsOf returns the rows of a group in a topic, nil when it has none.
func rowsOf(t testing.TB, snap *lag.Snapshot, group, topic string) []lag.Partition {
	t.Helper()
	for _, tp := range groupOf(t, snap, group).Topics {
		if tp.Name == topic {
			return tp.Partitions
		}
	}
	return nil
}

// allRows returns every row of a snapshot.
func allRows(snap *lag.Snapshot) []lag.GroupPartition {
	var rows []lag.GroupPartition
	for _, g := range snap.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				rows = append(rows, lag.GroupPartition{Group: g.Name, Topic: t.Name, Partition: p})
			}
		}
	}
	return rows
}

// sum adds up what is known, and counts what is not.
func sum(rows []lag.Partition) (total int64, unknown int) {
	for _, p := range rows {
		if p.Known {
			total += p.Lag
		} else {
			unknown++
		}
	}
	return total, unknown
}

// sometime is a time for messages whose time does not matter.
var sometime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// filter chooses what one of patterns matches.
func filter(t testing.TB, patterns ...string) (f lag.Filter) {
	t.Helper()
	for _, text := range patterns {
		p, err := setting.NewPattern(text)
		must(t, err)
		f.Include = append(f.Include, p)
	}
	return f
}

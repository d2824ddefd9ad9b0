package kafka

import (
	"context"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/tencentcloud"
)

func start(t *testing.T, topics map[string]int32) (context.Context, *Kafka) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	k, err := Start(ctx, topics)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return ctx, k
}

// lags returns the lag of a group by topic, and the partitions without a commit.
func lags(t *testing.T, ctx context.Context, k *Kafka, group string) (lag map[string]int64, unknown int) {
	t.Helper()
	topics, err := k.Offsets(ctx, group)
	if err != nil {
		t.Fatal(err)
	}
	lag = map[string]int64{}
	for _, topic := range topics {
		for _, p := range topic.Partitions {
			if p.Committed < 0 {
				unknown++
				continue
			}
			lag[topic.Name] += p.End - p.Committed
		}
	}
	return lag, unknown
}

func TestConsumerFallsBehindAndCatchesUp(t *testing.T) {
	ctx, k := start(t, map[string]int32{"orders": 3, "clicks": 1})
	if groups, err := k.Groups(ctx); err != nil || len(groups) != 0 {
		t.Fatalf("groups before any consumer: %v, %v", groups, err)
	}
	c, err := k.Consumer(ctx, "order-sync", "orders")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	steps := []struct {
		produce, consume, read int
		lag                    int64
	}{
		{produce: 10, consume: 4, read: 4, lag: 6},
		{produce: 2001, consume: 6, read: 6, lag: 2001},
		{produce: 0, consume: 501, read: 501, lag: 1500},
		{produce: 0, consume: 5000, read: 1500, lag: 0},
		{produce: 0, consume: 1, read: 0, lag: 0},
		{produce: 3, consume: 0, read: 0, lag: 3},
	}
	for i, s := range steps {
		if err := k.Produce(ctx, "orders", s.produce); err != nil {
			t.Fatal(err)
		}
		read, err := c.Consume(ctx, s.consume)
		if err != nil || read != s.read {
			t.Fatalf("step %d: read %d, %v, want %d", i, read, err, s.read)
		}
		lag, unknown := lags(t, ctx, k, "order-sync")
		if !reflect.DeepEqual(lag, map[string]int64{"orders": s.lag}) || unknown != 0 {
			t.Fatalf("step %d: lag %v, %d unknown, want %d", i, lag, unknown, s.lag)
		}
	}
	if groups, err := k.Groups(ctx); err != nil || !reflect.DeepEqual(groups, []string{"order-sync"}) {
		t.Fatalf("groups: %v, %v", groups, err)
	}
}

func TestProduceKeepsPartitionsEven(t *testing.T) {
	ctx, k := start(t, map[string]int32{"orders": 3})
	c, err := k.Consumer(ctx, "g", "orders")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 4 {
		if err := k.Produce(ctx, "orders", 4); err != nil { // 16 over 3 partitions: 6, 5, 5
			t.Fatal(err)
		}
	}
	topics, err := k.Offsets(ctx, "g")
	want := []tencentcloud.Topic{{Name: "orders", Partitions: []tencentcloud.Partition{
		{ID: 0, Committed: 0, End: 6}, {ID: 1, Committed: 0, End: 5}, {ID: 2, Committed: 0, End: 5},
	}}}
	if err != nil || !reflect.DeepEqual(topics, want) {
		t.Errorf("got %v, %v\nwant %v", topics, err, want)
	}
}

func TestConsumerGoesOnWhereTheGroupWas(t *testing.T) {
	ctx, k := start(t, map[string]int32{"orders": 2})
	if err := k.Produce(ctx, "orders", 10); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{6, 2} {
		c, err := k.Consumer(ctx, "g", "orders")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Consume(ctx, 4); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if lag, _ := lags(t, ctx, k, "g"); lag["orders"] != want {
			t.Fatalf("lag %v, want %d", lag, want)
		}
	}
}

func TestOffsetsOfPartitionsWithoutCommit(t *testing.T) {
	ctx, k := start(t, map[string]int32{"orders": 2})
	if topics, err := k.Offsets(ctx, "nobody"); err != nil || topics != nil {
		t.Fatalf("a group that does not exist has %v, %v", topics, err)
	}
	if err := k.Commit(ctx, "g", "orders", 1, 0); err != nil {
		t.Fatal(err)
	}
	topics, err := k.Offsets(ctx, "g")
	want := []tencentcloud.Topic{{Name: "orders", Partitions: []tencentcloud.Partition{
		{ID: 0, Committed: -1}, {ID: 1, Committed: 0},
	}}}
	if err != nil || !reflect.DeepEqual(topics, want) {
		t.Errorf("got %v, %v\nwant %v", topics, err, want)
	}
}

func TestFaultsAreNamed(t *testing.T) {
	ctx, k := start(t, map[string]int32{"orders": 1})
	if err := k.Produce(ctx, "order", 1); err == nil || !strings.Contains(err.Error(), "orders") {
		t.Errorf("producing to a topic that does not exist: %v", err)
	}
	if _, err := Start(ctx, map[string]int32{"orders": 0}); err == nil {
		t.Error("a topic without partitions was accepted")
	}
}

func TestCloseEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, k := start(t, map[string]int32{"orders": 8})
	c, err := k.Consumer(ctx, "g", "orders")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Produce(ctx, "orders", 100); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Consume(ctx, 10); err != nil {
		t.Fatal(err)
	}
	c.Close()
	k.Close()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("goroutines left: %s", buf[:runtime.Stack(buf, true)])
		}
	}
}

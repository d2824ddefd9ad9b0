package kafka

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

const groups, partitions = 100, 12

// startLargeCluster starts three brokers with 200 topics. Each group has
// commits in topicsPerGroup of them.
func startLargeCluster(t testing.TB, topicsPerGroup int) (context.Context, *localkafka.Kafka) {
	t.Helper()
	c := localkafka.Config{Topics: map[string]int32{}, Brokers: 3}
	for i := range 200 {
		c.Topics[fmt.Sprintf("topic-%03d", i)] = partitions
	}
	ctx, k := startCluster(t, c)
	for g := range groups {
		var at kadm.Offsets
		for i := range topicsPerGroup {
			for p := range int32(partitions) {
				at.AddOffset(fmt.Sprintf("topic-%03d", (g*topicsPerGroup+i)%200), p, 0, -1)
			}
		}
		must(t, k.Admin().CommitAllOffsets(ctx, fmt.Sprintf("group-%03d", g), at))
	}
	return ctx, k
}

// takeRequestCounts returns the number of requests since the last call, and by
// kind.
func takeRequestCounts(k *localkafka.Kafka) (n int, byKind map[string]int) {
	byKind = k.RequestCounts()
	for _, count := range byKind {
		n += count
	}
	return n, byKind
}

// TestReadRequestCounts counts all requests of a new reader, including those
// that open connections; kadm.Lag needs 24 to report less. The second read
// needs fewer and opens no connection.
func TestReadRequestCounts(t *testing.T) {
	for _, topics := range []int{2, 20} {
		want := groups * topics * partitions
		t.Run(fmt.Sprintf("%d group-partitions", want), func(t *testing.T) {
			ctx, k := startLargeCluster(t, topics)
			r := newReader(t, k, nil)
			k.RequestCounts()
			if got := len(groupPartitions(mustRead(t, ctx, r))); got != want {
				t.Errorf("got %d partitions, want %d", got, want)
			}
			if n, byKind := takeRequestCounts(k); n > 25 {
				t.Errorf("first read: got %d requests, want at most 25: %v", n, byKind)
			}
			connections := k.Connections()
			mustRead(t, ctx, r)
			if n, byKind := takeRequestCounts(k); n > 14 || byKind["ApiVersions"] > 1 {
				t.Errorf("second read: got %d requests, want at most 14, 1 of them ApiVersions: %v", n, byKind)
			}
			// The first metadata came over a connection to a configured
			// address, which may now be opened to the broker's own.
			if got := k.Connections() - connections; got > 1 {
				t.Errorf("second read: got %d new connections, want at most 1", got)
			}
		})
	}
}

// TestReadMemory reads 24,000 group-partitions and measures the memory kept and
// allocated.
func TestReadMemory(t *testing.T) {
	ctx, k := startLargeCluster(t, 20)
	r := newReader(t, k, nil)
	mustRead(t, ctx, r)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	snap := mustRead(t, ctx, r)
	runtime.GC()
	runtime.ReadMemStats(&after)
	kept := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	allocated := after.TotalAlloc - before.TotalAlloc // includes the brokers'
	if kept > 8<<20 || allocated > 40<<20 {
		t.Errorf("%d groups: got %d KiB kept, %d KiB allocated with the brokers; want at most 8192 and 40960", len(snap.Groups), kept>>10, allocated>>10)
	}
	t.Logf("kept %d KiB, allocated %d KiB with the brokers", kept>>10, allocated>>10)
}

// BenchmarkRead reads up to 24,000 group-partitions with a new reader each
// time.
func BenchmarkRead(b *testing.B) {
	benchmarkLag(b, func(k *localkafka.Kafka) int {
		r, err := New(lag.Cluster{Name: "c", Kafka: &lag.Kafka{Brokers: k.Brokers()}}, nil, nil)
		must(b, err)
		defer r.Close()
		snap, err := r.Read(context.Background())
		must(b, err)
		return len(snap.Groups)
	})
}

// BenchmarkKadm does the same with kadm.Lag, which reports less.
func BenchmarkKadm(b *testing.B) {
	benchmarkLag(b, func(k *localkafka.Kafka) int {
		client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers()...))
		must(b, err)
		defer client.Close()
		lags, err := kadm.NewClient(client).Lag(context.Background())
		must(b, err)
		return len(lags)
	})
}

// benchmarkLag measures read, which returns the number of groups, and its
// requests.
func benchmarkLag(b *testing.B, read func(*localkafka.Kafka) int) {
	for _, topics := range []int{2, 20} {
		b.Run(fmt.Sprint(groups*topics*partitions), func(b *testing.B) {
			_, k := startLargeCluster(b, topics)
			k.RequestCounts()
			b.ReportAllocs()
			for b.Loop() {
				if got := read(k); got != groups {
					b.Fatalf("got %d groups, want %d", got, groups)
				}
			}
			n, _ := takeRequestCounts(k)
			b.ReportMetric(float64(n)/float64(b.N), "requests/op")
		})
	}
}

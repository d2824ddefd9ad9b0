package kafka

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/pkg/lag"
	world "tocsin/pkg/localcloud/kafka"
)

const groups, partitions = 100, 12

// large is a cluster of three brokers and 200 topics, and groups that have
// committed in so many topics each.
func large(t testing.TB, topics int) (context.Context, *world.Kafka) {
	c := world.Config{Topics: map[string]int32{}, Brokers: 3}
	for i := range 200 {
		c.Topics[fmt.Sprintf("topic-%03d", i)] = partitions
	}
	ctx, k := start(t, c)
	for g := range groups {
		var at kadm.Offsets
		for i := range topics {
			for p := range int32(partitions) {
				at.AddOffset(fmt.Sprintf("topic-%03d", (g*topics+i)%200), p, 0, -1)
			}
		}
		must(t, k.Admin().CommitAllOffsets(ctx, fmt.Sprintf("group-%03d", g), at))
	}
	return ctx, k
}

// requests adds up what was asked.
func requests(k *world.Kafka) (n int, by map[string]int) {
	by = k.RequestCounts()
	for _, times := range by {
		n += times
	}
	return n, by
}

// TestRequests counts all requests of a reader that was just built, those that
// open its connections among them: kadm.Lag takes 24 of them for less. Reading
// again takes fewer and opens no connection.
func TestRequests(t *testing.T) {
	for _, topics := range []int{2, 20} {
		rows := groups * topics * partitions
		t.Run(fmt.Sprintf("%d group-partitions", rows), func(t *testing.T) {
			ctx, k := large(t, topics)
			r := newReader(t, k, nil)
			k.RequestCounts()
			if got := len(allRows(read(t, ctx, r))); got != rows {
				t.Errorf("%d rows, want %d", got, rows)
			}
			cold, by := requests(k)
			if cold > 25 {
				t.Errorf("%d requests: %v", cold, by)
			}
			connections := k.Connections()
			read(t, ctx, r)
			if warm, by := requests(k); warm > 14 || by["ApiVersions"] > 1 {
				t.Errorf("%d requests at the second read: %v", warm, by)
			}
			// The first answer came from an address of the configuration,
			// which may be kept beside the broker's own.
			if got := k.Connections() - connections; got > 1 {
				t.Errorf("%d connections more", got)
			}
		})
	}
}

// TestMemory reads 24,000 group-partitions and counts what was taken for it in
// all, whether it was given back or not.
func TestMemory(t *testing.T) {
	ctx, k := large(t, 20)
	r := newReader(t, k, nil)
	read(t, ctx, r)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	snap := read(t, ctx, r)
	runtime.GC()
	runtime.ReadMemStats(&after)
	kept := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	all := after.TotalAlloc - before.TotalAlloc // the brokers' part is in it
	if kept > 8<<20 || all > 40<<20 {
		t.Errorf("%d groups keep %d KiB, and took %d KiB with what the brokers took", len(snap.Groups), kept>>10, all>>10)
	}
	t.Logf("kept %d KiB, took %d KiB with the brokers", kept>>10, all>>10)
}

// BenchmarkRead reads 24,000 group-partitions with a new reader each time, and
// BenchmarkKadm does with kadm.Lag, which tells less.
func BenchmarkRead(b *testing.B) {
	for _, topics := range []int{2, 20} {
		b.Run(fmt.Sprint(groups*topics*partitions), func(b *testing.B) {
			_, k := large(b, topics)
			k.RequestCounts()
			b.ReportAllocs()
			for b.Loop() {
				r, err := New(lag.Cluster{Name: "c", Kafka: &lag.Kafka{Brokers: k.Brokers()}}, nil)
				must(b, err)
				snap, err := r.Read(context.Background())
				must(b, err)
				if len(snap.Groups) != groups {
					b.Fatal(len(snap.Groups))
				}
				r.Close()
			}
			n, _ := requests(k)
			b.ReportMetric(float64(n)/float64(b.N), "requests/op")
		})
	}
}

func BenchmarkKadm(b *testing.B) {
	for _, topics := range []int{2, 20} {
		b.Run(fmt.Sprint(groups*topics*partitions), func(b *testing.B) {
			_, k := large(b, topics)
			k.RequestCounts()
			b.ReportAllocs()
			for b.Loop() {
				client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers()...))
				must(b, err)
				lags, err := kadm.NewClient(client).Lag(context.Background())
				must(b, err)
				if len(lags) != groups {
					b.Fatal(len(lags))
				}
				client.Close()
			}
			n, _ := requests(k)
			b.ReportMetric(float64(n)/float64(b.N), "requests/op")
		})
	}
}

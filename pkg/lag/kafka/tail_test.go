package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// TestReadTails reads what is unread: messages, or what is left of transactions.
func TestReadTails(t *testing.T) {
	transaction := func(t *testing.T, k *localkafka.Kafka, n int, commit bool) {
		end, err := k.ProduceInTransaction(t.Context(), "a", 0, n)
		must(t, err)
		must(t, end(commit))
	}
	produce := func(t *testing.T, k *localkafka.Kafka, n int) { must(t, k.Produce(t.Context(), "a", n)) }
	for name, tt := range map[string]struct {
		write  func(t *testing.T, k *localkafka.Kafka)
		commit int64
		want   lag.Tail
	}{
		"a message":                   {func(t *testing.T, k *localkafka.Kafka) { produce(t, k, 3) }, 2, lag.TailMessage},
		"the marker of a transaction": {func(t *testing.T, k *localkafka.Kafka) { transaction(t, k, 3, true) }, 3, lag.TailMarkers},
		"a message and a marker":      {func(t *testing.T, k *localkafka.Kafka) { transaction(t, k, 3, true) }, 2, lag.TailMessage},
		"an aborted transaction":      {func(t *testing.T, k *localkafka.Kafka) { produce(t, k, 2); transaction(t, k, 3, false) }, 2, lag.TailMarkers},
		"two aborted ones": {func(t *testing.T, k *localkafka.Kafka) {
			transaction(t, k, 3, false)
			transaction(t, k, 3, false)
		}, 0, lag.TailMarkers},
		"an aborted one, then a message":                 {func(t *testing.T, k *localkafka.Kafka) { transaction(t, k, 3, false); produce(t, k, 1) }, 0, lag.TailMessage},
		"an aborted one, then one that committed":        {func(t *testing.T, k *localkafka.Kafka) { transaction(t, k, 3, false); transaction(t, k, 2, true) }, 0, lag.TailMessage},
		"one that committed and was read, then an abort": {func(t *testing.T, k *localkafka.Kafka) { transaction(t, k, 3, true); transaction(t, k, 2, false) }, 3, lag.TailMarkers},
		"a message, then an aborted one":                 {func(t *testing.T, k *localkafka.Kafka) { produce(t, k, 1); transaction(t, k, 2, false) }, 0, lag.TailMessage},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}})
			tt.write(t, k)
			commitOffsets(t, ctx, k, "g", "a", tt.commit)
			r := newReader(t, k, nil)
			rows := groupPartitions(mustRead(t, ctx, r))
			if got := r.ReadTails(ctx, rows)[0]; got != tt.want {
				t.Errorf("got %d of %+v, want %d", got, rows[0], tt.want)
			}
		})
	}
}

// TestReadTailsRequestCounts reads the tails of many partitions.
func TestReadTailsRequestCounts(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 30}, Brokers: 3})
	must(t, k.Produce(ctx, "a", 60))
	for p := range int32(30) {
		must(t, k.Commit(ctx, "g", "a", p, 1))
	}
	r := newReader(t, k, nil)
	rows := groupPartitions(mustRead(t, ctx, r))
	k.RequestCounts()
	for i, got := range r.ReadTails(ctx, rows) {
		if got != lag.TailMessage {
			t.Errorf("partition %d: got %d, want a message", i, got)
		}
	}
	if counts := k.RequestCounts(); counts["Fetch"] != 3 || counts["Metadata"] != 1 {
		t.Errorf("got requests %v, want one Fetch for each leader", counts)
	}
}

// TestReadTailsWithoutPermission has DESCRIBE only, which is all that the rest needs.
func TestReadTailsWithoutPermission(t *testing.T) {
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}, Users: newUser(allACLs...)})
	must(t, k.Produce(ctx, "a", 1))
	commitOffsets(t, ctx, k, "g", "a", 0)
	r := newReader(t, k, withLogin)
	rows := groupPartitions(mustRead(t, ctx, r))
	for poll := range 2 {
		k.RequestCounts()
		if got := r.ReadTails(ctx, rows)[0]; got != lag.TailUnknown {
			t.Errorf("got %d, want unknown", got)
		}
		if n := k.RequestCounts()["Fetch"]; n != 1-poll {
			t.Errorf("poll %d: got %d Fetch, want the denied topic requested once", poll, n)
		}
	}
}

// TestReadTailsFailures reads tails of which nothing can be known.
func TestReadTailsFailures(t *testing.T) {
	for name, respond := range map[string]func(*kmsg.FetchResponse){
		"throttled":             func(r *kmsg.FetchResponse) { r.ThrottleMillis = 100 },
		"failed":                func(r *kmsg.FetchResponse) { r.ErrorCode = kerr.UnknownServerError.Code },
		"missing":               func(r *kmsg.FetchResponse) { r.Topics = nil },
		"deleted meanwhile":     func(r *kmsg.FetchResponse) { r.Topics[0].Partitions[0].ErrorCode = kerr.OffsetOutOfRange.Code },
		"before a leader's end": func(r *kmsg.FetchResponse) { r.Topics[0].Partitions[0].HighWatermark = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}})
			must(t, k.Produce(ctx, "a", 1))
			commitOffsets(t, ctx, k, "g", "a", 0)
			r := newReader(t, k, nil)
			rows := groupPartitions(mustRead(t, ctx, r))
			k.Respond(kmsg.Fetch, func(_ int32, req kmsg.Request) kmsg.Response {
				resp := req.ResponseKind().(*kmsg.FetchResponse)
				p := kmsg.NewFetchResponseTopicPartition()
				p.HighWatermark = 1
				resp.Topics = []kmsg.FetchResponseTopic{{Topic: "a", Partitions: []kmsg.FetchResponseTopicPartition{p}}}
				respond(resp)
				return resp
			})
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			if got := r.ReadTails(ctx, rows)[0]; got != lag.TailUnknown {
				t.Errorf("got %d, want unknown", got)
			}
		})
	}
}

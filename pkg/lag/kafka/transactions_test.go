package kafka

import (
	"fmt"
	"testing"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
)

// TestReadTransactions reads the open transaction before which groups stand.
func TestReadTransactions(t *testing.T) {
	for _, isolation := range []string{lag.ReadUncommitted, lag.ReadCommitted} {
		t.Run(fmt.Sprintf("isolation %s", isolation), func(t *testing.T) {
			ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 2}, Brokers: 2})
			must(t, k.Produce(ctx, "a", 4)) // two in each partition
			end, err := k.ProduceInTransaction(ctx, "a", 0, 5)
			must(t, err)
			commitOffsets(t, ctx, k, "waits", "a", 2, 1)
			commitOffsets(t, ctx, k, "behind", "a", 1, 1)
			r := newReader(t, k, func(c *lag.Cluster) { c.Kafka.Isolation = isolation })
			check := func(wantOpen bool) {
				t.Helper()
				rows := groupPartitions(mustRead(t, ctx, r))
				for i, got := range r.ReadTransactions(ctx, rows) {
					want := wantOpen && rows[i].Group == "waits" && rows[i].ID == 0
					if (got != nil) != want || want && (got.Start != 2 || got.ProducerID <= 0) {
						t.Errorf("group %s, partition %d: got %+v, want one from offset 2 on: %v", rows[i].Group, rows[i].ID, got, want)
					}
				}
			}
			k.RequestCounts()
			check(true)
			if n := k.RequestCounts()["DescribeProducers"]; n > 2 {
				t.Errorf("got %d DescribeProducers, want one for each leader", n)
			}
			must(t, end(true))
			check(false)
		})
	}
	t.Run("without permission", func(t *testing.T) {
		ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 1}, Users: newUser(allACLs...)})
		end, err := k.ProduceInTransaction(ctx, "a", 0, 5)
		must(t, err)
		defer end(false)
		commitOffsets(t, ctx, k, "g", "a", 0)
		r := newReader(t, k, withLogin)
		rows := groupPartitions(mustRead(t, ctx, r))
		for range 2 {
			if got := r.ReadTransactions(ctx, rows)[0]; got != nil {
				t.Errorf("got %+v, want none", got)
			}
		}
		if n := k.RequestCounts()["DescribeProducers"]; n != 1 {
			t.Errorf("got %d DescribeProducers, want the denied topic requested once", n)
		}
	})
}

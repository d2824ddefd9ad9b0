package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Produce writes n messages to a topic, one partition after the other, and
// returns when the broker has them. It goes on where the last call ended, so
// that partitions stay even.
func (k *Kafka) Produce(ctx context.Context, topic string, n int) error {
	partitions, ok := k.topics[topic]
	if !ok {
		return fmt.Errorf("produce: there is no topic %s, only %s", topic, slices.Sorted(maps.Keys(k.topics)))
	}
	k.mu.Lock()
	first := k.next[topic]
	k.next[topic] = int32((int(first) + n) % int(partitions))
	k.mu.Unlock()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Partition: int32((int(first) + i) % int(partitions)), Value: []byte("message")}
	}
	if err := k.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("produce to %s: %w", topic, err)
	}
	return nil
}

// ProduceAt writes one message to a partition for each of times, in their order,
// as a producer does whose clock shows them.
func (k *Kafka) ProduceAt(ctx context.Context, topic string, partition int32, times ...time.Time) error {
	records := make([]*kgo.Record, len(times))
	for i, at := range times {
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Timestamp: at, Value: []byte("message")}
	}
	if err := k.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("produce to %s: %w", topic, err)
	}
	return nil
}

// ProduceInTransaction writes n messages to a partition in a transaction and leaves it open.
// end commits or aborts it; either adds a marker to the partition, which takes an
// offset.
func (k *Kafka) ProduceInTransaction(ctx context.Context, topic string, partition int32, n int) (end func(commit bool) error, err error) {
	client, err := k.newClient(kgo.TransactionalID("transaction of "+topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err == nil {
		err = client.BeginTransaction()
	}
	for range n {
		if err == nil {
			err = client.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: partition, Value: []byte("message")}).FirstErr()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("write to %s in a transaction: %w", topic, err)
	}
	return func(commit bool) error {
		defer client.Close()
		if err := client.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
			return fmt.Errorf("end the transaction on %s: %w", topic, err)
		}
		return nil
	}, nil
}

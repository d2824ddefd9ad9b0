package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce writes n messages to a topic, round robin over its partitions, and
// returns when the brokers have them. It continues after the partition of the
// last call, so that partitions stay even.
func (k *Kafka) Produce(ctx context.Context, topic string, n int) error {
	partitions, ok := k.topics[topic]
	if !ok {
		return fmt.Errorf("produce: there is no topic %s, only %s", topic, slices.Sorted(maps.Keys(k.topics)))
	}
	k.mu.Lock()
	first := k.nextPartition[topic]
	k.nextPartition[topic] = int32((int(first) + n) % int(partitions))
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

// ProduceAt writes a message with each of these timestamps to a partition, in this
// order.
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

// ProduceInTransaction writes n messages to a partition in a transaction and
// leaves it open. end commits or aborts it; both add a marker to the partition,
// which takes an offset.
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

// Consumer is the only member of a consumer group. It consumes only in Consume; between
// the calls its lag grows.
type Consumer struct {
	kafka  *Kafka
	group  string
	topics []string
	client *kgo.Client
}

// Consumer joins a group that consumes topics from their beginning. As
// consumers with auto commit do, it commits a position in every partition,
// including those without messages.
func (k *Kafka) Consumer(ctx context.Context, group string, topics ...string) (*Consumer, error) {
	return k.join(ctx, group, topics)
}

// NextGenConsumer is Consumer with the KIP-848 protocol, in which the broker
// assigns the partitions. From then on the brokers respond to DescribeGroups
// for the group as those of Kafka 4 do: that there is no such group.
func (k *Kafka) NextGenConsumer(ctx context.Context, group string, topics ...string) (*Consumer, error) {
	k.Fail(Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: group, Err: kerr.GroupIDNotFound})
	return k.join(ctx, group, topics, kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
}

func (k *Kafka) join(ctx context.Context, group string, topics []string, opts ...kgo.Opt) (*Consumer, error) {
	committed, err := k.committed(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", group, err)
	}
	var start kadm.Offsets
	for _, topic := range topics {
		for p := range k.topics[topic] {
			if _, ok := committed.Lookup(topic, p); !ok {
				start.AddOffset(topic, p, 0, -1)
			}
		}
	}
	if err := k.admin.CommitAllOffsets(ctx, group, start); err != nil {
		return nil, fmt.Errorf("join group %s: %w", group, err)
	}
	client, err := k.newClient(append(opts,
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", group, err)
	}
	return &Consumer{kafka: k, group: group, topics: topics, client: client}, nil
}

// Consume consumes up to n messages and commits them. It returns their number,
// which is less than n only if the group has caught up.
func (c *Consumer) Consume(ctx context.Context, n int) (int, error) {
	lag, err := c.lag(ctx)
	if err != nil {
		return 0, fmt.Errorf("consume as %s: %w", c.group, err)
	}
	n = min(n, lag)
	for read := 0; read < n; {
		fetches := c.client.PollRecords(ctx, n-read)
		if err := fetches.Err0(); err != nil {
			return read, fmt.Errorf("consume as %s: %w", c.group, err)
		}
		records := fetches.Records()
		if err := c.client.CommitRecords(ctx, records...); err != nil {
			return read, fmt.Errorf("commit as %s: %w", c.group, err)
		}
		read += len(records)
	}
	return n, nil
}

// lag returns how many messages the group has not committed.
func (c *Consumer) lag(ctx context.Context) (int, error) {
	committed, err := c.kafka.committed(ctx, c.group)
	if err != nil {
		return 0, err
	}
	ends, err := c.kafka.admin.ListEndOffsets(ctx, c.topics...)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	ends.Each(func(end kadm.ListedOffset) {
		at, _ := committed.Lookup(end.Topic, end.Partition)
		total += end.Offset - max(at.At, 0)
	})
	return int(total), nil
}

// Close leaves the group. Its commits remain.
func (c *Consumer) Close() { c.client.Close() }

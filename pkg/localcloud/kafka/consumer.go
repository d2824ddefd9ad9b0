package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Consumer is the only member of a consumer group. It reads as much as it is
// told to, and falls behind if that is too little.
type Consumer struct {
	kafka  *Kafka
	group  string
	topics []string
	client *kgo.Client
}

// Consumer joins a group that reads topics from their beginning. Like consumers
// that commit by themselves, it commits the position in every partition, also in
// those that it has read nothing of.
func (k *Kafka) Consumer(ctx context.Context, group string, topics ...string) (*Consumer, error) {
	return k.join(ctx, group, topics)
}

// NextGenConsumer is Consumer with the protocol of KIP-848, in which the broker
// assigns the partitions. From then on the brokers answer DescribeGroups for the
// group as those of Kafka 4 do: they say that there is no such group.
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

// Consume reads up to n messages and commits them. It returns how many there
// were, fewer than n only when it has caught up.
func (c *Consumer) Consume(ctx context.Context, n int) (int, error) {
	behind, err := c.behind(ctx)
	if err != nil {
		return 0, fmt.Errorf("consume as %s: %w", c.group, err)
	}
	n = min(n, behind)
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

// behind is how many messages the group has not committed.
func (c *Consumer) behind(ctx context.Context) (int, error) {
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

// Close leaves the group. What was committed stays.
func (c *Consumer) Close() { c.client.Close() }

// Package kafka is a Kafka that runs inside the program, on 127.0.0.1, with real
// producers and consumers in front of it. Its groups can be shown through the
// local cloud's CKafka API.
package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka is a cluster of one broker. It keeps everything in memory.
type Kafka struct {
	cluster *kfake.Cluster
	client  *kgo.Client
	admin   *kadm.Client

	topics map[string]int32
	mu     sync.Mutex
	next   map[string]int32 // the partition for the next message, by topic
}

// Start starts a cluster with topics of so many partitions each.
func Start(ctx context.Context, topics map[string]int32) (*Kafka, error) {
	opts := []kfake.Opt{kfake.NumBrokers(1)}
	for name, partitions := range topics {
		if partitions < 1 {
			return nil, fmt.Errorf("start kafka: topic %s has %d partitions: it needs at least one", name, partitions)
		}
		opts = append(opts, kfake.SeedTopics(partitions, name))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	k := &Kafka{cluster: cluster, topics: maps.Clone(topics), next: map[string]int32{}}
	k.client, err = kgo.NewClient(
		kgo.SeedBrokers(k.Brokers()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
	)
	if err == nil {
		err = k.client.Ping(ctx)
	}
	if err != nil {
		k.Close()
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	k.admin = kadm.NewClient(k.client)
	return k, nil
}

// Brokers returns the addresses of the brokers, host:port.
func (k *Kafka) Brokers() []string { return k.cluster.ListenAddrs() }

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

// Close stops the cluster. Consumers are closed before it.
func (k *Kafka) Close() {
	if k.client != nil {
		k.client.Close()
	}
	k.cluster.Close()
}

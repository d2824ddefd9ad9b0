// Package kafka is a Kafka that runs inside the program, on 127.0.0.1, with real
// producers and consumers in front of it. Its groups can be shown through the
// local cloud's CKafka API. It can be made to go wrong as real clusters do:
// brokers that are dead or hang, refusals, partitions without a leader.
package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// Config is what a cluster is like. The zero Config is one broker of the newest
// version, open to everybody, without topics.
type Config struct {
	// Topics are there from the start, with so many partitions each.
	Topics map[string]int32
	// Brokers is how many there are, 1 unless given. Their node ids are 0, 1, …
	Brokers int
	// Version is the version of Kafka whose requests the brokers know; nil is
	// the newest.
	Version *kversion.Versions
	// TLS, if given, is how the brokers listen, and ClientTLS how the cluster's
	// own producers and consumers reach them.
	TLS, ClientTLS *tls.Config
	// Users are who may log in. Without any, nobody has to.
	Users []User
	// Latency is how long a broker takes for an answer, beside its work.
	Latency time.Duration
}

// Kafka is a running cluster. It keeps everything in memory.
type Kafka struct {
	cluster *kfake.Cluster
	gates   []*gate // by node id
	latency time.Duration
	opts    []kgo.Opt
	client  *kgo.Client
	admin   *kadm.Client

	topics map[string]int32
	mu     sync.Mutex
	next   map[string]int32 // the partition for the next message, by topic
	asked  map[string]int   // requests, by name
}

// Start starts a cluster of one broker with topics of so many partitions each.
func Start(ctx context.Context, topics map[string]int32) (*Kafka, error) {
	return Config{Topics: topics}.Start(ctx)
}

// Start starts the cluster.
func (c Config) Start(ctx context.Context) (*Kafka, error) {
	k := &Kafka{topics: maps.Clone(c.Topics), latency: c.Latency, next: map[string]int32{}, asked: map[string]int{}}
	opts := []kfake.Opt{kfake.NumBrokers(max(c.Brokers, 1)), kfake.ListenFn(k.listen), kfake.TLS(c.TLS)}
	for name, partitions := range c.Topics {
		if partitions < 1 {
			return nil, fmt.Errorf("start kafka: topic %s has %d partitions: it needs at least one", name, partitions)
		}
		opts = append(opts, kfake.SeedTopics(partitions, name))
	}
	if c.Version != nil {
		opts = append(opts, kfake.MaxVersions(c.Version))
	}
	if len(c.Users) > 0 {
		opts = append(opts, admit(c.Users)...)
		k.opts = append(k.opts, kgo.SASL(plain.Auth{User: owner, Pass: owner}.AsMechanism()))
	}
	if c.ClientTLS != nil {
		k.opts = append(k.opts, kgo.DialTLSConfig(c.ClientTLS))
	}
	var err error
	if k.cluster, err = kfake.NewCluster(opts...); err != nil {
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	k.cluster.Control(k.count)
	k.client, err = k.newClient(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
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

// newClient returns a client of the cluster with every right.
func (k *Kafka) newClient(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(k.Brokers()...)}, k.opts, opts)...)
}

// Brokers returns the addresses of the brokers, host:port, by node id.
func (k *Kafka) Brokers() []string { return k.cluster.ListenAddrs() }

// Admin creates, changes and deletes what is in the cluster; nothing is denied to
// it.
func (k *Kafka) Admin() *kadm.Client { return k.admin }

// Close stops the cluster. Consumers are closed before it.
func (k *Kafka) Close() {
	if k.client != nil {
		k.client.Close()
	}
	k.cluster.Close()
}

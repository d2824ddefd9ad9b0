// Package kafka runs a Kafka cluster inside the program, on 127.0.0.1, with
// real producers and consumers. It can be the GroupSource of a CKafka instance in
// package tencentcloud. It can fail like real clusters: with brokers that are dead or
// hang, with error codes, and with partitions without a leader.
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
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// Config configures a cluster. The zero Config is one broker of the newest
// version, without authentication and topics.
type Config struct {
	// Topics are created at the start; the values are their numbers of partitions.
	Topics map[string]int32
	// Brokers is the number of brokers, 1 by default. Their node ids count from
	// 0.
	Brokers int
	// Version limits the request versions to those of a version of Kafka; nil
	// is the newest.
	Version *kversion.Versions
	// TLS makes the brokers use TLS. ClientTLS is for the cluster's own
	// producers and consumers.
	TLS, ClientTLS *tls.Config
	// Users may log in. Without any, no login is required.
	Users []User
	// Latency delays each response.
	Latency time.Duration
}

// Kafka is a running cluster. It keeps all data in memory.
type Kafka struct {
	cluster   *kfake.Cluster
	listeners []*listener // by node id
	latency   time.Duration
	opts      []kgo.Opt
	client    *kgo.Client
	admin     *kadm.Client

	topics        map[string]int32
	mu            sync.Mutex
	users         []User
	nextPartition map[string]int32 // of the next message, by topic
	requests      map[string]int   // by name
}

// Start starts a cluster of one broker with Config.Topics.
func Start(ctx context.Context, topics map[string]int32) (*Kafka, error) {
	return Config{Topics: topics}.Start(ctx)
}

// Start starts the cluster. ctx bounds the start only.
func (c Config) Start(ctx context.Context) (*Kafka, error) {
	k := &Kafka{topics: maps.Clone(c.Topics), latency: c.Latency, nextPartition: map[string]int32{}, requests: map[string]int{}}
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
		opts = append(opts, authOptions(c.Users)...)
		k.opts = append(k.opts, kgo.SASL(plain.Auth{User: adminUser, Pass: adminUser}.AsMechanism()))
	}
	if c.ClientTLS != nil {
		k.opts = append(k.opts, kgo.DialTLSConfig(c.ClientTLS))
	}
	var err error
	if k.cluster, err = kfake.NewCluster(opts...); err != nil {
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	k.cluster.Control(k.countRequest)
	if len(c.Users) > 0 {
		k.users = slices.Clone(c.Users)
		k.cluster.ControlKey(kmsg.OffsetFetch.Int16(), k.leaveOutDeniedTopics)
	}
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

// newClient returns a client with all permissions.
func (k *Kafka) newClient(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(k.Brokers()...)}, k.opts, opts)...)
}

// Brokers returns the addresses of the brokers, host:port, by node id.
func (k *Kafka) Brokers() []string { return k.cluster.ListenAddrs() }

// Admin returns an admin client with all permissions.
func (k *Kafka) Admin() *kadm.Client { return k.admin }

// Close stops the cluster. Close consumers first.
func (k *Kafka) Close() {
	if k.client != nil {
		k.client.Close()
	}
	k.cluster.Close()
}

// adminUser is the name and password of the cluster's own producers and
// consumers.
const adminUser = "admin-of-the-local-kafka"

// User is a user with the permissions in ACLs and no others.
type User struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
	Mechanism      string
	Name, Password string
	ACLs           []ACL
}

// ACL is an entry of the access control list.
type ACL = kfake.ACL

// AllowDescribeCluster allows requests about the cluster, such as listing all
// groups.
func AllowDescribeCluster() ACL { return allowDescribe(kmsg.ACLResourceTypeCluster, "kafka-cluster") }

// AllowDescribeGroup allows reading a group and its offsets; "*" is all groups.
func AllowDescribeGroup(name string) ACL { return allowDescribe(kmsg.ACLResourceTypeGroup, name) }

// AllowDescribeTopic allows reading a topic and its offsets; "*" is all topics.
func AllowDescribeTopic(name string) ACL { return allowDescribe(kmsg.ACLResourceTypeTopic, name) }

func allowDescribe(resource kmsg.ACLResourceType, name string) ACL {
	return ACL{
		Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral,
		Operation: kmsg.ACLOperationDescribe, Allow: true,
	}
}

// Revoke removes a permission of a user.
func (k *Kafka) Revoke(ctx context.Context, user string, acl ACL) error {
	k.mu.Lock()
	for i, u := range k.users {
		if u.Name == user {
			k.users[i].ACLs = slices.DeleteFunc(slices.Clone(u.ACLs), func(a ACL) bool { return a == acl })
		}
	}
	k.mu.Unlock()
	filter := kmsg.NewDeleteACLsRequestFilter()
	filter.ResourceType, filter.ResourceName, filter.ResourcePatternType = acl.Resource, &acl.Name, acl.Pattern
	filter.Principal, filter.Operation, filter.PermissionType = kmsg.StringPtr("User:"+user), acl.Operation, kmsg.ACLPermissionTypeAllow
	req := kmsg.NewPtrDeleteACLsRequest()
	req.Filters = append(req.Filters, filter)
	resp, err := req.RequestWith(ctx, k.client)
	if err == nil && (len(resp.Results) != 1 || len(resp.Results[0].MatchingACLs) != 1) {
		err = fmt.Errorf("the user has no such permission: %+v", resp.Results)
	}
	if err != nil {
		return fmt.Errorf("revoke a permission of %s: %w", user, err)
	}
	return nil
}

// leaveOutDeniedTopics makes a request for all commits of a group one for those in
// topics that a user may describe: brokers leave the others out of the response without
// an error, the embedded cluster does not. Which user sends the request is not known.
func (k *Kafka) leaveOutDeniedTopics(r kmsg.Request) (kmsg.Response, error, bool) {
	req := r.(*kmsg.OffsetFetchRequest)
	if req.Version < 8 {
		if req.Topics == nil {
			for topic, partitions := range k.describableCommits(req.Group) {
				t := kmsg.NewOffsetFetchRequestTopic()
				t.Topic, t.Partitions = topic, partitions
				req.Topics = append(req.Topics, t)
			}
			req.Topics = append([]kmsg.OffsetFetchRequestTopic{}, req.Topics...) // nil is all topics
		}
		return nil, nil, false
	}
	for i := range req.Groups {
		g := &req.Groups[i]
		if g.Topics != nil {
			continue
		}
		for topic, partitions := range k.describableCommits(g.Group) {
			t := kmsg.NewOffsetFetchRequestGroupTopic()
			t.Topic, t.Partitions = topic, partitions
			g.Topics = append(g.Topics, t)
		}
		g.Topics = append([]kmsg.OffsetFetchRequestGroupTopic{}, g.Topics...)
	}
	return nil, nil, false
}

// describableCommits returns the partitions in which a group has committed, of topics
// that a user may describe.
func (k *Kafka) describableCommits(group string) map[string][]int32 {
	commits := map[string][]int32{}
	info := k.cluster.GroupInfo(group)
	if info == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for topic, partitions := range info.Commits {
		allows := func(a ACL) bool {
			return a.Allow && a.Resource == kmsg.ACLResourceTypeTopic && a.Operation == kmsg.ACLOperationDescribe && (a.Name == "*" || a.Name == topic)
		}
		if slices.ContainsFunc(k.users, func(u User) bool { return slices.ContainsFunc(u.ACLs, allows) }) {
			commits[topic] = slices.Sorted(maps.Keys(partitions))
		}
	}
	return commits
}

// authOptions enables authentication for users and the admin user.
func authOptions(users []User) []kfake.Opt {
	opts := []kfake.Opt{kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", adminUser, adminUser)}
	for _, u := range users {
		opts = append(opts, kfake.User(u.Mechanism, u.Name, u.Password, u.ACLs...))
	}
	return opts
}

// Package kafka reads consumer lag from a Kafka cluster by its own protocol. It
// needs a way into the cluster's network, Kafka 0.11 or later, and no right but
// DESCRIBE, on the groups and on their topics.
//
// It sees what no cloud's API shows: what was deleted before it was read (the
// log start offset), how old the oldest unread message is (Behind, Age), and
// groups of every protocol.
package kafka

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/pkg/lag"
)

// longest bounds a Read, however much time its context leaves.
const longest = 30 * time.Second

// Reader reads one cluster. It is safe for concurrent use. Its connections stay
// open between calls, so that a function's warm instance needs no new ones; they
// end with Close.
type Reader struct {
	client    *kgo.Client
	cluster   lag.Cluster
	isolation int8
}

var _ lag.Reader = (*Reader)(nil)

// New returns a Reader of the cluster that c.Kafka, which is validated, names.
// It connects at the first Read. lookup reads the environment, as os.LookupEnv
// does: at every connect with AWS_MSK_IAM, because the platform renews the key
// of a function's role.
func New(c lag.Cluster, lookup func(name string) (string, bool)) (*Reader, error) {
	opts, err := options(c.Kafka, lookup)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	r := &Reader{client: client, cluster: c}
	if c.Kafka.Isolation == lag.ReadCommitted {
		r.isolation = 1
	}
	return r, nil
}

// Close ends the connections. The Reader cannot be used after it.
func (r *Reader) Close() { r.client.Close() }

// Read reads the offsets of the groups and topics that the cluster's filters
// choose. Per broker it makes one request each for the groups, their commits,
// the starts and the ends of the partitions, however many there are; brokers
// before Kafka 3.0 take one for the commits of each group.
//
// What goes wrong with one broker, group, topic or partition is said there and
// touches nothing else: of a partition it is in Reason, and the first of them is
// the Err of the group. A broker that does not answer in its share of the time
// that ctx leaves is given up. Errors are of type *Error.
func (r *Reader) Read(ctx context.Context) (*lag.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	list, err := r.commits(ctx)
	if err != nil {
		return nil, err
	}
	topics := r.topicsOf(list.groups)
	layouts := map[string]*layout{}
	var bounds map[place]bound
	if len(topics) > 0 {
		if layouts, err = r.layouts(ctx, topics); err != nil {
			return nil, err
		}
		bounds = r.bounds(ctx, layouts)
	}
	snap := &lag.Snapshot{Complete: list.complete, Groups: make([]lag.Group, len(list.groups))}
	if list.err != nil {
		snap.Err = list.err
	}
	for i, g := range list.groups {
		snap.Groups[i] = r.rows(g, layouts, bounds)
	}
	return snap, nil
}

// list is what was found of the groups.
type list struct {
	groups   []*group // by name
	complete bool
	err      *Error // why it is not
}

// group is a group and what it has committed.
type group struct {
	name    string
	node    int32 // its coordinator
	commits []commit
	err     *Error
}

// commit is the answer to where a group is in a partition; at is negative where
// it has committed nothing.
type commit struct {
	place
	at  int64
	err *Error
}

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.topic, q.topic), cmp.Compare(p.partition, q.partition))
}

// topicsOf returns the chosen topics in which one of groups has committed.
func (r *Reader) topicsOf(groups []*group) []string {
	seen := map[string]bool{}
	for _, g := range groups {
		g.commits = slices.DeleteFunc(g.commits, func(c commit) bool {
			wanted, known := seen[c.topic]
			if !known {
				wanted = r.cluster.Topics.Match(c.topic)
				seen[c.topic] = wanted
			}
			return !wanted
		})
	}
	var topics []string
	for topic, wanted := range seen {
		if wanted {
			topics = append(topics, topic)
		}
	}
	slices.Sort(topics)
	return topics
}

// share returns a context that ends when 1/n of the time that ctx leaves is
// over, so that the rest is kept for what comes after. ctx has a deadline.
func share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(n))
}

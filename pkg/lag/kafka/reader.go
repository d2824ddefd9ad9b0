// Package kafka reads consumer lag from a Kafka cluster over the Kafka
// protocol. It needs network access to the brokers, Kafka 0.11 or later, and
// only the DESCRIBE permission on groups and their topics. With READ on a topic it
// finds more ([Reader.ReadTails]).
//
// Unlike the clouds' APIs it reports messages that were deleted before they
// were read (from the log start offset), the age of the oldest unread message
// ([Reader.CountOlder], [Reader.ReadAges]), and groups of every protocol.
package kafka

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"tocsin/pkg/lag"
)

// maxReadTime bounds a call, however much time its context leaves.
const maxReadTime = 30 * time.Second

// Reader reads one cluster. It is safe for concurrent use. Its connections stay
// open between calls, for the next invocation of a warm function, until Close.
type Reader struct {
	client    *kgo.Client
	cluster   lag.Cluster
	isolation int8
	rejected  func() // is called when the brokers rejected the login

	mu     sync.Mutex
	denied map[string]time.Time // topics that the user may not read
}

var (
	_ lag.Reader            = (*Reader)(nil)
	_ lag.Describer         = (*Reader)(nil)
	_ lag.Verifier          = (*Reader)(nil)
	_ lag.AgeReader         = (*Reader)(nil)
	_ lag.TransactionReader = (*Reader)(nil)
	_ lag.TailReader        = (*Reader)(nil)
)

// New returns a Reader of the cluster in c.Kafka, which must be validated. It
// connects at the first Read. lookup reads an environment variable, as
// os.LookupEnv does. With AWS_MSK_IAM it is called for each connection, because
// the platform renews the credentials of a function's role. rt requests the tokens of
// OAUTHBEARER; nil is http.DefaultTransport.
func New(c lag.Cluster, lookup func(name string) (string, bool), rt http.RoundTripper) (*Reader, error) {
	opts, err := options(c.Kafka)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	r := &Reader{cluster: c, rejected: func() {}}
	if c.Kafka.SASL != nil {
		var login sasl.Mechanism
		login, r.rejected = mechanism(c.Kafka.SASL, lookup, rt)
		opts = append(opts, kgo.SASL(login))
	}
	if r.client, err = kgo.NewClient(opts...); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	if c.Kafka.Isolation == lag.ReadCommitted {
		r.isolation = readCommitted
	}
	return r, nil
}

// Isolation levels of requests: readCommitted leaves the messages of open transactions
// out.
const (
	readUncommitted = 0
	readCommitted   = 1
)

// Close closes the connections. The Reader cannot be used any more.
func (r *Reader) Close() { r.client.Close() }

// Read reads the offsets of the groups and topics that the cluster's filters
// select. It makes one request per broker each for the groups, their commits,
// and the start and end offsets, however many there are, and with the isolation
// read_committed one for the ends with open transactions; brokers before Kafka 3.0 need
// one request for the commits of each group.
//
// A failure of one broker, group, topic or partition is reported there and
// affects nothing else: the Reason of a partition explains it, and the first
// one of a group is its Err. A broker that does not answer within its share of
// the time that ctx leaves is given up. Errors are of type *Error.
func (r *Reader) Read(ctx context.Context) (*lag.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, maxReadTime)
	defer cancel()
	list, err := r.readCommits(ctx)
	if err != nil {
		if err.Kind == Credentials {
			r.rejected()
		}
		return nil, err
	}
	groups, err := r.addOffsets(ctx, list.groups)
	if err != nil {
		return nil, err
	}
	snap := &lag.Snapshot{Complete: list.complete, Groups: groups}
	if list.err != nil {
		snap.Err = list.err
	}
	return snap, nil
}

// addOffsets returns groups with the start and end offsets of the partitions in which
// they have committed.
func (r *Reader) addOffsets(ctx context.Context, groups []*group) ([]lag.Group, *Error) {
	topics := r.selectTopics(groups)
	layouts := map[string]*layout{}
	var ranges map[topicPartition]offsetRange
	if len(topics) > 0 {
		var err *Error
		if layouts, err = r.layouts(ctx, topics); err != nil {
			return nil, err
		}
		ranges = r.offsetRanges(ctx, layouts)
	}
	out := make([]lag.Group, len(groups))
	for i, g := range groups {
		out[i] = r.groupResult(g, layouts, ranges)
	}
	return out, nil
}

// groupList is the groups that were found.
type groupList struct {
	groups   []*group // sorted by name
	complete bool
	err      *Error // why it is not complete
}

// group is a group with its committed offsets.
type group struct {
	name, typ   string
	node        int32 // its coordinator
	commits     []commit
	description *groupDescription
	err         *Error
}

// Types of groups; the type is not known ("") before Kafka 3.8.
const (
	typeClassic  = "classic"
	typeConsumer = "consumer" // KIP-848
	typeStreams  = "streams"  // KIP-1071
	typeShare    = "share"    // KIP-932
)

// commit is the committed offset of a group in a partition, which is negative
// without one. For a share group it is the first message that is not acknowledged.
type commit struct {
	topicPartition
	offset int64
	// unread is how many messages a share group has not acknowledged, and negative if
	// that follows from the offsets.
	unread int64
	err    *Error
}

type topicPartition struct {
	topic     string
	partition int32
}

func (p topicPartition) compare(q topicPartition) int {
	return cmp.Or(cmp.Compare(p.topic, q.topic), cmp.Compare(p.partition, q.partition))
}

// selectTopics returns the topics in which one of groups has committed and
// which the cluster's filter selects. It removes the commits in others.
func (r *Reader) selectTopics(groups []*group) []string {
	seen := map[string]bool{}
	for _, g := range groups {
		g.commits = slices.DeleteFunc(g.commits, func(c commit) bool {
			selected, known := seen[c.topic]
			if !known {
				selected = r.cluster.Topics.Match(c.topic)
				seen[c.topic] = selected
			}
			return !selected
		})
	}
	var topics []string
	for topic, selected := range seen {
		if selected {
			topics = append(topics, topic)
		}
	}
	slices.Sort(topics)
	return topics
}

// splitDeadline returns a context that ends after 1/n of the time that ctx
// leaves, to keep the rest for later requests. ctx must have a deadline.
func splitDeadline(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(n))
}

// groupResult returns a group with, for each topic in which it has committed,
// all current partitions of the topic. Topics and partitions that do not exist
// any more are left out.
func (r *Reader) groupResult(g *group, layouts map[string]*layout, ranges map[topicPartition]offsetRange) lag.Group {
	out := lag.Group{Name: g.name, Type: g.typ, Complete: g.err == nil}
	first := g.err
	for from := 0; from < len(g.commits); {
		topic, to := g.commits[from].topic, from+1
		for to < len(g.commits) && g.commits[to].topic == topic {
			to++
		}
		commits := g.commits[from:to]
		from = to
		l := layouts[topic]
		if l == nil {
			continue
		}
		t, err := topicResult(topic, l, commits, ranges)
		if first == nil {
			first = err
		}
		out.Topics = append(out.Topics, t)
	}
	if first != nil {
		out.Err = first
	}
	return out
}

// topicResult returns one topic, and the first failure in it.
func topicResult(topic string, l *layout, commits []commit, ranges map[topicPartition]offsetRange) (t lag.Topic, first *Error) {
	t.Name = topic
	if l.err != nil {
		for _, c := range commits {
			t.Partitions = append(t.Partitions, lag.Partition{ID: c.partition, Committed: max(c.offset, -1), End: -1, Reason: l.err.en})
		}
		return t, l.err
	}
	t.Partitions = make([]lag.Partition, len(l.partitions))
	for i, p := range l.partitions {
		c := commit{offset: -1, unread: -1}
		if j, ok := slices.BinarySearchFunc(commits, p.id, func(c commit, id int32) int { return cmp.Compare(c.partition, id) }); ok {
			c = commits[j]
		}
		partition, err := newPartition(p.id, c, ranges[topicPartition{topic, p.id}])
		t.Partitions[i] = partition
		if first == nil {
			first = err
		}
	}
	return t, first
}

// newPartition returns a partition, and the failure that keeps its lag unknown.
func newPartition(id int32, c commit, b offsetRange) (lag.Partition, *Error) {
	p := lag.Partition{ID: id, Committed: max(c.offset, -1), Start: b.start, End: b.end, HighWatermark: b.high}
	if c.offset > b.end && b.high > b.end {
		p.End = min(c.offset, b.high) // the group reads uncommitted messages
	}
	if b.err != nil {
		p.Start, p.End, p.HighWatermark = 0, -1, 0
	}
	switch err := cmp.Or(c.err, b.err); {
	case err != nil:
		p.Reason = err.en
		return p, err
	case c.offset < 0:
		p.Reason = lag.NoCommit
	default:
		p.Known = true
		p.Lag = max(0, p.End-max(c.offset, b.start))
		if c.unread >= 0 {
			p.Lag = min(p.Lag, c.unread)
		}
		p.Lost = max(0, b.start-c.offset)
	}
	return p, nil
}

package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
	localkafka "tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/setting"
)

// messageTime is for messages whose time does not matter.
var messageTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	username = "tocsin"
	password = "a-password-that-must-not-leak"
)

// startCluster starts a cluster for at most half a minute.
func startCluster(t testing.TB, c localkafka.Config) (context.Context, *localkafka.Kafka) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	k, err := c.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return ctx, k
}

// threePartitions is a cluster with topic a.
func threePartitions() localkafka.Config {
	return localkafka.Config{Topics: map[string]int32{"a": 3}, Brokers: 3}
}

// startSpreadCluster starts three brokers, each of which leads a partition of
// both topics and coordinates some of the nine groups. It returns a first
// snapshot.
func startSpreadCluster(t *testing.T) (*localkafka.Kafka, *Reader, *lag.Snapshot) {
	t.Helper()
	ctx, k := startCluster(t, localkafka.Config{Topics: map[string]int32{"a": 3, "b": 3}, Brokers: 3})
	must(t, k.Produce(ctx, "a", 30))
	must(t, k.Produce(ctx, "b", 60))
	for p := range int32(3) {
		must(t, k.SetLeader("a", p, p))
		must(t, k.SetLeader("b", p, (p+1)%3))
	}
	for g := range 9 {
		commitOffsets(t, ctx, k, fmt.Sprintf("g%d", g), "a", int64(g), 1, 2)
		commitOffsets(t, ctx, k, fmt.Sprintf("g%d", g), "b", int64(g), 3, 4)
	}
	r := newReader(t, k, nil)
	snap := mustRead(t, ctx, r)
	for _, g := range snap.Groups {
		if g.Err != nil || len(g.Topics) != 2 {
			t.Fatalf("group %s: got %d topics, error %v; want 2", g.Name, len(g.Topics), g.Err)
		}
	}
	return k, r, snap
}

// newReader returns a reader of k; change, if given, changes its configuration.
func newReader(t testing.TB, k *localkafka.Kafka, change func(*lag.Cluster)) *Reader {
	t.Helper()
	c := lag.Cluster{Name: "orders", Kafka: &lag.Kafka{Brokers: k.Brokers()}}
	if change != nil {
		change(&c)
	}
	r, err := New(c, os.LookupEnv, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// withLogin configures the user's login.
func withLogin(c *lag.Cluster) {
	c.Kafka.SASL = &lag.KafkaSASL{Mechanism: lag.Plain, Username: username, Password: password}
}

// newUser returns the user, with PLAIN, and its permissions.
func newUser(acls ...localkafka.ACL) []localkafka.User {
	return []localkafka.User{{Mechanism: lag.Plain, Name: username, Password: password, ACLs: acls}}
}

// newFilter returns a filter that includes patterns.
func newFilter(t testing.TB, patterns ...string) (f lag.Filter) {
	t.Helper()
	for _, text := range patterns {
		p, err := setting.NewPattern(text)
		must(t, err)
		f.Include = append(f.Include, p)
	}
	return f
}

// must ends the test if a step that only prepares fails.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustDescribe describes groups, none of which may fail.
func mustDescribe(t testing.TB, ctx context.Context, r *Reader, groups []lag.Group) {
	t.Helper()
	r.Describe(ctx, groups)
	for _, g := range groups {
		if g.PartialErr != nil {
			t.Fatalf("describe group %s: %v", g.Name, g.PartialErr)
		}
	}
}

func mustRead(t testing.TB, ctx context.Context, r *Reader) *lag.Snapshot {
	t.Helper()
	snap, err := r.Read(ctx)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	return snap
}

// readWithin reads with a timeout of d and checks that it is met.
func readWithin(t testing.TB, ctx context.Context, r *Reader, d time.Duration) (*lag.Snapshot, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	begin := time.Now()
	snap, err := r.Read(ctx)
	if took := time.Since(begin); took > d+500*time.Millisecond {
		t.Errorf("Read took %v, want at most %v", took, d)
	}
	return snap, err
}

func commitOffsets(t testing.TB, ctx context.Context, k *localkafka.Kafka, group, topic string, offsets ...int64) {
	t.Helper()
	for p, at := range offsets {
		if at >= 0 {
			must(t, k.Commit(ctx, group, topic, int32(p), at))
		}
	}
}

// deleteBefore deletes the messages of partition 0 of topic a before an offset.
func deleteBefore(t testing.TB, ctx context.Context, k *localkafka.Kafka, offset int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset("a", 0, offset, -1)
	_, err := k.Admin().DeleteRecords(ctx, offsets)
	must(t, err)
}

// addOffset adds an offset to a response.
func addOffset(resp *kmsg.ListOffsetsResponse, topic string, partition int32, offset int64) {
	p := kmsg.NewListOffsetsResponseTopicPartition()
	p.Partition, p.Offset = partition, offset
	t := kmsg.NewListOffsetsResponseTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
}

func findGroup(t testing.TB, snap *lag.Snapshot, name string) lag.Group {
	t.Helper()
	i := slices.IndexFunc(snap.Groups, func(g lag.Group) bool { return g.Name == name })
	if i < 0 {
		t.Fatalf("group %s is not among the %d groups", name, len(snap.Groups))
	}
	return snap.Groups[i]
}

// findPartitions returns the partitions of a group in a topic, nil without any.
func findPartitions(t testing.TB, snap *lag.Snapshot, group, topic string) []lag.Partition {
	t.Helper()
	for _, tp := range findGroup(t, snap, group).Topics {
		if tp.Name == topic {
			return tp.Partitions
		}
	}
	return nil
}

// groupPartitions returns all partitions of a snapshot.
func groupPartitions(snap *lag.Snapshot) []lag.GroupPartition {
	var rows []lag.GroupPartition
	for _, g := range snap.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				rows = append(rows, lag.GroupPartition{Group: g.Name, Topic: t.Name, Partition: p})
			}
		}
	}
	return rows
}

// checkPartitions compares the partitions of a group in a topic.
func checkPartitions(t testing.TB, snap *lag.Snapshot, group, topic string, want ...lag.Partition) {
	t.Helper()
	if got := findPartitions(t, snap, group, topic); !reflect.DeepEqual(got, want) {
		t.Errorf("group %s, topic %s: got\n%+v\nwant\n%+v", group, topic, got, want)
	}
}

// checkLag compares the total lag of a group in a topic, and the number of its
// partitions whose lag is unknown.
func checkLag(t testing.TB, snap *lag.Snapshot, group, topic string, wantLag int64, wantUnknown int) {
	t.Helper()
	var total int64
	unknown := 0
	for _, p := range findPartitions(t, snap, group, topic) {
		if p.Known {
			total += p.Lag
		} else {
			unknown++
		}
	}
	if total != wantLag || unknown != wantUnknown {
		t.Errorf("group %s, topic %s: got lag %d, %d partitions unknown; want %d, %d unknown", group, topic, total, unknown, wantLag, wantUnknown)
	}
}

// checkError checks that err is an *Error of a kind, contains a text, and does
// not contain the password.
func checkError(t testing.TB, err error, wantKind ErrorKind, wantText string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got error %v, want an *Error", err)
	}
	for _, text := range []string{e.Text("en"), e.Text("zh"), fmt.Sprintf("%+v", err)} {
		if strings.Contains(text, password) || text == "" {
			t.Errorf("got error text %q, want one without the password", text)
		}
	}
	if e.Kind != wantKind || !strings.Contains(err.Error(), wantText) {
		t.Errorf("got %s error %q, want a %s error with %q", e.Kind, err, wantKind, wantText)
	}
}

package kafka

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tocsin/pkg/lag"
	world "tocsin/pkg/localcloud/kafka"
)

const (
	user     = "tocsin"
	password = "a-password-nobody-may-see"
)

// loggedIn makes a reader log in as the user.
func loggedIn(c *lag.Cluster) {
	c.Kafka.SASL = &lag.KafkaSASL{Mechanism: lag.Plain, Username: user, Password: password}
}

// kindOf returns the kind of an *Error.
func kindOf(t testing.TB, err error) ErrorKind {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%v is not an *Error", err)
	}
	for _, text := range []string{e.Text("en"), e.Text("zh"), fmt.Sprintf("%+v", err)} {
		if strings.Contains(text, password) || text == "" {
			t.Errorf("text %q", text)
		}
	}
	return e.Kind
}

// TestDescribeIsEnough reads with the right DESCRIBE on the groups and topics
// alone, without any on the cluster.
func TestDescribeIsEnough(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 2}, Brokers: 3, Users: []world.User{{
		Mechanism: lag.Plain, Name: user, Password: password,
		ACLs: []world.ACL{world.AllowDescribeGroup("*"), world.AllowDescribeTopic("*")},
	}}})
	must(t, k.Produce(ctx, "a", 10))
	commitAt(t, ctx, k, "g", "a", 1, 2)
	r := newReader(t, k, loggedIn)
	snap := read(t, ctx, r)
	if total, unknown := sum(rowsOf(t, snap, "g", "a")); total != 7 || unknown != 0 {
		t.Errorf("lag %d, %d unknown", total, unknown)
	}
	if got := r.CountOlder(ctx, time.Now(), allRows(snap), []time.Duration{time.Hour}); !got[0][0].Known || !got[1][0].Known {
		t.Errorf("%+v", got)
	}
	must(t, r.Describe(ctx, snap.Groups))
	if snap.Groups[0].State != "Empty" {
		t.Errorf("state %q", snap.Groups[0].State)
	}
}

// TestDeniedGroupAndTopic: what is not denied is read, and of the rest it is
// said which right is missing.
func TestDeniedGroupAndTopic(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1, "b": 1, "secret": 2}, Brokers: 3, Users: []world.User{{
		Mechanism: lag.Plain, Name: user, Password: password,
		ACLs: []world.ACL{world.AllowDescribeGroup("order-pay"), world.AllowDescribeTopic("a"), world.AllowDescribeTopic("b")},
	}}})
	for _, g := range []string{"order-pay", "order-worker"} {
		for _, topic := range []string{"a", "b", "secret"} {
			must(t, k.Produce(ctx, topic, 2))
			commitAt(t, ctx, k, g, topic, 1)
		}
	}
	r := newReader(t, k, func(c *lag.Cluster) { loggedIn(c); c.Groups = filter(t, "order-pay", "order-worker") })
	snap := read(t, ctx, r)

	pay, worker := groupOf(t, snap, "order-pay"), groupOf(t, snap, "order-worker")
	if kindOf(t, worker.Err) != Permission || !strings.Contains(worker.Err.Error(), "DESCRIBE on group order-worker") || worker.Complete {
		t.Errorf("%+v", worker)
	}
	if kindOf(t, pay.Err) != Permission || !strings.Contains(pay.Err.Error(), "DESCRIBE on topic secret") {
		t.Errorf("%v", pay.Err)
	}
	if e, _ := errors.AsType[*Error](pay.Err); !strings.Contains(e.Text("zh"), "主题 secret 的 DESCRIBE 权限") {
		t.Errorf("%s", e.Text("zh"))
	}
	for _, topic := range []string{"a", "b"} {
		if total, unknown := sum(rowsOf(t, snap, "order-pay", topic)); total != 3 || unknown != 0 {
			t.Errorf("%s: lag %d, %d unknown", topic, total, unknown)
		}
	}
	want := []lag.Partition{{ID: 0, Committed: 1, End: -1, Reason: "the user may not see topic secret: give it the right DESCRIBE on topic secret"}}
	if got := rowsOf(t, snap, "order-pay", "secret"); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// TestDeniedEverywhere: a list that shows nothing is one of no groups, as Kafka
// does not say that it hides some.
func TestDeniedEverywhere(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1}, Users: []world.User{{Mechanism: lag.Plain, Name: user, Password: password}}})
	commitAt(t, ctx, k, "g", "a", 0)
	if snap := read(t, ctx, newReader(t, k, loggedIn)); len(snap.Groups) != 0 {
		t.Errorf("%+v", snap)
	}
	k.Fail(world.Fault{Keys: []kmsg.Key{kmsg.ListGroups}, TopLevel: true, Err: kerr.ClusterAuthorizationFailed})
	_, err := newReader(t, k, loggedIn).Read(ctx)
	if kindOf(t, err) != Permission || !strings.Contains(err.Error(), "DESCRIBE on the cluster") {
		t.Errorf("%v", err)
	}
}

// TestOldBrokers: before 3.0 a request is for one group, and nothing else
// changes. Before 0.11 there is an error.
func TestOldBrokers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version *kversion.Versions
		old     bool
	}{
		{"4.0", kversion.V4_0_0(), false},
		{"3.0", kversion.V3_0_0(), false},
		{"2.8", kversion.V2_8_0(), false},
		{"1.1", kversion.V1_1_0(), false},
		{"0.11", kversion.V0_11_0(), false},
		{"0.10.2", kversion.V0_10_2(), true},
		{"0.10.0", kversion.V0_10_0(), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 2}, Brokers: 2, Version: tt.version})
			groups := []string{"g0", "g1", "g2", "g3", "g4"}
			if tt.old {
				_, err := newReader(t, k, nil).Read(ctx)
				if kindOf(t, err) != Version || !strings.Contains(err.Error(), "older than Kafka 0.11") {
					t.Errorf("%v", err)
				}
				return
			}
			must(t, k.ProduceAt(ctx, "a", 0, sometime, sometime, sometime))
			for i, g := range groups {
				commitAt(t, ctx, k, g, "a", int64(i%3), 0)
			}
			named := newReader(t, k, func(c *lag.Cluster) { c.Groups = filter(t, groups...) })
			for _, r := range []*Reader{newReader(t, k, nil), named} {
				snap := read(t, ctx, r)
				for i, g := range groups {
					want := []lag.Partition{{ID: 0, Committed: int64(i % 3), End: 3, Lag: int64(3 - i%3), Known: true}, {ID: 1, Known: true}}
					if got := rowsOf(t, snap, g, "a"); !reflect.DeepEqual(got, want) {
						t.Errorf("%s: got\n%+v\nwant\n%+v", g, got, want)
					}
				}
				got := r.CountOlder(ctx, sometime.Add(time.Minute), allRows(snap)[:1], []time.Duration{30 * time.Second, 2 * time.Minute})[0]
				if want := []lag.OlderCount{{Messages: 3, Known: true}, {Known: true}}; !reflect.DeepEqual(got, want) {
					t.Errorf("behind: %+v", got)
				}
				must(t, r.Describe(ctx, snap.Groups))
				if snap.Groups[0].State != "Empty" {
					t.Errorf("state %q", snap.Groups[0].State)
				}
			}
		})
	}
}

// TestAnswersThatSayNothing: an answer of 0 or -1 where the offset should be is
// no lag of 0.
func TestAnswersThatSayNothing(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1}})
	must(t, k.Produce(ctx, "a", 5))
	commitAt(t, ctx, k, "g", "a", 2)
	r := newReader(t, k, nil)
	for name, answer := range map[string]func(*kmsg.ListOffsetsResponse){
		"nothing":    func(*kmsg.ListOffsetsResponse) {},
		"no offset":  func(resp *kmsg.ListOffsetsResponse) { add(resp, "a", 0, -1) },
		"others":     func(resp *kmsg.ListOffsetsResponse) { add(resp, "b", 0, 5); add(resp, "a", 1, 5) },
		"nonsense":   func(resp *kmsg.ListOffsetsResponse) { add(resp, "", -1, 1<<62); add(resp, "a", 0, -1<<63) },
		"said twice": func(resp *kmsg.ListOffsetsResponse) { add(resp, "a", 0, -1); add(resp, "a", 0, 2) },
	} {
		undo := k.Respond(kmsg.ListOffsets, func(_ int32, req kmsg.Request) kmsg.Response {
			resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
			answer(resp)
			return resp
		})
		snap := read(t, ctx, r)
		rows := rowsOf(t, snap, "g", "a")
		if len(rows) != 1 || rows[0].Known || rows[0].Committed != 2 || !strings.Contains(rows[0].Reason, "says nothing of it") || groupOf(t, snap, "g").Err == nil {
			t.Errorf("%s: %+v", name, rows)
		}
		undo()
	}
	if total, unknown := sum(rowsOf(t, read(t, ctx, r), "g", "a")); total != 3 || unknown != 0 {
		t.Errorf("afterwards: lag %d, %d unknown", total, unknown)
	}
}

func add(resp *kmsg.ListOffsetsResponse, topic string, partition int32, offset int64) {
	p := kmsg.NewListOffsetsResponseTopicPartition()
	p.Partition, p.Offset = partition, offset
	t := kmsg.NewListOffsetsResponseTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
}

// TestMoved: groups and partitions that moved to another broker are found there,
// in the same read.
func TestMoved(t *testing.T) {
	ctx, k := start(t, world.Config{Topics: map[string]int32{"a": 1}, Brokers: 3})
	must(t, k.Produce(ctx, "a", 5))
	commitAt(t, ctx, k, "g", "a", 2)
	r := newReader(t, k, nil)
	for _, f := range []world.Fault{
		{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: kerr.NotCoordinator},
		{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g", Err: kerr.CoordinatorLoadInProgress},
		{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "a", Err: kerr.NotLeaderForPartition},
		{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "a", Partitions: []int32{0}, Err: kerr.LeaderNotAvailable},
		{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "a", Err: kerr.UnknownTopicOrPartition},
	} {
		k.FailOnce(f)
		snap, err := r.Read(ctx)
		must(t, err)
		if total, unknown := sum(rowsOf(t, snap, "g", "a")); total != 3 || unknown != 0 || groupOf(t, snap, "g").Err != nil {
			t.Errorf("%v: lag %d, %d unknown, error %v", f.Err, total, unknown, groupOf(t, snap, "g").Err)
		}
	}
}

// within gives a read so much time.
func within(t testing.TB, ctx context.Context, r *Reader, d time.Duration) (*lag.Snapshot, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	begin := time.Now()
	snap, err := r.Read(ctx)
	if took := time.Since(begin); took > d+500*time.Millisecond {
		t.Errorf("took %v of %v", took, d)
	}
	return snap, err
}

package kafka

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"tocsin/pkg/localcloud/tencentcloud"
)

// start starts a cluster for at most half a minute.
func start(t *testing.T, c Config) (context.Context, *Kafka) {
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

// newClient returns a client without the cluster's own permissions.
func newClient(t *testing.T, k *Kafka, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.Brokers()...), kgo.RequestRetries(0))...)
	must(t, err)
	t.Cleanup(client.Close)
	return client
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustConsume(t *testing.T, ctx context.Context, c *Consumer, n, want int) {
	t.Helper()
	if got, err := c.Consume(ctx, n); err != nil || got != want {
		t.Fatalf("Consume(%d): got %d, error %v; want %d", n, got, err, want)
	}
}

// checkLag compares the lag of a group by topic. All partitions must have a
// commit.
func checkLag(t *testing.T, ctx context.Context, k *Kafka, group string, want map[string]int64) {
	t.Helper()
	topics, err := k.Offsets(ctx, group)
	must(t, err)
	got := map[string]int64{}
	for _, topic := range topics {
		for _, p := range topic.Partitions {
			if p.Committed < 0 {
				t.Errorf("group %s, topic %s, partition %d: got no commit, want one", group, topic.Name, p.ID)
			}
			got[topic.Name] += p.End - p.Committed
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("group %s: got lag %v, want %v", group, got, want)
	}
}

func checkOffsets(t *testing.T, ctx context.Context, k *Kafka, group string, want ...tencentcloud.Topic) {
	t.Helper()
	if got, err := k.Offsets(ctx, group); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("offsets of group %s: got %v, error %v; want %v", group, got, err, want)
	}
}

func TestConsumer(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 3, "clicks": 1}})
	if groups, err := k.Groups(ctx); err != nil || len(groups) != 0 {
		t.Fatalf("before the first consumer: got groups %v, error %v; want none", groups, err)
	}
	c, err := k.Consumer(ctx, "order-sync", "orders")
	must(t, err)
	defer c.Close()

	for _, step := range []struct {
		produce, consume, consumed int
		lag                        int64
	}{
		{produce: 10, consume: 4, consumed: 4, lag: 6},
		{produce: 2001, consume: 6, consumed: 6, lag: 2001},
		{produce: 0, consume: 501, consumed: 501, lag: 1500},
		{produce: 0, consume: 5000, consumed: 1500, lag: 0},
		{produce: 0, consume: 1, consumed: 0, lag: 0},
		{produce: 3, consume: 0, consumed: 0, lag: 3},
	} {
		must(t, k.Produce(ctx, "orders", step.produce))
		mustConsume(t, ctx, c, step.consume, step.consumed)
		checkLag(t, ctx, k, "order-sync", map[string]int64{"orders": step.lag})
	}
	if groups, err := k.Groups(ctx); err != nil || !reflect.DeepEqual(groups, []string{"order-sync"}) {
		t.Fatalf("got groups %v, error %v; want order-sync", groups, err)
	}
}

func TestConsumerResumesAtCommit(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 2}})
	must(t, k.Produce(ctx, "orders", 10))
	for _, want := range []int64{6, 2} {
		c, err := k.Consumer(ctx, "g", "orders")
		must(t, err)
		mustConsume(t, ctx, c, 4, 4)
		c.Close()
		checkLag(t, ctx, k, "g", map[string]int64{"orders": want})
	}
}

// TestNextGenConsumer lists and describes a KIP-848 group. The brokers respond
// as Kafka 4 does.
func TestNextGenConsumer(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 2}})
	c, err := k.NextGenConsumer(ctx, "g", "orders")
	must(t, err)
	defer c.Close()
	must(t, k.Produce(ctx, "orders", 10))
	mustConsume(t, ctx, c, 7, 7)
	checkLag(t, ctx, k, "g", map[string]int64{"orders": 3})
	list, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, newClient(t, k))
	if err != nil || len(list.Groups) != 1 || list.Groups[0].GroupType != "consumer" {
		t.Errorf("ListGroups: got %+v, error %v; want one group of type consumer", list, err)
	}
	classic, err := k.Admin().DescribeGroups(ctx, "g")
	if err != nil || !errors.Is(classic["g"].Err, kerr.GroupIDNotFound) {
		t.Errorf("DescribeGroups: got %+v, error %v; want %v", classic, err, kerr.GroupIDNotFound)
	}
	kip848, err := k.Admin().DescribeConsumerGroups(ctx, "g")
	if err != nil || len(kip848["g"].Members) != 1 || kip848["g"].Err != nil {
		t.Errorf("DescribeConsumerGroups: got %+v, error %v; want one member", kip848, err)
	}
}

func TestProduceKeepsPartitionsEven(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 3}})
	c, err := k.Consumer(ctx, "g", "orders")
	must(t, err)
	defer c.Close()
	for range 4 {
		must(t, k.Produce(ctx, "orders", 4)) // 16 over 3 partitions: 6, 5, 5
	}
	checkOffsets(t, ctx, k, "g", tencentcloud.Topic{Name: "orders", Partitions: []tencentcloud.Partition{
		{ID: 0, Committed: 0, End: 6}, {ID: 1, Committed: 0, End: 5}, {ID: 2, Committed: 0, End: 5},
	}})
}

func TestProduceAt(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 1}})
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	must(t, k.ProduceAt(ctx, "orders", 0, at, at.Add(time.Hour), at.Add(2*time.Hour)))
	after, err := k.Admin().ListOffsetsAfterMilli(ctx, at.Add(time.Minute).UnixMilli(), "orders")
	want := at.Add(time.Hour).UnixMilli()
	if got := after["orders"][0]; err != nil || got.Offset != 1 || got.Timestamp != want {
		t.Errorf("first message after a minute: got %+v, error %v; want offset 1, timestamp %d", got, err, want)
	}
}

// TestProduceInTransaction checks the end and the last stable offset of a
// partition.
func TestProduceInTransaction(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 1}})
	end, err := k.ProduceInTransaction(ctx, "orders", 0, 5)
	must(t, err)
	check := func(state string, wantEnd, wantStable int64) {
		t.Helper()
		ends, err := k.Admin().ListEndOffsets(ctx, "orders")
		must(t, err)
		stable, err := k.Admin().ListCommittedOffsets(ctx, "orders")
		must(t, err)
		if e, s := ends["orders"][0].Offset, stable["orders"][0].Offset; e != wantEnd || s != wantStable {
			t.Errorf("%s: got end %d, stable %d; want %d and %d", state, e, s, wantEnd, wantStable)
		}
	}
	check("open", 5, 0)
	must(t, end(true))
	check("committed", 6, 6) // with the marker
}

func TestOffsetsOfPartitionsWithoutCommit(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 2}})
	checkOffsets(t, ctx, k, "missing")
	must(t, k.Commit(ctx, "g", "orders", 1, 0))
	checkOffsets(t, ctx, k, "g", tencentcloud.Topic{Name: "orders", Partitions: []tencentcloud.Partition{
		{ID: 0, Committed: -1}, {ID: 1, Committed: 0},
	}})
}

func TestInvalidTopics(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 1}})
	if err := k.Produce(ctx, "order", 1); err == nil || !strings.Contains(err.Error(), "orders") {
		t.Errorf("Produce to a missing topic: got error %v, want one that names the topics", err)
	}
	if _, err := Start(ctx, map[string]int32{"orders": 0}); err == nil {
		t.Error("Start with a topic without partitions: got no error, want one")
	}
}

func TestUserPermissions(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 1, "clicks": 1}, Users: []User{
		{Mechanism: "SCRAM-SHA-256", Name: "u", Password: "p", ACLs: []ACL{AllowDescribeTopic("orders")}},
	}})
	must(t, k.Produce(ctx, "orders", 1))
	login := func(password string) kgo.Opt {
		return kgo.SASL(scram.Auth{User: "u", Pass: password}.AsSha256Mechanism())
	}
	if err := newClient(t, k).Ping(ctx); err == nil {
		t.Error("without a login: got no error, want one")
	}
	if err := newClient(t, k, login("wrong")).Ping(ctx); err == nil {
		t.Error("wrong password: got no error, want one")
	}
	ends, err := kadm.NewClient(newClient(t, k, login("p"))).ListEndOffsets(ctx, "orders", "clicks")
	switch {
	case err != nil && !errors.Is(err, kerr.TopicAuthorizationFailed):
		t.Errorf("ListEndOffsets: got error %v, want none or %v", err, kerr.TopicAuthorizationFailed)
	case err == nil && ends["orders"][0].Offset != 1:
		t.Errorf("allowed topic: got %+v, want end 1", ends["orders"])
	case err == nil && !errors.Is(ends["clicks"][0].Err, kerr.TopicAuthorizationFailed):
		t.Errorf("denied topic: got %+v, want %v", ends["clicks"], kerr.TopicAuthorizationFailed)
	}
}

func TestConfigVersion(t *testing.T) {
	ctx, k := start(t, Config{Version: kversion.V2_8_0()})
	versions, err := k.Admin().ApiVersions(ctx)
	must(t, err)
	for _, v := range versions.Sorted() {
		if got, _ := v.KeyMaxVersion(kmsg.OffsetFetch.Int16()); got != 7 { // 8 is from 3.0
			t.Errorf("got OffsetFetch %d, want 7", got)
		}
	}
}

func TestCloseStopsAllGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 8}})
	c, err := k.Consumer(ctx, "g", "orders")
	must(t, err)
	must(t, k.Produce(ctx, "orders", 100))
	mustConsume(t, ctx, c, 10, 10)
	c.Close()
	k.Close()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("got %d goroutines, want %d:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

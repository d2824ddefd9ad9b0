package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func startAs(t *testing.T, c Config) (context.Context, *Kafka) {
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

// visitor returns a client of somebody else.
func visitor(t *testing.T, k *Kafka, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.Brokers()...), kgo.RequestRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// TestNextGenConsumer: the group is one of KIP-848, and the brokers answer of it
// as Kafka 4 does.
func TestNextGenConsumer(t *testing.T) {
	ctx, k := startAs(t, Config{Topics: map[string]int32{"orders": 2}})
	c, err := k.NextGenConsumer(ctx, "g", "orders")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := k.Produce(ctx, "orders", 10); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Consume(ctx, 7); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	if lag, unknown := lags(t, ctx, k, "g"); lag["orders"] != 3 || unknown != 0 {
		t.Errorf("lag %v, %d unknown", lag, unknown)
	}
	listed, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, visitor(t, k))
	if err != nil || len(listed.Groups) != 1 || listed.Groups[0].GroupType != "consumer" {
		t.Errorf("%+v, %v", listed, err)
	}
	classic, err := k.Admin().DescribeGroups(ctx, "g")
	if err != nil || !errors.Is(classic["g"].Err, kerr.GroupIDNotFound) {
		t.Errorf("described as a classic group: %+v, %v", classic, err)
	}
	next, err := k.Admin().DescribeConsumerGroups(ctx, "g")
	if err != nil || len(next["g"].Members) != 1 || next["g"].Err != nil {
		t.Errorf("described as one of KIP-848: %+v, %v", next, err)
	}
}

// TestTransact: the marker takes an offset, and what is open is not stable.
func TestTransact(t *testing.T) {
	ctx, k := startAs(t, Config{Topics: map[string]int32{"orders": 1}})
	end, err := k.ProduceInTransaction(ctx, "orders", 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	ends := func() (last, stable int64) {
		all, err := k.Admin().ListEndOffsets(ctx, "orders")
		if err != nil {
			t.Fatal(err)
		}
		committed, err := k.Admin().ListCommittedOffsets(ctx, "orders")
		if err != nil {
			t.Fatal(err)
		}
		return all["orders"][0].Offset, committed["orders"][0].Offset
	}
	if last, stable := ends(); last != 5 || stable != 0 {
		t.Errorf("open: %d, %d", last, stable)
	}
	if err := end(true); err != nil {
		t.Fatal(err)
	}
	if last, stable := ends(); last != 6 || stable != 6 {
		t.Errorf("committed: %d, %d", last, stable)
	}
}

// TestUsers: who has a right may use it and nothing else.
func TestUsers(t *testing.T) {
	ctx, k := startAs(t, Config{Topics: map[string]int32{"orders": 1, "clicks": 1}, Users: []User{
		{Mechanism: "SCRAM-SHA-256", Name: "u", Password: "p", ACLs: []ACL{AllowDescribeTopic("orders")}},
	}})
	if err := k.Produce(ctx, "orders", 1); err != nil {
		t.Fatal(err)
	}
	login := func(password string) kgo.Opt {
		return kgo.SASL(scram.Auth{User: "u", Pass: password}.AsSha256Mechanism())
	}
	if err := visitor(t, k).Ping(ctx); err == nil {
		t.Error("somebody came in without a login")
	}
	if err := visitor(t, k, login("wrong")).Ping(ctx); err == nil {
		t.Error("somebody came in with a wrong password")
	}
	ends, err := kadm.NewClient(visitor(t, k, login("p"))).ListEndOffsets(ctx, "orders", "clicks")
	if err != nil && !errors.Is(err, kerr.TopicAuthorizationFailed) || ends["orders"][0].Offset != 1 && err == nil {
		t.Errorf("%+v, %v", ends, err)
	}
	if err == nil && !errors.Is(ends["clicks"][0].Err, kerr.TopicAuthorizationFailed) {
		t.Errorf("a denied topic is shown: %+v", ends)
	}
}

// TestVersion: an old cluster does not know new requests.
func TestVersion(t *testing.T) {
	ctx, k := startAs(t, Config{Version: kversion.V2_8_0()})
	versions, err := k.Admin().ApiVersions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions.Sorted() {
		if max, _ := v.KeyMaxVersion(kmsg.OffsetFetch.Int16()); max != 7 { // 8 came with 3.0
			t.Errorf("OffsetFetch %d", max)
		}
	}
}

// TestBrokersGoWrong: dead ones refuse connections, cut ones take new ones, and
// those that hang take requests.
func TestBrokersGoWrong(t *testing.T) {
	ctx, k := startAs(t, Config{Topics: map[string]int32{"orders": 3}, Brokers: 3})
	for p := range int32(3) {
		if err := k.SetLeader("orders", p, p); err != nil || k.Leader("orders", p) != p {
			t.Fatal(err, k.Leader("orders", p))
		}
	}
	client := visitor(t, k)
	if err := client.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	ask := func(node int, d time.Duration) error {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		_, err := client.Broker(node).Request(ctx, kmsg.NewPtrListGroupsRequest())
		return err
	}
	if err := ask(1, time.Minute); err != nil {
		t.Fatal(err)
	}
	before := k.Connections()
	k.Disconnect()
	if err := ask(1, time.Minute); !errors.Is(err, io.EOF) && err != nil {
		if _, ok := errors.AsType[*net.OpError](err); !ok {
			t.Errorf("over a connection that was cut: %v", err)
		}
	}
	if err := ask(1, time.Minute); err != nil || k.Connections() == before {
		t.Errorf("over a new one: %v", err)
	}
	undo := k.Hang(2)
	if err := ask(2, 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a broker that hangs: %v", err)
	}
	undo()
	k.Kill(0)
	if err := ask(0, time.Minute); err == nil {
		t.Error("a dead broker answers")
	}
	if err := ask(1, time.Minute); err != nil {
		t.Errorf("another one: %v", err)
	}
}

// TestFaultsEnd: they happen until they are undone, or once, and what others say
// is not touched.
func TestFaultsEnd(t *testing.T) {
	ctx, k := startAs(t, Config{Topics: map[string]int32{"orders": 2}})
	ends := func() (errs [2]error) {
		all, err := k.Admin().ListEndOffsets(ctx, "orders")
		if err != nil {
			t.Fatal(err)
		}
		return [2]error{all["orders"][0].Err, all["orders"][1].Err}
	}
	fault := Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "orders", Partitions: []int32{1}, Err: kerr.UnknownServerError}
	undo := k.Fail(fault)
	for range 3 {
		if errs := ends(); errs[0] != nil || !errors.Is(errs[1], kerr.UnknownServerError) {
			t.Errorf("%v", errs)
		}
	}
	undo()
	if errs := ends(); errs != [2]error{} {
		t.Errorf("undone: %v", errs)
	}
	k.FailOnce(fault)
	if errs := ends(); errs[1] == nil {
		t.Errorf("once: %v", errs)
	}
	if errs := ends(); errs != [2]error{} {
		t.Errorf("twice: %v", errs)
	}
	k.RequestCounts()
	undo = k.Respond(kmsg.ListOffsets, func(node int32, r kmsg.Request) kmsg.Response { return r.ResponseKind() })
	if all, err := k.Admin().ListEndOffsets(ctx, "orders"); err != nil || len(all["orders"]) != 0 {
		t.Errorf("answered with nothing: %v, %v", all, err)
	}
	undo()
	ends()
	if got := k.RequestCounts()["ListOffsets"]; got != 2 {
		t.Errorf("%d requests", got)
	}
	if got := k.RequestCounts(); !reflect.DeepEqual(got, map[string]int{}) {
		t.Errorf("counted twice: %v", got)
	}
}

// TestProduceAt: the messages have the times that were given.
func TestProduceAt(t *testing.T) {
	ctx, k := startAs(t, Config{Topics: map[string]int32{"orders": 1}})
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if err := k.ProduceAt(ctx, "orders", 0, at, at.Add(time.Hour), at.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	after, err := k.Admin().ListOffsetsAfterMilli(ctx, at.Add(time.Minute).UnixMilli(), "orders")
	if got := after["orders"][0]; err != nil || got.Offset != 1 || got.Timestamp != at.Add(time.Hour).UnixMilli() {
		t.Errorf("%+v, %v", got, err)
	}
}

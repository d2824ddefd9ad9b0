package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestKillDisconnectHang sends requests to brokers that are dead, that closed the
// connection, or that hang.
func TestKillDisconnectHang(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 3}, Brokers: 3})
	for p := range int32(3) {
		must(t, k.SetLeader("orders", p, p))
		if got := k.Leader("orders", p); got != p {
			t.Fatalf("Leader of partition %d: got broker %d, want %d", p, got, p)
		}
	}
	client := newClient(t, k)
	must(t, client.Ping(ctx))
	request := func(node int, timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		_, err := client.Broker(node).Request(ctx, kmsg.NewPtrListGroupsRequest())
		return err
	}
	must(t, request(1, time.Minute))
	before := k.Connections()
	k.Disconnect()
	if err := request(1, time.Minute); !errors.Is(err, io.EOF) && err != nil {
		if _, ok := errors.AsType[*net.OpError](err); !ok {
			t.Errorf("Disconnect: got error %v, want a network error or none", err)
		}
	}
	if err := request(1, time.Minute); err != nil || k.Connections() == before {
		t.Errorf("after Disconnect: got error %v, %d connections; want a new one", err, k.Connections()-before)
	}
	undo := k.Hang(2)
	if err := request(2, 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Hang: got error %v, want %v", err, context.DeadlineExceeded)
	}
	undo()
	k.Kill(0)
	if err := request(0, time.Minute); err == nil {
		t.Error("Kill: got no error, want one")
	}
	if err := request(1, time.Minute); err != nil {
		t.Errorf("another broker after Kill: got error %v, want none", err)
	}
}

func TestFaultsEndWhenUndone(t *testing.T) {
	ctx, k := start(t, Config{Topics: map[string]int32{"orders": 2}})
	check := func(name string, wantErr bool) {
		t.Helper()
		ends, err := k.Admin().ListEndOffsets(ctx, "orders")
		must(t, err)
		if err := ends["orders"][0].Err; err != nil {
			t.Errorf("%s: partition 0: got error %v, want none", name, err)
		}
		if err := ends["orders"][1].Err; errors.Is(err, kerr.UnknownServerError) != wantErr {
			t.Errorf("%s: partition 1: got error %v, want one: %v", name, err, wantErr)
		}
	}
	fault := Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "orders", Partitions: []int32{1}, Err: kerr.UnknownServerError}
	undo := k.Fail(fault)
	for range 3 {
		check("Fail", true)
	}
	undo()
	check("Fail undone", false)
	k.FailOnce(fault)
	check("FailOnce", true)
	check("after FailOnce", false)
	k.RequestCounts()
	undo = k.Respond(kmsg.ListOffsets, func(_ int32, r kmsg.Request) kmsg.Response { return r.ResponseKind() })
	if ends, err := k.Admin().ListEndOffsets(ctx, "orders"); err != nil || len(ends["orders"]) != 0 {
		t.Errorf("Respond: got %v, error %v; want an empty response", ends, err)
	}
	undo()
	check("Respond undone", false)
	if got := k.RequestCounts()["ListOffsets"]; got != 2 {
		t.Errorf("RequestCounts: got %d ListOffsets, want 2", got)
	}
	if got := k.RequestCounts(); len(got) != 0 {
		t.Errorf("RequestCounts again: got %v, want none", got)
	}
}

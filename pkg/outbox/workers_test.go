package outbox_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/storetest"
)

// hangingChannel hangs until an attempt is cancelled.
func hangingChannel() *chartChannel {
	return &chartChannel{result: func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	}}
}

// TestAssignEndsWhenAllIntegrationsAreBusy has more integrations hang than due entries
// are read at a time.
func TestAssignEndsWhenAllIntegrationsAreBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var receivers []*outbox.Receiver
		for _, name := range numbered("ops", 500) {
			receivers = append(receivers, hangingChannel().receiver(name, 0))
		}
		e := newEnv(t, receivers...)
		e.notified = receivers
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var reads atomic.Int32
		e.store = storetest.Intercept(e.store, func(_ context.Context, op storetest.Op, do func() error) error {
			if op.Name == "Due" && reads.Add(1) > 100 {
				cancel()
			}
			return do()
		})
		e.reopen()
		workers := e.outbox.NewWorkers(t.Context(), outbox.NewServerBudget(ctx, ctx), time.Now, func() {})
		large := firing(time.Now(), strings.Repeat("x", 10<<10)) // 500 of them exceed what is read for small ones
		for _, group := range []string{"a", "b"} {
			e.enqueue(time.Now(), group, large)
			a, err := workers.Assign(ctx)
			if err != nil || a.Started != map[string]int{"a": 500, "b": 0}[group] {
				t.Errorf("group %s: got %d workers and error %v, want 500 for the first group and none for the second", group, a.Started, err)
			}
		}
		if ctx.Err() != nil {
			t.Errorf("got more than 100 reads of what is due, want a few")
		}
		cancel()
		if err := workers.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestOptionalMessagesOutlastAConflict has the commit of leases conflict while an
// integration that has nothing due could send its chart.
func TestOptionalMessagesOutlastAConflict(t *testing.T) {
	c, other := &chartChannel{}, &outboxtest.Channel{}
	e := newEnv(t, c.receiver("ops", 0), outboxtest.Receiver("other", "robot", other))
	conflicts := 0
	e.store = storetest.Intercept(e.store, func(_ context.Context, op storetest.Op, do func() error) error {
		if op.Name == "Commit" && conflicts > 0 {
			conflicts--
			return store.ErrConflict
		}
		return do()
	})
	e.reopen()
	ended := make(chan struct{}, 1)
	workers := e.outbox.NewWorkers(t.Context(), outbox.NewBudget(t.Context()), func() time.Time { return at(0) }, func() { ended <- struct{}{} })
	assign := func(want int) {
		t.Helper()
		a, err := workers.Assign(t.Context())
		if err != nil || a.Started != want {
			t.Fatalf("got %d workers and error %v, want %d", a.Started, err, want)
		}
		for range want {
			<-ended
		}
	}
	e.enqueue(at(0), "a", firing(at(0), "a"))
	assign(1)
	e.notified = e.config.Receivers[1:]
	e.enqueue(at(0), "b", firing(at(0), "b"))
	conflicts = 1
	assign(2)
	expectSent(t, &c.sent, "text: a", "chart: a")
	expectLines(t, other, "first notification:b;")
}

// TestOptionalMessagesOfABusyIntegration checks that charts which wait do not grow in
// number while an integration has texts to send.
func TestOptionalMessagesOfABusyIntegration(t *testing.T) {
	c := &chartChannel{}
	e := newEnv(t, c.receiver("ops", 0))
	for i, topic := range numbered("t", 100) {
		e.enqueue(at(float64(i)/100), topic, firing(at(0), topic))
	}
	expectSummary(t, e.tick(at(1)), summary{116, 0})
	if want := "chart: t099"; c.charts != 16 || c.sent[115] != want {
		t.Errorf("got %d charts, the last one %q, want the latest 16", c.charts, c.sent[115])
	}
}

// TestLeasedSizeIsBounded has a channel hang that would merge all that is due into a
// digest: what it holds meanwhile is bounded, also in memory.
func TestLeasedSizeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, hangingChannel().receiver("ops", 100))
		for _, group := range numbered("g", 30) {
			e.enqueue(time.Now(), group, firing(time.Now(), strings.Repeat("x", 500<<10)))
		}
		ctx, cancel := context.WithCancel(t.Context())
		workers := e.outbox.NewWorkers(t.Context(), outbox.NewServerBudget(ctx, ctx), time.Now, func() {})
		if _, err := workers.Assign(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n, size := leased(t, e.store); n != 8 || size > 4<<20 {
			t.Errorf("got %d notifications of %d bytes leased, want 8 of at most 4 MiB", n, size)
		}
		time.Sleep(8 * time.Second)
		if n, _ := leased(t, e.store); n != 1 {
			t.Errorf("got %d notifications leased after 9s, want the one that is being sent", n)
		}
		cancel()
		if err := workers.Wait(); err != nil {
			t.Error(err)
		}
		if n, _ := leased(t, e.store); n != 0 {
			t.Errorf("got %d notifications leased at the end, want none", n)
		}
	})
}

// leased returns how many notifications are leased, and their size in the store.
func leased(t *testing.T, st store.Store) (n, size int) {
	t.Helper()
	items, err := st.List(t.Context(), keyspace.Outbox, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if head, _, _ := strings.Cut(string(it.Value), "\n"); strings.Contains(head, `"holder":`) {
			n++
			size += len(it.Value)
		}
	}
	return n, size
}

// TestAttemptEndsWithItsLease has the store fail while a channel hangs: the attempt is
// cancelled before another instance may take over.
func TestAttemptEndsWithItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cancelled time.Time
		c := &chartChannel{messages: []string{"1/2", "2/2"}, result: func(ctx context.Context, _ string) error {
			<-ctx.Done()
			cancelled = time.Now()
			return &notify.Error{Class: notify.Retry, Message: "cancelled", Err: ctx.Err()}
		}}
		e := newEnv(t, c.receiver("ops", 0))
		var down atomic.Bool
		e.failing(func(op storetest.Op) bool { return down.Load() && op.Name == "Commit" })
		e.enqueue(at(0), "g", firing(at(0), "a"))
		began := time.Now()
		time.AfterFunc(time.Second, func() { down.Store(true) })
		if _, err := tick(t.Context(), e.outbox, at(0)); err == nil {
			t.Error("got no error, want the store's")
		}
		if took := cancelled.Sub(began); took < 15*time.Second || took >= 25*time.Second {
			t.Errorf("got the end of the attempt after %v, want it before the lease expires after 25s", took)
		}
	})
}

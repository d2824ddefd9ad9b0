package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/outbox"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// gate is a store whose commits wait until it opens. It counts them.
type gate struct {
	store.Store
	open    chan struct{}
	mu      sync.Mutex
	commits int
	fail    error
}

func (g *gate) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	select {
	case <-g.open:
	case <-ctx.Done():
		return ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.commits++
	if g.fail != nil {
		return g.fail
	}
	return g.Store.Commit(ctx, now, changes...)
}

// crowded has n calls at the same time bring an alert of their own each, the
// first with a context of its own, and opens the gate when all wait.
func crowded(t *testing.T, g *gate, n int, first context.Context) (*world, []error) {
	w := &world{t: t, store: g, receiver: []*outbox.Receiver{{Name: "ops", Integrations: []outbox.Integration{integration(&channel{}, "chat")}}}}
	w.restart(newRouteConfig("10s", "1m", "1h"))
	errs := make([]error, n)
	var calls sync.WaitGroup
	for i := range n {
		ctx := t.Context()
		if i == 0 && first != nil {
			ctx = first
		}
		calls.Go(func() {
			errs[i] = w.engine.Ingest(ctx, at(float64(i)), lagAlerts(at(0), false, fmt.Sprintf("t%02d", i)))
		})
		synctest.Wait()
	}
	close(g.open)
	calls.Wait()
	return w, errs
}

// Calls that wait go into the store together: the first alone, the others after
// it in one commit.
func TestCallsShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{Store: memory.New(), open: make(chan struct{})}
		w, errs := crowded(t, g, 20, nil)
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		// The first call's carriage had left when the second came.
		if g.commits != 2 {
			t.Errorf("20 calls took %d commits, want 2", g.commits)
		}
		all, err := w.engine.Alerts(t.Context(), at(30))
		if err != nil || len(all) != 20 {
			t.Errorf("%d alerts are in, %v", len(all), err)
		}
		for _, a := range all {
			var i float64
			fmt.Sscanf(a.Labels["topic"], "t%f", &i)
			if !a.UpdatedAt.Equal(at(i)) {
				t.Errorf("%s came at %v, want %v", a.Labels["topic"], a.UpdatedAt, at(i))
			}
		}
	})
}

// That the store is away is told to all who wait.
func TestCallsShareAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{Store: memory.New(), open: make(chan struct{}), fail: store.ErrUnavailable}
		_, errs := crowded(t, g, 5, nil)
		for i, err := range errs {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("call %d: %v", i, err)
			}
		}
		if g.commits != 2 {
			t.Errorf("%d commits were tried, want 2", g.commits)
		}
	})
}

// picky is a store that takes anything but one key, as when an alert is larger
// than a value may be.
type picky struct {
	store.Store
	not string
}

func (p picky) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	for _, c := range changes {
		if c.Key == p.not {
			return errors.New("the value is too large")
		}
	}
	return p.Store.Commit(ctx, now, changes...)
}

// What one call brings can be the fault of that one only.
func TestCallsDoNotShareFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := "alert/" + lagAlerts(at(0), false, "t03")[0].Fingerprint().String()
		_, errs := crowded(t, &gate{Store: picky{memory.New(), bad}, open: make(chan struct{})}, 6, nil)
		for i, err := range errs {
			if (err != nil) != (i == 3) {
				t.Errorf("call %d: %v", i, err)
			}
		}
	})
}

// A call whose time is over takes nobody with it.
func TestCallsDoNotShareDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		g := &gate{Store: m, open: make(chan struct{})}
		first, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		w := &world{t: t, store: g, receiver: []*outbox.Receiver{{Name: "ops"}}}
		w.restart(newRouteConfig("10s", "1m", "1h"))
		var calls sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			ctx := t.Context()
			if i < 2 { // the first is being served when its time is over; the second waits
				ctx = first
			}
			calls.Go(func() { errs[i] = w.engine.Ingest(ctx, at(0), lagAlerts(at(0), false, fmt.Sprintf("t%d", i))) })
			synctest.Wait()
		}
		time.Sleep(2 * time.Second) // virtual: the first two give up
		close(g.open)
		calls.Wait()
		for i, err := range errs {
			if (err != nil) != (i < 2) {
				t.Errorf("call %d: %v", i, err)
			}
		}
	})
}

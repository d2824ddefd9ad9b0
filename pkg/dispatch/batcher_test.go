package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

// concurrentIngests is several calls of Ingest that wait for the store at the same
// time. The first one commits when the store is opened; the others share the next
// commit.
type concurrentIngests struct {
	*env
	// contexts are those of the first calls; the others have the test's.
	contexts []context.Context
	// fail is the result of commits; nil commits.
	fail func(changes []store.Change) error

	open    chan struct{} // closed when the store is available
	calls   sync.WaitGroup
	commits int
	errs    []error
}

func newConcurrentIngests(t *testing.T) *concurrentIngests {
	t.Helper()
	c := &concurrentIngests{open: make(chan struct{})}
	c.env, _ = newChannelEnv(t, newRoute("10s", "1m", "1h"))
	var mu sync.Mutex
	c.intercept(func(ctx context.Context, op storetest.Op, do func() error) error {
		if op.Name != "Commit" {
			return do()
		}
		select {
		case <-c.open:
		case <-ctx.Done():
			return ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		c.commits++
		if c.fail != nil {
			if err := c.fail(op.Changes); err != nil {
				return err
			}
		}
		return do()
	})
	return c
}

// start starts n calls, one after another, each with one alert. Call finish then.
func (c *concurrentIngests) start(n int) {
	c.errs = make([]error, n)
	for i := range n {
		ctx := c.t.Context()
		if i < len(c.contexts) {
			ctx = c.contexts[i]
		}
		c.calls.Go(func() { c.errs[i] = c.engine.Ingest(ctx, at(float64(i)), lagAlerts(at(0), fmt.Sprintf("t%02d", i))) })
		synctest.Wait()
	}
}

// finish opens the store and waits for all calls.
func (c *concurrentIngests) finish() {
	close(c.open)
	c.calls.Wait()
}

func TestConcurrentIngestsShareACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConcurrentIngests(t)
		c.start(20)
		c.finish()
		if err := errors.Join(c.errs...); err != nil {
			t.Fatalf("got %v, want no error", err)
		}
		if c.commits != 2 {
			t.Errorf("got %d commits of 20 calls, want 2", c.commits)
		}
		alerts, err := c.engine.Alerts(t.Context(), at(30))
		if err != nil || len(alerts) != 20 {
			t.Errorf("got %d alerts and %v, want 20", len(alerts), err)
		}
		for _, a := range alerts {
			var i float64
			fmt.Sscanf(a.Labels["topic"], "t%f", &i)
			if !a.UpdatedAt.Equal(at(i)) {
				t.Errorf("%s: UpdatedAt: got %v, want that of its call, %v", a.Labels["topic"], a.UpdatedAt, at(i))
			}
		}
	})
}

func TestConcurrentIngestsShareAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConcurrentIngests(t)
		c.fail = func([]store.Change) error { return store.ErrUnavailable }
		c.start(5)
		c.finish()
		for i, err := range c.errs {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("call %d: got %v, want %v", i, err, store.ErrUnavailable)
			}
		}
		if c.commits != 2 {
			t.Errorf("got %d commits, want 2", c.commits)
		}
	})
}

// TestConcurrentIngestsDoNotShareFaults has the store reject one call's alert, as
// when it is larger than a value may be.
func TestConcurrentIngestsDoNotShareFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rejected := "alert/" + lagAlerts(at(0), "t03")[0].Fingerprint().String()
		c := newConcurrentIngests(t)
		c.fail = func(changes []store.Change) error {
			for _, change := range changes {
				if change.Key == rejected {
					return errors.New("the value is too large")
				}
			}
			return nil
		}
		c.start(6)
		c.finish()
		for i, err := range c.errs {
			if (err != nil) != (i == 3) {
				t.Errorf("call %d: got %v, want an error of call 3 only", i, err)
			}
		}
	})
}

// TestConcurrentIngestsDoNotShareDeadlines has the contexts of the first call, which
// is committing, and of the second, which waits, end.
func TestConcurrentIngestsDoNotShareDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newConcurrentIngests(t)
		c.contexts = []context.Context{ctx, ctx}
		c.start(4)
		cancel()
		synctest.Wait()
		c.finish()
		for i, err := range c.errs {
			if (err != nil) != (i < 2) {
				t.Errorf("call %d: got %v, want an error of calls 0 and 1 only", i, err)
			}
		}
	})
}

package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/dispatch"
	"tocsin/pkg/store"
	"tocsin/pkg/store/bolt"
	"tocsin/pkg/store/memory"
)

// mortal is a store whose user dies at a chosen operation: that one and all
// later ones fail. A commit at which it dies was either applied or not.
type mortal struct {
	store.Store
	mu      sync.Mutex // held by the operation that goes on
	left    int
	applied bool
}

var errKilled = fmt.Errorf("killed: %w", store.ErrUnavailable)

func (m *mortal) dies() bool { m.left--; return m.left < 0 }

func (m *mortal) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dies() {
		return nil, errKilled
	}
	return m.Store.Get(ctx, keys...)
}

func (m *mortal) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dies() {
		return nil, errKilled
	}
	return m.Store.List(ctx, prefix, after, limit)
}

func (m *mortal) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dies() {
		return nil, errKilled
	}
	return m.Store.Due(ctx, kind, now, limit)
}

func (m *mortal) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dies() {
		if m.left == -1 && m.applied {
			if err := m.Store.Commit(ctx, now, changes...); err != nil {
				return err
			}
		}
		return errKilled
	}
	return m.Store.Commit(ctx, now, changes...)
}

// The process is killed at every store operation in turn, and another goes on.
// Whatever was taken in is said, and its end too; a message comes twice only when
// the kill fell between its sending and the record of it.
func TestKilledAtEveryOperation(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		killedAtEveryOperation(t, func() (a, b store.Store) {
			m := memory.New()
			return m, m
		})
	})
	t.Run("bolt", func(t *testing.T) {
		files := 0
		killedAtEveryOperation(t, func() (a, b store.Store) {
			files++
			m, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), fmt.Sprint(files)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { m.Close() })
			return m, m
		})
	})
	t.Run("redis", func(t *testing.T) {
		server := newRedis(t)
		a, b := server.open(), server.open()
		killedAtEveryOperation(t, func() (store.Store, store.Store) {
			server.empty()
			return a, b
		})
	})
}

// killedAtEveryOperation plays on empty stores, which are two ways to the same
// items: for the process that is killed and for the one that goes on.
func killedAtEveryOperation(t *testing.T, empty func() (a, b store.Store)) {
	for _, applied := range []bool{false, true} {
		for ops := 0; ; ops++ {
			c := &channel{}
			r := newRouteConfig("0s", "1m", "1h")
			w := newWorld(t, r, oneReceiver(c))
			doomed, durable := empty()
			w.store = &mortal{Store: doomed, left: ops, applied: applied}
			w.restart(r)

			killed := false
			// run does what a function's invocation does, and does it again in
			// another process when the first was killed.
			run := func(now time.Time, over bool) {
				step := func() error {
					err := w.engine.Ingest(t.Context(), now, lagAlerts(now, over, "a", "b"))
					if err == nil {
						_, err = w.engine.Tick(t.Context(), now)
					}
					return err
				}
				err := step()
				if errors.Is(err, errKilled) {
					killed = true
					w.store = durable
					w.restart(r)
					now = now.Add(4 * time.Minute) // the lease of a send that was cut off has run out
					err = step()
				}
				if err != nil {
					t.Fatalf("operation %d: %v", ops, err)
				}
			}
			run(at(0), false)
			run(at(600), false)
			first := c.heard()
			run(at(1200), true)
			run(at(1800), true)
			last := c.heard()

			if n := count(first, "first notification:a,b;"); n < 1 || n > 2 || n != len(first) {
				t.Fatalf("killed at operation %d (applied: %v): heard %q", ops, applied, first)
			}
			if n := count(last, "all alerts resolved:;a,b"); n < 1 || n > 2 || n != len(last) {
				t.Fatalf("killed at operation %d (applied: %v): at the end heard %q", ops, applied, last)
			}
			if !killed {
				if ops < 10 || len(first) != 1 || len(last) != 1 {
					t.Fatalf("without a kill, after %d operations: heard %q and %q", ops, first, last)
				}
				break
			}
		}
	}
}

func count(lines []string, line string) (n int) {
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}

// The same while 25 groups become a digest: none of them is lost, and none is
// said more than twice.
func TestKilledWhileMerging(t *testing.T) {
	topics := numbered("t", 25)
	for _, applied := range []bool{false, true} {
		for ops := 0; ; ops++ {
			c := &channel{}
			w := newWorld(t, byTopic(), paced(c))
			durable := w.store
			w.store = &mortal{Store: durable, left: ops, applied: applied}
			w.restart(byTopic())
			now := at(0)
			err := w.engine.Ingest(t.Context(), now, lagAlerts(now, false, topics...))
			if err == nil {
				_, err = w.engine.Tick(t.Context(), now)
			}
			killed := errors.Is(err, errKilled)
			if err != nil && !killed {
				t.Fatal(err)
			}
			w.store = durable
			w.restart(byTopic())
			for minute := 4; minute <= 12; minute += 2 {
				w.fire(at(float64(60*minute)), topics...)
				w.tick(at(float64(60 * minute)))
			}
			said := map[string]int{}
			for _, n := range c.said {
				for _, a := range n.Alerts {
					said[a.Labels["topic"]]++
				}
			}
			for _, topic := range topics {
				if n := said[topic]; n < 1 || n > 2 {
					t.Fatalf("killed at operation %d (applied: %v): %s was said %d times", ops, applied, topic, n)
				}
			}
			if !killed {
				if len(c.said) != 1 {
					t.Errorf("without a kill there were %d messages, want 1", len(c.said))
				}
				break
			}
		}
	}
}

// Several instances take in and tick at the same time: together they say what one
// would, once.
func TestInstancesShareTheWork(t *testing.T) {
	c := &channel{}
	w := newWorld(t, byTopic(), oneReceiver(c))
	topics := numbered("t", 40)
	var engines []*dispatch.Engine
	for range 4 {
		w.restart(byTopic())
		engines = append(engines, w.engine)
	}
	for round := range 3 {
		now := at(float64(300 * round))
		var wg sync.WaitGroup
		for _, e := range engines {
			wg.Go(func() {
				if err := e.Ingest(t.Context(), now, lagAlerts(now, round == 2, topics...)); err != nil {
					t.Error(err)
				}
				if _, err := e.Tick(t.Context(), now); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		w.tick(now) // whatever was left to the others
		got := c.heard()
		want := []int{40, 0, 40}[round]
		if len(got) != want {
			t.Errorf("round %d: %d messages, want %d", round, len(got), want)
		}
	}
}

// intruded is a store in which something is written before each of the next
// commits.
type intruded struct {
	store.Store
	before []func()
}

func (s *intruded) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if len(s.before) > 0 {
		intrude := s.before[0]
		s.before = s.before[1:]
		intrude()
	}
	return s.Store.Commit(ctx, now, changes...)
}

// An alert that comes into a group while it is being flushed is said by this
// flush or the next, and delays nobody until the next tick.
func TestAlertMeetsFlush(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(c))
	other := w.engine
	s := &intruded{Store: w.store}
	w.store = s
	w.restart(newRouteConfig("0s", "1m", "1h"))
	w.fire(at(0), "a")
	for _, topic := range []string{"b", "c", "d"} {
		s.before = append(s.before, func() {
			if err := other.Ingest(t.Context(), at(0), lagAlerts(at(0), false, topic)); err != nil {
				t.Error(err)
			}
		})
	}
	w.tick(at(0))
	w.expect(c, "first notification:a,b,c,d;")
}

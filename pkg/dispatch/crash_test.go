package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/dispatch"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
	"tocsin/pkg/store/bolt"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/redis/redistest"
	"tocsin/pkg/store/storetest"
)

var errKilled = fmt.Errorf("killed: %w", store.ErrUnavailable)

// killedAt returns s as a process sees it that is killed at an operation: that one
// and all later ones fail. If it is a commit, applied is whether it takes effect.
func killedAt(s store.Store, operation int, applied bool) store.Store {
	var mu sync.Mutex
	left := operation
	return storetest.Intercept(s, func(_ context.Context, op storetest.Op, do func() error) error {
		mu.Lock()
		defer mu.Unlock()
		left--
		if left >= 0 {
			return do()
		}
		if left == -1 && applied && op.Name == "Commit" {
			if err := do(); err != nil {
				return err
			}
		}
		return errKilled
	})
}

// forEachKill calls run for a kill at each operation, with and without the commit
// applied, until run reports that the process was not killed.
func forEachKill(run func(operation int, applied bool) (killed bool)) {
	for _, applied := range []bool{false, true} {
		for operation := 0; run(operation, applied); operation++ {
		}
	}
}

// TestKilledAtEveryOperation kills the process at each store operation in turn, and
// another goes on. Every alert is notified, firing and resolved; twice only if the
// kill is between a send and its record.
func TestKilledAtEveryOperation(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		testKilledAtEveryOperation(t, func() (a, b store.Store) {
			m := memory.New()
			return m, m
		})
	})
	t.Run("bolt", func(t *testing.T) {
		files := 0
		testKilledAtEveryOperation(t, func() (a, b store.Store) {
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
		server := redistest.Start(t)
		a, b := openRedis(t, server.URL()), openRedis(t, server.URL())
		testKilledAtEveryOperation(t, func() (store.Store, store.Store) {
			server.MustCommand("FLUSHALL")
			return a, b
		})
	})
}

// testKilledAtEveryOperation gets, from empty, the same empty store for the process
// that is killed and for the one that goes on.
func testKilledAtEveryOperation(t *testing.T, empty func() (a, b store.Store)) {
	forEachKill(func(operation int, applied bool) (killed bool) {
		e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
		doomed, durable := empty()
		e.store = killedAt(doomed, operation, applied)
		e.reopen(*e.config.Route)
		// run ingests and ticks, as an invocation of a function does, and does it again
		// in another process if the first was killed.
		run := func(now time.Time, resolved bool) {
			invoke := func() error {
				alerts := lagAlerts(now, "a", "b")
				if resolved {
					alerts = resolvedAlerts(now, "a", "b")
				}
				err := e.engine.Ingest(t.Context(), now, alerts)
				if err == nil {
					_, err = e.engine.Tick(t.Context(), now)
				}
				return err
			}
			err := invoke()
			if errors.Is(err, errKilled) {
				killed = true
				e.store = durable
				e.reopen(*e.config.Route)
				now = now.Add(4 * time.Minute) // the leases have expired
				err = invoke()
			}
			if err != nil {
				t.Fatalf("killed at operation %d: got %v, want no error", operation, err)
			}
		}
		run(at(0), false)
		run(at(600), false)
		firing := c.TakeLines()
		run(at(1200), true)
		run(at(1800), true)
		resolved := c.TakeLines()

		most := 2
		if !killed {
			most = 1
			if operation < 10 {
				t.Errorf("got %d operations, want at least 10 for this test to mean something", operation)
			}
		}
		if n := count(firing, "first notification:a,b;"); n < 1 || n > most || n != len(firing) {
			t.Fatalf("killed at operation %d (applied: %v): notified: got %q, want the first notification", operation, applied, firing)
		}
		if n := count(resolved, "all alerts resolved:;a,b"); n < 1 || n > most || n != len(resolved) {
			t.Fatalf("killed at operation %d (applied: %v): notified: got %q, want the resolution", operation, applied, resolved)
		}
		return killed
	})
}

// TestKilledWhileMoving kills the process at each store operation after the configuration
// has changed, and another goes on. Nothing is notified again, and the end of each alert
// once: twice only if the kill is between a send and its record.
func TestKilledWhileMoving(t *testing.T) {
	byTopic := newRoute("0s", "1m", "1h")
	byTopic.GroupBy = []string{"alertname", "topic"}
	byTopic.Routes = []*route.Config{{Receiver: "ops", Matchers: []string{"topic=z"}}}
	for _, ended := range []bool{false, true} {
		t.Run(fmt.Sprintf("alerts ended before: %v", ended), func(t *testing.T) {
			forEachKill(func(operation int, applied bool) (killed bool) {
				e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
				durable := e.store
				e.fire(at(0), "a", "b")
				e.tick(at(0))
				expectLines(t, c, "first notification:a,b;")
				if ended {
					e.resolve(at(30), "a", "b")
				}
				e.store = killedAt(durable, operation, applied)
				e.reopen(byTopic)
				run := func() error {
					err := e.engine.Restart(t.Context(), at(60))
					for s := 60.0; s <= 180 && err == nil; s += 60 {
						_, err = e.engine.Tick(t.Context(), at(s))
					}
					return err
				}
				killed = run() != nil
				e.store = durable
				e.reopen(byTopic)
				after := c.TakeLines()
				if !ended && len(after) > 0 {
					t.Fatalf("killed at operation %d (applied: %v): got %q, want nothing again", operation, applied, after)
				}
				for s := 600.0; s <= 1200; s += 60 { // the leases have expired
					if s == 660 && !ended {
						e.resolve(at(s), "a", "b")
					}
					e.tick(at(s))
				}
				ends := map[string]int{}
				for _, line := range append(after, c.TakeLines()...) {
					reason, topics, _ := strings.Cut(line, ":;")
					if reason != "all alerts resolved" {
						t.Fatalf("killed at operation %d (applied: %v): got %q, want resolved alerts only", operation, applied, line)
					}
					for topic := range strings.SplitSeq(topics, ",") {
						ends[topic]++
					}
				}
				most := 1
				if killed && ended {
					most = 2
				}
				if a, b := ends["a"], ends["b"]; a < 1 || a > most || b < 1 || b > most {
					t.Fatalf("killed at operation %d (applied: %v): got %v ends, want one of each, %d at most", operation, applied, ends, most)
				}
				if next := e.nextDue(); !next.IsZero() {
					t.Fatalf("killed at operation %d (applied: %v): got work due at %v, want none", operation, applied, next.Sub(t0))
				}
				return killed
			})
		})
	}
}

// TestKilledWhileMerging kills the process while 25 groups become a digest. Each is
// notified, at most twice.
func TestKilledWhileMerging(t *testing.T) {
	topics := numbered("t", 25)
	forEachKill(func(operation int, applied bool) (killed bool) {
		c := &outboxtest.Channel{}
		root := newRouteByTopic()
		e := newEnv(t, root, outboxtest.WithQuota(outboxtest.Receiver("ops", "robot", c), 20, time.Minute))
		durable := e.store
		e.store = killedAt(durable, operation, applied)
		e.reopen(root)
		err := e.engine.Ingest(t.Context(), at(0), lagAlerts(at(0), topics...))
		if err == nil {
			_, err = e.engine.Tick(t.Context(), at(0))
		}
		if killed = errors.Is(err, errKilled); err != nil && !killed {
			t.Fatal(err)
		}
		e.store = durable
		e.reopen(root)
		for minute := 4; minute <= 12; minute += 2 {
			now := at(float64(60 * minute))
			e.fire(now, topics...)
			e.tick(now)
		}
		notified := map[string]int{}
		messages := c.Take()
		for _, n := range messages {
			for _, a := range n.Alerts {
				notified[a.Labels["topic"]]++
			}
		}
		for _, topic := range topics {
			if n := notified[topic]; n < 1 || n > 2 {
				t.Fatalf("killed at operation %d (applied: %v): %s: got %d notifications, want 1 or 2", operation, applied, topic, n)
			}
		}
		if !killed && len(messages) != 1 {
			t.Errorf("without a kill: got %d messages, want 1", len(messages))
		}
		return killed
	})
}

// TestInstancesShareTheWork has several instances ingest the same alerts and tick
// concurrently: together they notify once.
func TestInstancesShareTheWork(t *testing.T) {
	e, c := newChannelEnv(t, newRouteByTopic())
	topics := numbered("t", 40)
	var engines []*dispatch.Engine
	for range 4 {
		e.reopen(newRouteByTopic())
		engines = append(engines, e.engine)
	}
	for round, want := range []int{40, 0, 40} {
		now := at(float64(300 * round))
		alerts := lagAlerts(now, topics...)
		if round == 2 {
			alerts = resolvedAlerts(now, topics...)
		}
		var instances sync.WaitGroup
		for _, engine := range engines {
			instances.Go(func() {
				if err := engine.Ingest(t.Context(), now, alerts); err != nil {
					t.Errorf("ingest: got %v, want no error", err)
				}
				if _, err := engine.Tick(t.Context(), now); err != nil {
					t.Errorf("tick: got %v, want no error", err)
				}
			})
		}
		instances.Wait()
		e.tick(now) // what each left to the others
		if got := len(c.Take()); got != want {
			t.Errorf("round %d: got %d notifications, want %d", round, got, want)
		}
	}
}

// TestAlertsJoinWhileFlushing has an alert join a group before each of the first
// commits of a tick. The tick notifies of all of them.
func TestAlertsJoinWhileFlushing(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
	other := e.engine
	var late []string
	e.intercept(func(ctx context.Context, op storetest.Op, do func() error) error {
		if op.Name == "Commit" && len(late) > 0 {
			topic := late[0]
			late = late[1:]
			if err := other.Ingest(ctx, at(0), lagAlerts(at(0), topic)); err != nil {
				t.Errorf("ingest: got %v, want no error", err)
			}
		}
		return do()
	})
	e.fire(at(0), "a")
	late = []string{"b", "c", "d"}
	e.tick(at(0))
	expectLines(t, c, "first notification:a,b,c,d;")
}

// outageTest has two engines ingest and notify three alerts, while something happens
// to the first one's store.
type outageTest struct {
	first, second store.Store
	// repair is called when an engine has got an error.
	repair func()
}

// run returns what is wrong with what was notified, "" if nothing.
func (o outageTest) run(t *testing.T) string {
	t.Helper()
	e, c := newChannelEnv(t, newRouteByTopic())
	open := func(s store.Store) *dispatch.Engine {
		e.store = s
		e.reopen(newRouteByTopic())
		return e.engine
	}
	a, b := open(o.first), open(o.second)
	errs := 0
	// retry calls until there is no error, each time with the deadline of a caller.
	retry := func(call func(ctx context.Context) error) {
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := call(ctx)
			cancel()
			if err == nil {
				return
			}
			if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v, want %v or a timeout", err, store.ErrUnavailable)
			}
			if errs++; errs > 20 {
				t.Fatalf("after 20 repairs: got %v, want no error", err)
			}
			o.repair()
		}
	}
	topics := []string{"x", "y", "z"}
	for i, engine := range []*dispatch.Engine{a, b, a} {
		now := at(float64(60 * i))
		retry(func(ctx context.Context) error { return engine.Ingest(ctx, now, lagAlerts(now, topics[i])) })
		retry(func(ctx context.Context) error { _, err := engine.Tick(ctx, now); return err })
	}
	for i, engine := range []*dispatch.Engine{b, a, b} {
		now := at(float64(600 * (i + 1))) // the leases have expired
		retry(func(ctx context.Context) error { _, err := engine.Tick(ctx, now); return err })
	}
	got := c.TakeLines()
	for _, topic := range topics {
		if n := count(got, "first notification:"+topic+";"); n < 1 || n > 2 || errs == 0 && n != 1 {
			return fmt.Sprintf("%s: got %d notifications, want 1, or 2 after an error: %q", topic, n, got)
		}
	}
	if len(got) > len(topics)+1 {
		return fmt.Sprintf("got %d notifications, want only what was in flight twice: %q", len(got), got)
	}
	return ""
}

package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/host"
	"tocsin/pkg/store"
	"tocsin/pkg/store/bolt"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/storetest"
)

// crashingStore is a store, and an Ingest, of an instance that is killed at its
// n-th operation: this one and all later ones fail. With applied the operation at
// which it is killed still takes effect.
type crashingStore struct {
	store.Store
	alerts    *alertRecorder
	remaining int
	applied   bool
}

var errKilled = fmt.Errorf("killed: %w", store.ErrUnavailable)

func (s *crashingStore) call(do func() error) error {
	s.remaining--
	if s.remaining >= 0 || s.remaining == -1 && s.applied {
		if err := do(); err != nil {
			return err
		}
	}
	if s.remaining < 0 {
		return errKilled
	}
	return nil
}

func (s *crashingStore) Get(ctx context.Context, keys ...string) (items []store.Item, err error) {
	err = s.call(func() error { items, err = s.Store.Get(ctx, keys...); return err })
	return items, err
}

func (s *crashingStore) List(ctx context.Context, prefix, after string, limit int) (items []store.Item, err error) {
	err = s.call(func() error { items, err = s.Store.List(ctx, prefix, after, limit); return err })
	return items, err
}

func (s *crashingStore) Due(ctx context.Context, kind string, now time.Time, limit int) (items []store.Item, err error) {
	err = s.call(func() error { items, err = s.Store.Due(ctx, kind, now, limit); return err })
	return items, err
}

func (s *crashingStore) NextDue(ctx context.Context, kinds ...string) (next time.Time, err error) {
	err = s.call(func() error { next, err = s.Store.NextDue(ctx, kinds...); return err })
	return next, err
}

func (s *crashingStore) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	return s.call(func() error { return s.Store.Commit(ctx, now, changes...) })
}

func (s *crashingStore) Ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	return s.call(func() error { return s.alerts.Ingest(ctx, now, alerts) })
}

// crashStep is a report with a CPU usage, or a check if the usage is negative.
type crashStep struct {
	seconds, usage float64
	firing         string // afterwards
}

// crashSteps make a host busy, offline, online again, and idle.
var crashSteps = []crashStep{
	{0, 50, "[]"},
	{10, 95, "[HostCPUHigh web-1 10]"},
	{20, -1, "[HostCPUHigh web-1 10]"},
	{25, 96, "[HostCPUHigh web-1 10]"},
	{85, -1, "[HostCPUHigh web-1 10 HostOffline web-1 25]"},
	{140, -1, "[HostCPUHigh web-1 10 HostOffline web-1 25]"},
	{150, 97, "[HostCPUHigh web-1 10 HostOffline web-1 25]"},
	{155, -1, "[HostCPUHigh web-1 10]"},
	{160, 50, "[]"},
	{170, -1, "[]"},
	{220, -1, "[HostOffline web-1 160]"},
	{225, 99, "[HostCPUHigh web-1 225 HostOffline web-1 160]"},
	{230, -1, "[HostCPUHigh web-1 225]"},
	{235, 10, "[]"},
	{240, -1, "[]"},
}

func (e *testEnv) run(s crashStep) error {
	if s.usage < 0 {
		_, err := e.watcher.Check(e.t.Context(), at(s.seconds))
		return err
	}
	_, err := e.registry.Report(e.t.Context(), at(s.seconds), "web-1", host.Report{
		Service: "LinuxCPU", Data: json.RawMessage(cpu(s.usage)),
	})
	return err
}

// An instance may be killed at any operation, before or after it takes effect:
// when the next instance repeats the step, all alerts are as if nothing had
// happened.
func TestKilledAtEveryOperation(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		testKilledAtEveryOperation(t, func() store.Store { return memory.New() })
	})
	t.Run("bolt", func(t *testing.T) {
		files := 0
		testKilledAtEveryOperation(t, func() store.Store {
			files++
			st, err := bolt.Open(t.Context(), filepath.Join(t.TempDir(), fmt.Sprint(files)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { st.Close() })
			return st
		})
	})
}

func testKilledAtEveryOperation(t *testing.T, newStore func() store.Store) {
	c := newConfig("web-1")
	c.Rules = []host.Rule{cpuHigh()}
	for _, applied := range []bool{false, true} {
		for n, killed := 0, true; killed; n++ {
			killed = false
			e := newTestEnv(t, c)
			e.store = newStore()
			e.reload(c)
			s := &crashingStore{Store: e.store, alerts: e.alerts, remaining: n, applied: applied}
			e.registry.Store, e.watcher.Store, e.registry.Ingest, e.watcher.Ingest = s, s, s.Ingest, s.Ingest
			for _, step := range crashSteps {
				err := e.run(step)
				if errors.Is(err, errKilled) && !killed {
					killed = true
					e.reload(c) // another instance
					err = e.run(step)
				}
				if err != nil {
					t.Fatalf("killed at operation %d (applied: %v), at %v: got %v, want nil", n, applied, step.seconds, err)
				}
				if got := fmt.Sprint(e.alerts.firing(step.seconds)); got != step.firing {
					t.Fatalf("killed at operation %d (applied: %v), at %v: got firing %s, want %s", n, applied, step.seconds, got, step.firing)
				}
			}
			if !killed && n < 40 {
				t.Fatalf("got %d operations in all, want 40 or more", n)
			}
		}
	}
}

// interceptedStore calls before once, ahead of the next commit.
type interceptedStore struct {
	store.Store
	before func()
}

func (s *interceptedStore) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.Commit(ctx, now, changes...)
}

// beforeSecondCommit calls do ahead of the second commit of a check: the first one
// records the check.
func (s *interceptedStore) beforeSecondCommit(do func()) {
	s.before = func() { s.before = do }
}

// A host that reports while a check finds it offline stays online, and the others
// go offline.
func TestReportDuringCheck(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1", "web-2", "web-3"))
	e.check(0)
	e.report(0, "web-1", "web-2", "web-3")
	e.check(59)
	s := &interceptedStore{Store: e.store}
	e.watcher.Store = s
	s.beforeSecondCommit(func() { e.report(60, "web-2") })
	e.wantCheck(60, "HostOffline web-1 0", "HostOffline web-3 0")
	// The same while a check finds it online again.
	e.report(61, "web-1")
	s.beforeSecondCommit(func() { e.report(62, "web-1") })
	e.wantCheck(62, "HostOffline web-1 0-61", "HostOffline web-3 0")
	e.wantCheck(63, "HostOffline web-3 0")
}

// Of two concurrent reports of a host both are accepted.
func TestConcurrentReports(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1"))
	e.registry.Store = &interceptedStore{Store: e.store, before: func() {
		e.registry.Store = e.store
		e.send(2, "web-1", host.Report{Service: "LinuxMemory", Data: json.RawMessage(`{"used_percent": 5}`)})
	}}
	e.report(1, "web-1")
	s, err := e.registry.Status(t.Context(), at(3), anonymous, "web-1")
	if err != nil {
		t.Fatal(err)
	}
	cpu, memory := string(s.Services["LinuxCPU"].Data), string(s.Services["LinuxMemory"].Data)
	if !s.LastReport.Equal(at(2)) || cpu != `{"usage_percent":12.5}` || memory != `{"used_percent":5}` {
		t.Errorf("got last report %v, %s, %s, want %v and both values", s.LastReport, cpu, memory, at(2))
	}
}

// Two instances that check at the same time raise an alert once and end it once.
func TestConcurrentChecks(t *testing.T) {
	e := newTestEnv(t, newConfig("web-1"))
	e.check(0)
	e.report(0, "web-1")
	s := &interceptedStore{Store: e.store}
	first, second := *e.watcher, *e.watcher
	first.Store = s
	checkBoth := func(seconds float64) {
		t.Helper()
		s.beforeSecondCommit(func() {
			if _, err := second.Check(t.Context(), at(seconds)); err != nil {
				t.Errorf("second: got %v, want nil", err)
			}
		})
		if _, err := first.Check(t.Context(), at(seconds)); err != nil {
			t.Errorf("first: got %v, want nil", err)
		}
	}
	checkBoth(60)
	e.wantReceived(60, "HostOffline web-1 0")
	e.report(65, "web-1")
	checkBoth(70)
	e.wantFiring(70)
	e.alerts.takeReceived()
	e.wantCheck(75)
}

// An item that cannot be read affects only itself.
func TestUnreadableItems(t *testing.T) {
	e := newTestEnv(t, newConfig("bad", "good", "worse"))
	e.check(0)
	e.report(0, "bad", "good", "worse")
	for key, due := range map[string]time.Time{"host/bad": at(60), "host_offline/worse": {}, "host_over/bad/LinuxCPU": {}, "host_value/good/LinuxCPU": {}, "meta/host_check": {}} {
		if err := e.store.Commit(t.Context(), at(1), store.Change{Key: key, Value: []byte("{"), Due: due}); err != nil {
			t.Fatal(err)
		}
	}
	e.wantCheck(60, "HostOffline good 0", "HostOffline worse 0")
	e.report(70, "bad", "good", "worse")
	e.wantCheck(70, "HostOffline good 0-70", "HostOffline worse 0-70")
	e.wantCheck(130, "HostOffline bad 70", "HostOffline good 70", "HostOffline worse 70")
}

// The same for items that the store cannot decode.
func TestUndecodableItems(t *testing.T) {
	c := newConfig("bad", "good", "worse")
	c.Register = &host.Register{Tokens: []string{"register"}, Groups: []string{"web"}}
	e := newTestEnv(t, c)
	damaged := &storetest.Damaged{Store: e.store}
	e.store = damaged
	e.reload(c)
	e.check(0)
	e.report(0, "bad", "good", "worse")
	for _, id := range []string{"vm-1", "vm-2"} {
		e.send(0, id, host.Report{From: host.Sender{Token: "register"}, Service: "LinuxCPU", Data: json.RawMessage(cpu(1))})
	}
	for _, key := range []string{"host/bad", "host_value/good/LinuxCPU", "host_enrolled/vm-1", "meta/host_check"} {
		if n, err := damaged.Damage(t.Context(), key); err != nil || n != 1 {
			t.Fatalf("%s: got %d items and %v, want 1", key, n, err)
		}
	}
	list, err := e.registry.List(t.Context(), at(1), host.Sender{})
	if err != nil || len(list) != 5 {
		t.Errorf("got %d hosts and %v, want 5", len(list), err)
	}
	e.wantCheck(60, "HostOffline good 0", "HostOffline vm-1 0", "HostOffline vm-2 0", "HostOffline worse 0")
	e.wantCheck(61, "HostOffline good 0", "HostOffline vm-1 0", "HostOffline vm-2 0", "HostOffline worse 0")

	e.send(70, "vm-1", host.Report{From: host.Sender{Token: "register"}, Service: "LinuxCPU", Data: json.RawMessage(cpu(1))})
	e.report(70, "bad", "good")
	e.wantCheck(70, "HostOffline good 0-70", "HostOffline vm-1 0-70", "HostOffline vm-2 0", "HostOffline worse 0")
	if n := damaged.Left("host_enrolled/"); n != 0 {
		t.Errorf("got %d registrations that cannot be decoded, want vm-1 to have registered again", n)
	}
}

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
)

// mortal is a store, and an Ingest, whose user dies at a chosen operation: that
// one and all later ones fail. What it dies at was either done or not.
type mortal struct {
	store.Store
	ear  *ear
	left int
	done bool
}

var errKilled = fmt.Errorf("killed: %w", store.ErrUnavailable)

func (m *mortal) call(do func() error) error {
	m.left--
	if m.left >= 0 || m.left == -1 && m.done {
		if err := do(); err != nil {
			return err
		}
	}
	if m.left < 0 {
		return errKilled
	}
	return nil
}

func (m *mortal) Get(ctx context.Context, keys ...string) (items []store.Item, err error) {
	err = m.call(func() error { items, err = m.Store.Get(ctx, keys...); return err })
	return items, err
}

func (m *mortal) List(ctx context.Context, prefix, after string, limit int) (items []store.Item, err error) {
	err = m.call(func() error { items, err = m.Store.List(ctx, prefix, after, limit); return err })
	return items, err
}

func (m *mortal) Due(ctx context.Context, kind string, now time.Time, limit int) (items []store.Item, err error) {
	err = m.call(func() error { items, err = m.Store.Due(ctx, kind, now, limit); return err })
	return items, err
}

func (m *mortal) NextDue(ctx context.Context, kinds ...string) (next time.Time, err error) {
	err = m.call(func() error { next, err = m.Store.NextDue(ctx, kinds...); return err })
	return next, err
}

func (m *mortal) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	return m.call(func() error { return m.Store.Commit(ctx, now, changes...) })
}

func (m *mortal) Ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	return m.call(func() error { return m.ear.Ingest(ctx, now, alerts) })
}

// step is one thing that happens to a host: a report of a load, or a check when
// load is negative.
type step struct {
	seconds, load float64
	firing        string // afterwards
}

// life is the life of a host: it gets busy, falls silent, is back, calms down.
var life = []step{
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

// Whatever the operation at which an instance dies, and whether that was done or
// not: what it was doing is done again by the next, and then everything is told as
// if nothing had happened, starts and ends.
func TestKilledAtEveryOperation(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		killedAtEveryOperation(t, func() store.Store { return memory.New() })
	})
	t.Run("bolt", func(t *testing.T) {
		files := 0
		killedAtEveryOperation(t, func() store.Store {
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

func killedAtEveryOperation(t *testing.T, empty func() store.Store) {
	c := linux("web-1")
	c.Rules = []host.Rule{{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0)}}
	for _, done := range []bool{false, true} {
		for ops, killed := 0, true; killed; ops++ {
			killed = false
			w := newWorld(t, c)
			w.store = empty()
			w.load(c)
			doomed := &mortal{Store: w.store, ear: w.ear, left: ops, done: done}
			w.reg.Store, w.watch.Store, w.reg.Ingest, w.watch.Ingest = doomed, doomed, doomed.Ingest, doomed.Ingest
			for _, s := range life {
				err := w.live(s)
				if errors.Is(err, errKilled) && !killed {
					killed = true
					w.load(c) // another instance
					err = w.live(s)
				}
				if err != nil {
					t.Fatalf("killed at operation %d (done: %v), %v s: %v", ops, done, s.seconds, err)
				}
				if got := fmt.Sprint(w.ear.firing(at(s.seconds))); got != s.firing {
					t.Fatalf("killed at operation %d (done: %v): at %v s firing %s, want %s", ops, done, s.seconds, got, s.firing)
				}
			}
			if !killed && ops < 40 {
				t.Fatalf("it was done after %d operations", ops)
			}
		}
	}
}

func (w *world) live(s step) error {
	if s.load < 0 {
		_, err := w.watch.Check(w.t.Context(), at(s.seconds))
		return err
	}
	_, err := w.reg.Report(w.t.Context(), at(s.seconds), "web-1", host.Report{
		Service: "LinuxCPU", Data: json.RawMessage(fmt.Sprintf(`{"usage_percent": %v}`, s.load)),
	})
	return err
}

// intruded is a store in which something happens before the next commit.
type intruded struct {
	store.Store
	before func()
}

func (s *intruded) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	return s.Store.Commit(ctx, now, changes...)
}

// A host that reports in the moment in which it is found to be silent is not told
// to be, and the others are.
func TestReportMeetsCheck(t *testing.T) {
	w := newWorld(t, linux("web-1", "web-2", "web-3"))
	w.check(0)
	w.report(0, "web-1", "web-2", "web-3")
	w.check(59)
	s := &intruded{Store: w.store}
	w.watch.Store = s
	s.before = func() { // the note; the next commit marks
		s.before = func() { w.report(60, "web-2") }
	}
	w.expect(60, "HostOffline web-1 0", "HostOffline web-3 0")
	// And in the moment in which it is found to be back.
	w.watch.Store = s
	w.report(61, "web-1")
	s.before = func() { s.before = func() { w.report(62, "web-1") } }
	w.expect(62, "HostOffline web-1 0-61", "HostOffline web-3 0")
	w.expect(63, "HostOffline web-3 0")
}

// Two reports of one host at the same time are both taken in.
func TestReportMeetsReport(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	s := &intruded{Store: w.store}
	s.before = func() {
		w.reg.Store = w.store
		w.send(2, "web-1", host.Report{Service: "LinuxMemory", Data: json.RawMessage(`{"used_percent": 5}`)})
	}
	w.reg.Store = s
	w.report(1, "web-1")
	st, err := w.reg.Status(t.Context(), at(3), host.Sender{}, "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if !st.LastReport.Equal(at(2)) || string(st.Services["LinuxCPU"].Data) != `{"usage_percent":12.5}` || string(st.Services["LinuxMemory"].Data) != `{"used_percent":5}` {
		t.Errorf("%+v", st)
	}
}

// Instances that check at the same time tell a silence once, and its end once.
func TestTwoInstances(t *testing.T) {
	w := newWorld(t, linux("web-1"))
	w.check(0)
	w.report(0, "web-1")
	s := &intruded{Store: w.store}
	first, second := *w.watch, *w.watch
	first.Store = s
	during := func(seconds float64) {
		t.Helper()
		s.before = func() {
			s.before = func() {
				if _, err := second.Check(t.Context(), at(seconds)); err != nil {
					t.Error(err)
				}
			}
		}
		if _, err := first.Check(t.Context(), at(seconds)); err != nil {
			t.Error(err)
		}
	}
	during(60)
	if got, want := w.ear.heard(), "HostOffline web-1 0"; got != want {
		t.Errorf("heard %s, want %s", got, want)
	}
	w.report(65, "web-1")
	during(70)
	if got := fmt.Sprint(w.ear.firing(at(70))); got != "[]" {
		t.Errorf("firing %s", got)
	}
	w.ear.heard()
	w.expect(75)
}

// What cannot be read keeps nobody else from being judged.
func TestGarbageInTheStore(t *testing.T) {
	c := linux("bad", "good", "worse")
	w := newWorld(t, c)
	w.check(0)
	w.report(0, "bad", "good", "worse")
	for key, due := range map[string]time.Time{"host/bad": at(60), "host_offline/worse": {}, "host_over/bad/LinuxCPU": {}, "host_value/good/LinuxCPU": {}, "meta/host_check": {}} {
		if err := w.store.Commit(t.Context(), at(1), store.Change{Key: key, Value: []byte("{"), Due: due}); err != nil {
			t.Fatal(err)
		}
	}
	w.expect(60, "HostOffline good 0", "HostOffline worse 0")
	w.report(70, "bad", "good", "worse")
	w.expect(70, "HostOffline good 0-70", "HostOffline worse 0-70")
	w.expect(130, "HostOffline bad 70", "HostOffline good 70", "HostOffline worse 70")
}

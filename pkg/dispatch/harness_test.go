package dispatch_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/storetest"
)

var (
	t0             = outboxtest.T0
	at             = outboxtest.At
	lagAlerts      = outboxtest.Firing
	resolvedAlerts = outboxtest.Resolved
	numbered       = outboxtest.Numbered
)

// env is an engine on a store in memory.
type env struct {
	t         *testing.T
	store     store.Store
	receivers []*outbox.Receiver
	config    dispatch.Config
	engine    *dispatch.Engine
}

func newEnv(t *testing.T, root route.Config, receivers ...*outbox.Receiver) *env {
	t.Helper()
	return newEnvOn(t, memory.New(), root, receivers...)
}

func newEnvOn(t *testing.T, st store.Store, root route.Config, receivers ...*outbox.Receiver) *env {
	t.Helper()
	e := &env{t: t, store: st, receivers: receivers}
	e.reopen(root)
	return e
}

// newChannelEnv returns an engine whose only receiver, ops, is the returned channel.
func newChannelEnv(t *testing.T, root route.Config) (*env, *outboxtest.Channel) {
	t.Helper()
	c := &outboxtest.Channel{}
	return newEnv(t, root, outboxtest.Receiver("ops", "test", c)), c
}

// reopen replaces the engine by a new one on the same store, with a configuration.
func (e *env) reopen(root route.Config) {
	e.t.Helper()
	var faults setting.Faults
	var known route.Names
	for _, r := range e.receivers {
		known.Receivers = append(known.Receivers, r.Name)
	}
	for _, ti := range e.config.TimeIntervals {
		ti.Validate(&faults)
		known.TimeIntervals = append(known.TimeIntervals, ti.Name)
	}
	root.Validate(&faults, known)
	if len(faults.List()) > 0 {
		e.t.Fatalf("configuration: got %v, want no faults", faults.List())
	}
	var err error
	e.config.Route, e.config.Receivers = &root, e.receivers
	if e.engine, err = dispatch.New(e.store, e.config, slog.New(slog.DiscardHandler)); err != nil {
		e.t.Fatal(err)
	}
}

// reload reopens the engine and restarts the schedule of its groups.
func (e *env) reload(now float64, root route.Config) {
	e.t.Helper()
	e.reopen(root)
	if err := e.engine.Restart(e.t.Context(), at(now)); err != nil {
		e.t.Fatal(err)
	}
}

// intercept makes the engine's store operations run through fn.
func (e *env) intercept(fn func(ctx context.Context, op storetest.Op, do func() error) error) {
	e.t.Helper()
	e.store = storetest.Intercept(e.store, fn)
	e.reopen(*e.config.Route)
}

func (e *env) fire(now time.Time, topics ...string) { e.ingest(now, lagAlerts(now, topics...)...) }

func (e *env) resolve(now time.Time, topics ...string) {
	e.ingest(now, resolvedAlerts(now, topics...)...)
}

func (e *env) ingest(now time.Time, alerts ...*alert.Alert) {
	e.t.Helper()
	if err := e.engine.Ingest(e.t.Context(), now, alerts); err != nil {
		e.t.Fatalf("ingest at %v: got %v, want no error", now.Sub(t0), err)
	}
}

func (e *env) tick(now time.Time) dispatch.Summary {
	e.t.Helper()
	sum, err := e.engine.Tick(e.t.Context(), now)
	if err != nil {
		e.t.Fatalf("tick at %v: got %v, want no error", now.Sub(t0), err)
	}
	return sum
}

// nextDue returns when the engine has work to do next, zero for never.
func (e *env) nextDue() time.Time {
	e.t.Helper()
	next, err := e.engine.NextDue(e.t.Context())
	if err != nil {
		e.t.Fatalf("next due: got %v, want no error", err)
	}
	return next
}

// expectDue checks when the engine has work to do next.
func (e *env) expectDue(want time.Time) {
	e.t.Helper()
	if got := e.nextDue(); !got.Equal(want) {
		e.t.Errorf("next due: got %v, want %v", got.Sub(t0), want.Sub(t0))
	}
}

// expectLines checks what a channel accepted since the last check.
func expectLines(t *testing.T, c *outboxtest.Channel, want ...string) {
	t.Helper()
	if got := c.TakeLines(); !slices.Equal(got, want) {
		t.Fatalf("notified: got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// expectContains checks that a channel accepted these lines since the last check,
// among others.
func expectContains(t *testing.T, c *outboxtest.Channel, want ...string) {
	t.Helper()
	got := c.TakeLines()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("notified: got %q, want %q among them", got, line)
		}
	}
}

// count returns the number of lines equal to line.
func count(lines []string, line string) (n int) {
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}

func duration(s string) *setting.Duration {
	var d setting.Duration
	if err := d.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return &d
}

// newRoute returns a root route to ops with the timers, grouped by alertname: all
// lag alerts are one group.
func newRoute(wait, interval, repeat string) route.Config {
	return route.Config{Receiver: "ops", GroupBy: []string{"alertname"},
		GroupWait: duration(wait), GroupInterval: duration(interval), RepeatInterval: duration(repeat)}
}

// newRouteByTopic returns a root route to ops on which every topic is a group of its
// own.
func newRouteByTopic() route.Config {
	r := newRoute("0s", "5m", "4h")
	r.GroupBy = []string{"topic"}
	return r
}

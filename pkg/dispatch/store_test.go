package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/storetest"
)

// items counts what the store holds, by kind.
func (e *env) items() map[string]int {
	e.t.Helper()
	all := map[string]int{}
	for page, err := range store.Pages(e.t.Context(), e.store, "", 1000) {
		if err != nil {
			e.t.Fatal(err)
		}
		for _, it := range page {
			all[store.Kind(it.Key)]++
		}
	}
	return all
}

// TestStoreDoesNotGrow has alerts with new labels fire and resolve for days, some of
// them inhibited, silenced, rejected, or never resolved by their source. The store
// does not grow after the first week, and empties itself when no more come.
func TestStoreDoesNotGrow(t *testing.T) {
	c := &outboxtest.Channel{}
	root := newRoute("10s", "1m", "1h")
	root.GroupBy = []string{"topic"}
	e := newEnv(t, root, outboxtest.WithQuota(outboxtest.Receiver("ops", "robot", c), 20, time.Minute))
	e.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"kind=source"}, TargetMatchers: []string{"kind=target"}, Equal: []string{"topic"}}}
	e.reopen(root)
	step := func(n int) time.Time { return at(float64(600 * n)) } // ten minutes each
	tick := func(n int) {
		t.Helper()
		if err := e.engine.WatchTicks(t.Context(), step(n), 2*time.Hour); err != nil {
			t.Fatal(err)
		}
		e.tick(step(n))
		c.Take()
	}
	newAlert := func(n int, kind string) *alert.Alert {
		return &alert.Alert{Labels: alert.Labels{"alertname": "A", "topic": fmt.Sprint("t", n), "kind": kind}, StartsAt: step(n)}
	}
	// resolveOld returns the alerts of 15 steps ago, resolved at step n.
	resolveOld := func(n int) (alerts []*alert.Alert) {
		for _, kind := range []string{"source", "target", "other"} {
			a := newAlert(n-15, kind)
			a.EndsAt = step(n)
			alerts = append(alerts, a)
		}
		return alerts
	}
	churn := func(n int) {
		t.Helper()
		if n%3 == 0 {
			e.silence(step(n), topicSilence(fmt.Sprint("t", n), float64(600*n), float64(600*n+1200)))
		}
		if n%5 == 0 {
			c.Fail(outboxtest.Permanent("rejected"))
		}
		alerts := []*alert.Alert{newAlert(n, "source"), newAlert(n, "target"), newAlert(n, "other")}
		if n >= 15 {
			alerts = append(alerts, resolveOld(n)...)
		}
		unresolved := newAlert(n, "unresolved") // its source stops sending it
		unresolved.EndsAt, unresolved.Timeout = step(n+5), true
		late := newAlert(n, "late") // resolved when it is ingested first
		late.EndsAt = step(n)
		e.ingest(step(n), append(alerts, unresolved, late)...)
		tick(n)
	}

	const day = 24 * 6
	n := 0
	for ; n < 7*day; n++ {
		churn(n)
	}
	week := e.items()
	for ; n < 9*day; n++ {
		churn(n)
	}
	later := e.items()
	for kind, before := range week {
		if kind == store.Kind(keyspace.DeadLetter) {
			continue // kept for 30 days
		}
		if got, limit := later[kind], before+before/20+5; got > limit {
			t.Errorf("%s: got %d items after nine days, want at most %d, with %d after a week", kind, got, limit, before)
		}
	}
	for kind, least := range map[string]int{keyspace.DeadLetter: 100, keyspace.Silence: 100, keyspace.Source: 10, keyspace.Alert: 45, keyspace.Log: 20} {
		if got := later[store.Kind(kind)]; got < least {
			t.Errorf("%s: got %d items, want at least %d for this test to mean something", kind, got, least)
		}
	}
	for range 15 {
		e.ingest(step(n), resolveOld(n)...)
		tick(n)
		n++
	}
	for end := n + 31*day; n < end; n += 6 {
		tick(n)
	}
	if got := e.items(); len(got) != 1 || got["meta"] != 4 {
		t.Errorf("a month later: got %v, want four items of kind meta", got)
	}
}

// damage replaces the value of every item whose key begins with the prefix, and
// fails the test if there is none.
func (e *env) damage(prefix, value string) {
	e.t.Helper()
	if value == undecodable {
		damaged := &storetest.Damaged{Store: e.store}
		if n, err := damaged.Damage(e.t.Context(), prefix); err != nil || n == 0 {
			e.t.Fatalf("%s: got %d items and %v, want some", prefix, n, err)
		}
		e.store = damaged
		return
	}
	items, err := e.store.List(e.t.Context(), prefix, "", 1000)
	if err != nil || len(items) == 0 {
		e.t.Fatalf("%s: got %d items and %v, want some", prefix, len(items), err)
	}
	for _, it := range items {
		if err := e.store.Commit(e.t.Context(), t0, store.Change{Key: it.Key, Value: []byte(value), Due: it.Due}); err != nil {
			e.t.Fatal(err)
		}
	}
}

// unreadable are values that no version wrote, or a later one: not JSON, JSON of
// another form, another binary form, nothing, and an item that the backend cannot decode.
var unreadable = []string{"{", `{"at":5,"grid":5,"endsAt":5,"alerts":5,"since":5,"startsAt":5}`, "\x63\x00\x00later", "", undecodable}

const undecodable = "undecodable"

// TestUnreadableItems damages the items of one kind at a time. Other groups are
// notified as usual, and so is the item's own as far as it is known.
func TestUnreadableItems(t *testing.T) {
	for _, test := range []struct {
		name, prefix string
		also         string // is notified at 60 s because of the damage
	}{
		{"an alert is replaced, and its log kept", keyspace.Alert, ""},
		{"a header is derived from the alerts", keyspace.Group, ""},
		{"an integration is notified again", keyspace.Log, "first notification:a;"},
		{"a quota starts again", keyspace.RateLimit, ""},
		{"a member's value is not read", keyspace.Member, ""},
		{"a single item is written again", keyspace.Meta, ""},
		{"a silence mutes nothing", keyspace.Silence, "first notification:silenced;"},
		{"a source inhibits nothing", keyspace.Source, "first notification:target;"},
		{"a dead letter is not listed", keyspace.DeadLetter, ""},
	} {
		for _, value := range unreadable {
			t.Run(test.name+" "+value, func(t *testing.T) {
				e, c := newDamageEnv(t)
				e.damage(test.prefix, value)
				e.reopen(damageRoute()) // silences that were read before are in memory
				e.fire(at(60), "b", "silenced", "target")
				if test.prefix != keyspace.Source { // ingesting an alert stores its sources
					e.fire(at(60), "a")
				}
				if err := e.engine.WatchTicks(t.Context(), at(60), 5*time.Minute); err != nil {
					t.Errorf("watch ticks: got %v, want no error", err)
				}
				e.tick(at(60))
				want := []string{"first notification:b;"}
				if test.also != "" {
					want = append(want, test.also)
				}
				expectContains(t, c, want...)
				e.resolve(at(70), "a", "b", "silenced", "target")
				e.tick(at(120))
				expectContains(t, c, "all alerts resolved:;a", "all alerts resolved:;b")
				e.expectReadable(at(130))
			})
		}
	}
}

func damageRoute() route.Config {
	root := newRouteByTopic()
	root.GroupInterval = duration("1m")
	return root
}

// newDamageEnv returns an engine with items of every kind, after a tick at t0 that
// notified of the alert a. The alerts silenced and target are muted, and dead has a
// dead letter.
func newDamageEnv(t *testing.T) (*env, *outboxtest.Channel) {
	t.Helper()
	c := &outboxtest.Channel{}
	root := damageRoute()
	e := newEnv(t, root, outboxtest.WithQuota(outboxtest.Receiver("ops", "robot", c), 20, time.Minute))
	e.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"topic=a"}, TargetMatchers: []string{"topic=target"}}}
	e.reopen(root)
	e.silence(at(0), topicSilence("silenced", 0, 10000))
	c.Fail(outboxtest.Permanent("rejected"))
	e.fire(at(0), "dead")
	e.tick(at(0))
	if err := e.engine.WatchTicks(t.Context(), at(0), 5*time.Minute); err != nil {
		t.Fatal(err)
	}
	e.fire(at(0), "a", "silenced", "target")
	e.tick(at(0))
	expectLines(t, c, "first notification:a;")
	return e, c
}

// expectReadable checks that all queries return no error.
func (e *env) expectReadable(now time.Time) {
	e.t.Helper()
	for name, query := range map[string]func() error{
		"Alerts":      func() error { _, err := e.engine.Alerts(e.t.Context(), now); return err },
		"Groups":      func() error { _, err := e.engine.Groups(e.t.Context(), now); return err },
		"DeadLetters": func() error { _, err := e.engine.Outbox().DeadLetters(e.t.Context()); return err },
		"Restart":     func() error { return e.engine.Restart(e.t.Context(), now) },
	} {
		if err := query(); err != nil {
			e.t.Errorf("%s: got %v, want no error", name, err)
		}
	}
}

// TestUnreadableMember checks that an alert which cannot be read and is not sent
// again stays in its group, and that the other members are notified as usual.
func TestUnreadableMember(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
	e.fire(at(0), "a", "b")
	e.tick(at(0))
	expectLines(t, c, "first notification:a,b;")
	e.damage(keyspace.Alert+lagAlerts(at(0), "a")[0].Fingerprint().String(), "later")
	e.fire(at(30), "c")
	e.tick(at(60))
	expectLines(t, c, "new alerts added:b,c;")
	e.resolve(at(70), "b", "c")
	e.tick(at(120))
	expectLines(t, c, "all alerts resolved:;b,c")
	e.resolve(at(130), "a")
	e.tick(at(180))
	if got := e.items()[store.Kind(keyspace.Group)]; got != 0 {
		t.Errorf("got %d groups, want none", got)
	}
	// If the header cannot be read either, the group is deferred.
	e.fire(at(200), "a")
	e.damage(keyspace.Alert, "later")
	e.damage(keyspace.Group, "later")
	e.tick(at(200))
	e.expectDue(at(500))
}

// TestStoreFull has a store that can be read and not written. Nothing is ingested or
// notified meanwhile, and everything once afterwards.
func TestStoreFull(t *testing.T) {
	e, c := newChannelEnv(t, newRouteByTopic())
	full := false
	e.intercept(func(_ context.Context, op storetest.Op, do func() error) error {
		if full && op.Name == "Commit" {
			return fmt.Errorf("no space left on device: %w", store.ErrUnavailable)
		}
		return do()
	})
	c.Fail(outboxtest.Transient("down"))
	e.fire(at(0), "pending")
	e.tick(at(0))
	e.fire(at(10), "new")

	full = true
	if err := e.engine.Ingest(t.Context(), at(20), lagAlerts(at(20), "late")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ingest: got %v, want %v", err, store.ErrUnavailable)
	}
	if _, err := e.engine.Tick(t.Context(), at(20)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("tick: got %v, want %v", err, store.ErrUnavailable)
	}
	expectLines(t, c)
	if alerts, err := e.engine.Alerts(t.Context(), at(20)); err != nil || len(alerts) != 2 {
		t.Errorf("got %d alerts and %v, want 2", len(alerts), err)
	}

	full = false
	e.tick(at(30))
	got := c.TakeLines()
	if len(got) != 2 || count(got, "first notification:pending;") != 1 || count(got, "first notification:new;") != 1 {
		t.Errorf("notified: got %s, want both alerts", strings.Join(got, ", "))
	}
	e.tick(at(40))
	expectLines(t, c)
}

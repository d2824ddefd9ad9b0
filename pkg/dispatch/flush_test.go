package dispatch_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/storetest"
)

// TestGroupLifecycle follows a group: group_wait, the first notification, new
// alerts at group_interval, repetitions, the resolution, and its removal.
func TestGroupLifecycle(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("30s", "5m", "1h"))

	e.fire(at(0), "b")
	e.fire(at(10), "a")
	e.tick(at(29.999))
	expectLines(t, c)
	e.tick(at(30))
	expectLines(t, c, "first notification:a,b;")

	e.fire(at(60), "a", "b")
	e.tick(at(330))
	expectLines(t, c)

	e.fire(at(400), "c")
	e.tick(at(629.999))
	expectLines(t, c)
	e.tick(at(630))
	expectLines(t, c, "new alerts added:a,b,c;")

	// The hour counts from the last notification, at 630 s, and ends on a flush.
	for s := 930.0; s < 4230; s += 300 {
		e.tick(at(s))
		expectLines(t, c)
	}
	e.tick(at(4230))
	expectLines(t, c, "repeat interval elapsed:a,b,c;")

	e.resolve(at(4300), "b")
	e.tick(at(4530))
	expectLines(t, c, "some alerts resolved:a,c;b")
	e.resolve(at(4600), "a", "c")
	e.tick(at(4830))
	expectLines(t, c, "all alerts resolved:;a,c")
	if next := e.nextDue(); !next.IsZero() {
		t.Errorf("the empty group is due at %v, want never", next.Sub(t0))
	}

	// The next incident waits and is a first notification again.
	e.fire(at(5000), "a")
	e.tick(at(5030))
	expectLines(t, c, "first notification:a;")
}

func TestGroupWaitZero(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "5m", "1h"))
	e.fire(at(0), "a")
	if got, want := e.tick(at(0)), (dispatch.Summary{Sent: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	expectLines(t, c, "first notification:a;")
}

// TestOldAlertSkipsGroupWait checks, as in Alertmanager, that there is no group_wait
// for an alert which started longer ago than that.
func TestOldAlertSkipsGroupWait(t *testing.T) {
	for _, test := range []struct {
		name       string
		start, due float64
	}{
		{"just older than group_wait", 69.999, 100},
		{"as old as group_wait", 70, 130},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, c := newChannelEnv(t, newRoute("30s", "5m", "1h"))
			e.ingest(at(100), lagAlerts(at(test.start), "a")...)
			e.expectDue(at(test.due))
			e.tick(at(test.due))
			expectLines(t, c, "first notification:a;")
		})
	}
}

func TestLateTickKeepsTheSchedule(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("10s", "60s", "120s"))
	e.fire(at(0), "a")
	e.tick(at(55)) // due at 10
	expectLines(t, c, "first notification:a;")
	e.expectDue(at(70))
	e.tick(at(310)) // 70, 130, 190 and 250 were missed; 310 is on the schedule
	expectLines(t, c, "repeat interval elapsed:a;")
	e.expectDue(at(370))
}

func TestNewInstanceRepeatsNothing(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "5m", "1h"))
	e.fire(at(0), "a")
	e.tick(at(0))
	expectLines(t, c, "first notification:a;")
	e.reopen(newRoute("0s", "5m", "1h"))
	e.fire(at(60), "a")
	e.tick(at(60))
	e.tick(at(300))
	expectLines(t, c)
}

// TestAlertExpires has an alert with an end in the future that is not extended.
func TestAlertExpires(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
	a := lagAlerts(at(0), "a")[0]
	a.EndsAt, a.Timeout = at(90), true
	e.ingest(at(0), a)
	e.tick(at(0))
	e.tick(at(60))
	expectLines(t, c, "first notification:a;")
	e.tick(at(120))
	expectLines(t, c, "all alerts resolved:;a")
}

// TestSendResolvedOff checks that the next incident is notified although the end of
// the last one was not.
func TestSendResolvedOff(t *testing.T) {
	c := &outboxtest.Channel{}
	ops := outboxtest.Receiver("ops", "test", c)
	ops.Integrations[0].SendResolved = false
	e := newEnv(t, newRoute("0s", "1m", "1h"), ops)
	e.fire(at(0), "a", "b")
	e.tick(at(0))
	expectLines(t, c, "first notification:a,b;")
	e.resolve(at(30), "a", "b")
	e.tick(at(60))
	expectLines(t, c)
	e.fire(at(70), "a")
	e.tick(at(70))
	expectLines(t, c, "first notification:a;")
}

// TestOutageOutlastsTheAlert has an alert fire and resolve while its receiver cannot
// be reached: it is notified once, together with what is new.
func TestOutageOutlastsTheAlert(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
	c.Fail(outboxtest.Transient("down"), outboxtest.Transient("down"))
	e.fire(at(0), "a")
	e.tick(at(0))
	e.fire(at(30), "b")
	e.tick(at(60))
	expectLines(t, c)
	e.resolve(at(100), "a")
	e.tick(at(120))
	expectLines(t, c, "some alerts resolved:b;a")
	if got := e.tick(at(600)); got.Pending != 0 {
		t.Errorf("got %d pending, want none", got.Pending)
	}
	expectLines(t, c)
}

// TestRouting has a parent, and two children of which the first continues; each
// route groups for itself.
func TestRouting(t *testing.T) {
	ops, orders, all := &outboxtest.Channel{}, &outboxtest.Channel{}, &outboxtest.Channel{}
	root := newRoute("0s", "5m", "1h")
	root.Routes = []*route.Config{
		{Receiver: "all", Matchers: []string{`topic=~"order.*"`}, Continue: true, GroupBy: []string{"..."}},
		{Receiver: "orders", Matchers: []string{`topic=~"order.*"`}},
	}
	e := newEnv(t, root, outboxtest.Receiver("ops", "test", ops), outboxtest.Receiver("orders", "test", orders), outboxtest.Receiver("all", "test", all))
	e.fire(at(0), "order1", "order2", "else")
	e.tick(at(0))
	expectLines(t, ops, "first notification:else;")
	expectLines(t, orders, "first notification:order1,order2;")
	if got := all.TakeLines(); len(got) != 2 {
		t.Errorf("grouped by all labels: got %q, want two notifications", got)
	}
}

func TestNewRouteMovesAlerts(t *testing.T) {
	ops, orders := &outboxtest.Channel{}, &outboxtest.Channel{}
	root := newRoute("0s", "1m", "1h")
	e := newEnv(t, root, outboxtest.Receiver("ops", "test", ops), outboxtest.Receiver("orders", "test", orders))
	e.fire(at(0), "order1", "else")
	e.tick(at(0))
	expectLines(t, ops, "first notification:else,order1;")
	root.Routes = []*route.Config{{Receiver: "orders", Matchers: []string{`topic=~"order.*"`}}}
	e.reopen(root)
	e.tick(at(60))
	e.tick(at(61))
	expectLines(t, orders, "first notification:order1;")
	expectLines(t, ops)
	e.resolve(at(70), "order1", "else")
	e.tick(at(180))
	expectLines(t, orders, "all alerts resolved:;order1")
	expectLines(t, ops, "all alerts resolved:;else,order1") // it was notified of both
}

func TestUnknownReceiver(t *testing.T) {
	root := newRoute("0s", "1m", "1h")
	_, err := dispatch.New(memory.New(), dispatch.Config{Route: &root, Receivers: []*outbox.Receiver{{Name: "other"}}}, nil)
	if want := `route {}: its receiver "ops" does not exist`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestRepeatSchedule checks that a firing alert is notified again at each age of the
// schedule and at no other time, also when a tick is late.
func TestRepeatSchedule(t *testing.T) {
	root := newRoute("0s", "5m", "4h")
	root.RepeatInterval = nil
	for _, age := range []string{"1m", "10m", "1h", "4h", "24h"} {
		root.RepeatSchedule = append(root.RepeatSchedule, *duration(age))
	}
	e, c := newChannelEnv(t, root)
	// The alert is a minute old when it is ingested, as that of a silent host is.
	e.ingest(at(60), lagAlerts(at(0), "a")...)
	e.tick(at(60))
	expectLines(t, c, "first notification:a;")
	var got []time.Duration
	for now := at(60); now.Before(at(0).Add(30 * time.Hour)); {
		if now = e.nextDue(); now.IsZero() {
			t.Fatal("the group is never due")
		}
		if now.Equal(at(3600)) {
			now = now.Add(7 * time.Minute) // this tick is late
		}
		e.tick(now)
		for range c.Take() {
			got = append(got, now.Sub(t0))
		}
	}
	want := []time.Duration{10 * time.Minute, 67 * time.Minute, 4 * time.Hour, 24 * time.Hour}
	if !slices.Equal(got, want) {
		t.Errorf("notified at the ages: got %v, want %v", got, want)
	}
}

// TestManyResolveWhileOthersFire checks that alerts whose end was notified leave their group
// before its next flush, although they are more than one flush removes.
func TestManyResolveWhileOthersFire(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "5m", "1h"))
	topics := numbered("t", 6000)
	expect := func(now float64, firing, resolved int) {
		t.Helper()
		e.tick(at(now))
		got := c.Take()
		if len(got) != 1 || len(got[0].Firing()) != firing || len(got[0].Resolved()) != resolved {
			t.Fatalf("at %v: got %d notifications, want one of %d firing and %d resolved", now, len(got), firing, resolved)
		}
		for range 5 {
			now++
			e.tick(at(now))
			expectLines(t, c)
		}
	}
	e.fire(at(0), topics...)
	expect(0, 6000, 0)
	e.resolve(at(100), topics[:5000]...)
	expect(300, 1000, 5000)
	e.resolve(at(400), topics[5000:5500]...)
	expect(600, 500, 500)
	e.resolve(at(700), topics[5500:]...)
	expect(900, 0, 500)
}

// TestResolvedAtOnce checks that the resolution of a whole group is notified at
// once, and that of a part of it is not.
func TestResolvedAtOnce(t *testing.T) {
	root := newRoute("0s", "5m", "4h")
	root.ResolvedAtOnce = new(true)
	e, c := newChannelEnv(t, root)
	e.fire(at(0), "a", "b")
	e.tick(at(0))
	expectLines(t, c, "first notification:a,b;")
	e.resolve(at(20), "a")
	e.tick(at(20))
	expectLines(t, c)
	e.resolve(at(40), "b")
	e.tick(at(40))
	expectLines(t, c, "all alerts resolved:;a,b")
	e.fire(at(50), "a")
	e.tick(at(50))
	expectLines(t, c, "first notification:a;")
	// An alert that fires and resolves between two flushes waits for the next one.
	e.fire(at(60), "b")
	e.resolve(at(70), "b")
	e.tick(at(70))
	expectLines(t, c)
	e.tick(at(350))
	expectLines(t, c, "some alerts resolved:a;b")
}

// TestTickWithinTheMillisecondOfAFlush ticks at a time at which a group is due in
// the store, which keeps milliseconds, and not yet by the nanosecond. The tick must
// end, and every group be notified once.
func TestTickWithinTheMillisecondOfAFlush(t *testing.T) {
	for name, root := range map[string]route.Config{
		"group_wait":      newRoute("10s", "1m", "1h"),
		"repeat_schedule": {Receiver: "ops", GroupWait: duration("0s"), GroupInterval: duration("1m"), RepeatSchedule: []setting.Duration{*duration("10s")}},
	} {
		t.Run(name, func(t *testing.T) {
			root.GroupBy = []string{"topic"}
			e, c := newChannelEnv(t, root)
			var commits atomic.Int64
			e.intercept(func(_ context.Context, op storetest.Op, do func() error) error {
				if op.Name == "Commit" {
					commits.Add(1)
				}
				return do()
			})
			topics := numbered("t", 100) // more groups than are read at a time
			e.fire(at(0.0004), topics...)
			e.tick(at(0.0004))
			c.Take()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // for a tick that does not end
			defer cancel()
			commits.Store(0)
			if _, err := e.engine.Tick(ctx, at(10.0002)); err != nil {
				t.Fatal(err)
			}
			if got, limit := commits.Load(), int64(3*len(topics)); got > limit {
				t.Errorf("got %d commits for %d groups, want at most %d", got, len(topics), limit)
			}
			e.tick(at(10.001))
			if got := len(c.Take()); got != len(topics) {
				t.Errorf("got %d notifications, want %d", got, len(topics))
			}
		})
	}
}

// TestRestart checks that Restart moves the schedule of a group that has been
// flushed, repeats nothing, and keeps a group_wait.
func TestRestart(t *testing.T) {
	root := newRoute("10s", "60s", "1h")
	root.GroupBy = []string{"topic"}
	e, c := newChannelEnv(t, root)
	restart := func(now time.Time) {
		t.Helper()
		if err := e.engine.Restart(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	e.fire(at(0), "old")
	e.tick(at(10))
	expectLines(t, c, "first notification:old;")

	e.fire(at(25), "young")
	e.resolve(at(25), "old")
	restart(at(30))
	e.tick(at(30))
	expectLines(t, c, "all alerts resolved:;old") // it was due at 70
	e.tick(at(34))
	expectLines(t, c)
	e.tick(at(35))
	expectLines(t, c, "first notification:young;")

	restart(at(50))
	e.tick(at(50))
	expectLines(t, c) // nothing new
	e.resolve(at(60), "young")
	e.tick(at(109))
	expectLines(t, c)
	e.tick(at(110)) // 50 and group_interval; it was due at 95
	expectLines(t, c, "all alerts resolved:;young")
}

// TestRouteLabels checks that a notification and the view of its group have the same
// rendered labels, which count the muted alert too.
func TestRouteLabels(t *testing.T) {
	root := newRoute("0s", "1m", "1h")
	root.Labels = alert.Labels{"team": "db", "size": `{{ len .Alerts }} {{ .GroupLabels.alertname }} {{ .ExternalURL }}`}
	e, c := newChannelEnv(t, root)
	e.config.ExternalURL = "https://alerts.example.com"
	e.reopen(root)
	e.silence(at(0), topicSilence("b", 0, 1000))
	e.fire(at(0), "a", "b")
	e.tick(at(0))
	want := alert.Labels{"team": "db", "size": "2 Lag https://alerts.example.com"}
	if got := c.Take(); len(got) != 1 || !maps.Equal(got[0].RouteLabels, want) {
		t.Errorf("notified: got %+v, want one notification with the labels %v", got, want)
	}
	groups, err := e.engine.Groups(t.Context(), at(1))
	if err != nil || len(groups) != 1 || !maps.Equal(groups[0].RouteLabels, want) {
		t.Errorf("groups: got %+v and %v, want one with the labels %v", groups, err, want)
	}
}

// TestWatchTicks has ticks late by a second, and then on time.
func TestWatchTicks(t *testing.T) {
	e, c := newChannelEnv(t, newRoute("0s", "1m", "4h"))
	tick := func(s float64) {
		t.Helper()
		if err := e.engine.WatchTicks(t.Context(), at(s), 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		e.tick(at(s))
	}
	tick(0)
	tick(300)
	expectLines(t, c)
	e.fire(at(310), "a")
	tick(601)
	if got := c.TakeLines(); len(got) != 2 || !slices.Contains(got, "first notification:a;") {
		t.Fatalf("notified: got %q, want the alert and TocsinTickLate", got)
	}
	for s := 660.0; s < 901; s += 60 {
		tick(s)
		expectLines(t, c)
	}
	tick(961)
	if got := c.TakeLines(); len(got) != 1 || !strings.HasPrefix(got[0], "all alerts resolved:") {
		t.Fatalf("notified: got %q, want that TocsinTickLate resolved", got)
	}
}

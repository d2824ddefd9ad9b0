package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
)

// The life of a group: it waits for company, says the group once, says what is
// new after an interval, repeats on time, says the end, and is forgotten.
func TestGroupLife(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("30s", "5m", "1h"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "test")}})

	w.fire(at(0), "b")
	w.fire(at(10), "a")
	w.tick(at(29.999))
	w.expect(c)
	w.tick(at(30))
	w.expect(c, "first notification:a,b;")

	w.fire(at(60), "a", "b")
	w.tick(at(330))
	w.expect(c)

	w.fire(at(400), "c")
	w.tick(at(629.999))
	w.expect(c)
	w.tick(at(630))
	w.expect(c, "new alerts added:a,b,c;")

	// The hour counts from the last message, 630 s, and falls on the grid.
	for s := 930.0; s < 4230; s += 300 {
		w.tick(at(s))
		w.expect(c)
	}
	w.tick(at(4230))
	w.expect(c, "repeat interval elapsed:a,b,c;")

	w.resolve(at(4300), "b")
	w.tick(at(4530))
	w.expect(c, "some alerts resolved:a,c;b")
	w.resolve(at(4600), "a", "c")
	w.tick(at(4830))
	w.expect(c, "all alerts resolved:;a,c")

	if next, err := w.engine.NextDue(t.Context()); err != nil || !next.IsZero() {
		t.Fatalf("next tick %v, %v; want none: all is over", next, err)
	}
	// A new incident waits and is first again.
	w.fire(at(5000), "a")
	w.tick(at(5030))
	w.expect(c, "first notification:a;")
}

func TestGroupWaitZeroIsSaidAtOnce(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "5m", "1h"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "test")}})
	w.fire(at(0), "a")
	if sum := w.tick(at(0)); sum.Sent != 1 || sum.Pending != 0 {
		t.Errorf("summary %+v, want 1 sent and nothing owed", sum)
	}
	w.expect(c, "first notification:a;")
}

// An alert that began before its group's wait would have been over is said at
// once (Alertmanager: it has waited elsewhere).
func TestOldAlertDoesNotWait(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("30s", "5m", "1h"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "test")}})
	for start, due := range map[float64]float64{69.999: 100, 70: 130} {
		w.store = memory.New()
		w.restart(newRouteConfig("30s", "5m", "1h"))
		err := w.engine.Ingest(t.Context(), at(100), []*alert.Alert{{Labels: alert.Labels{"alertname": "Lag", "topic": "a"}, StartsAt: at(start)}})
		if err != nil {
			t.Fatal(err)
		}
		if next, err := w.engine.NextDue(t.Context()); err != nil || !next.Equal(at(due)) {
			t.Errorf("started at %v: next at %v, %v", start, next.Sub(t0), err)
		}
		w.tick(at(due))
		w.expect(c, "first notification:a;")
	}
}

// A tick that comes late does not shift the times of later ones.
func TestLateTickKeepsTheGrid(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("10s", "60s", "120s"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "test")}})
	w.fire(at(0), "a")
	w.tick(at(55)) // due at 10
	w.expect(c, "first notification:a;")
	if next, _ := w.engine.NextDue(t.Context()); !next.Equal(at(70)) {
		t.Errorf("next at %v, want 1m10s", next.Sub(t0))
	}
	w.tick(at(310)) // 70 was missed; 130, 190, 250 too, and 310 is on the grid
	w.expect(c, "repeat interval elapsed:a;")
	if next, _ := w.engine.NextDue(t.Context()); !next.Equal(at(370)) {
		t.Errorf("next at %v, want 6m10s", next.Sub(t0))
	}
}

// Alerts of an engine that is gone are as good as said by the next one.
func TestNothingIsSaidTwiceOverARestart(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "5m", "1h"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "test")}})
	w.fire(at(0), "a")
	w.tick(at(0))
	w.expect(c, "first notification:a;")
	w.restart(newRouteConfig("0s", "5m", "1h"))
	w.fire(at(60), "a")
	w.tick(at(60))
	w.tick(at(300))
	w.expect(c)
}

// An end that was set ahead of time, and comes, is told.
func TestAlertTimesOut(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "test")}})
	err := w.engine.Ingest(t.Context(), at(0), []*alert.Alert{{Labels: alert.Labels{"alertname": "Lag", "topic": "a"}, StartsAt: at(0), EndsAt: at(90), Timeout: true}})
	if err != nil {
		t.Fatal(err)
	}
	w.tick(at(0))
	w.tick(at(60))
	w.expect(c, "first notification:a;")
	w.tick(at(120))
	w.expect(c, "all alerts resolved:;a")
}

// A receiver that wants no ends gets none, and hears of the next incident.
func TestSendResolvedOff(t *testing.T) {
	c := &channel{}
	in := integration(c, "test")
	in.SendResolved = false
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{in}})
	w.fire(at(0), "a", "b")
	w.tick(at(0))
	w.expect(c, "first notification:a,b;")
	w.resolve(at(30), "a", "b")
	w.tick(at(60))
	w.expect(c)
	w.fire(at(70), "a")
	w.tick(at(70))
	w.expect(c, "first notification:a;")
}

func TestPassingFaultIsTriedAgain(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "5m", "1h"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "test")}})
	c.fail(passing("no route to host"), &notify.Error{Class: notify.Rate, Message: "20 a minute", RetryAfter: time.Minute})
	w.fire(at(0), "a")
	if sum := w.tick(at(0)); sum.Sent != 0 || sum.Pending != 1 {
		t.Fatalf("summary %+v, want nothing sent and 1 owed", sum)
	}
	w.tick(at(0.49)) // the first wait is half a second and up to a fifth more
	w.expect(c)
	w.tick(at(0.6)) // refused: wait a minute
	w.tick(at(60.5))
	w.expect(c)
	if sum := w.tick(at(60.6)); sum.Sent != 1 || sum.Pending != 0 {
		t.Fatalf("summary %+v, want 1 sent and nothing owed", sum)
	}
	w.expect(c, "first notification:a;")
}

// What fired and ended while its receiver was out of reach is mentioned once,
// and what is new in between is not told without what is old.
func TestOutageOutlastsTheAlert(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"), oneReceiver(c))
	c.fail(passing("down"), passing("down"))
	w.fire(at(0), "a")
	w.tick(at(0))
	w.fire(at(30), "b")
	w.tick(at(60))
	w.expect(c)
	w.resolve(at(100), "a")
	w.tick(at(120))
	w.expect(c, "some alerts resolved:b;a")
	if sum := w.tick(at(600)); sum.Pending != 0 {
		t.Errorf("%d still owed", sum.Pending)
	}
	w.expect(c)
}

func TestPermanentFaultGoesToTheFallback(t *testing.T) {
	c, mail := &channel{}, &channel{}
	w := newWorld(t, newRouteConfig("0s", "5m", "1h"),
		&outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "robot")}, Fallback: "mail", FallbackAfter: 15 * time.Minute},
		&outbox.Receiver{Name: "mail", Integrations: []outbox.Integration{integration(mail, "email")}})
	c.fail(final("robot removed"))
	w.fire(at(0), "a")
	if sum := w.tick(at(0)); sum.Sent != 1 || sum.Pending != 0 {
		t.Fatalf("summary %+v, want it sent by the fallback in the same tick", sum)
	}
	w.expect(c)
	w.expect(mail, "first notification:a; instead of ops: robot removed")
}

func TestFallbackAfterPatience(t *testing.T) {
	c, mail := &channel{}, &channel{}
	w := newWorld(t, newRouteConfig("0s", "5m", "4h"),
		&outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "robot")}, Fallback: "mail", FallbackAfter: 15 * time.Minute},
		&outbox.Receiver{Name: "mail", Integrations: []outbox.Integration{integration(mail, "email")}})
	for range 100 {
		c.fail(passing("timeout"))
	}
	w.fire(at(0), "a")
	for s := 0.0; s < 900; s += 60 {
		w.tick(at(s))
		w.expect(mail)
	}
	w.tick(at(900))
	w.expect(mail, "first notification:a; instead of ops: timeout")
	w.tick(at(3600))
	w.expect(mail)
}

// Without a fallback a permanent fault leaves a dead letter that holds all of it.
func TestDeadLetter(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "5m", "1h"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "robot")}})
	c.fail(final("robot removed"))
	w.fire(at(0), "a")
	if sum := w.tick(at(0)); sum.Pending != 0 {
		t.Fatalf("summary %+v, want nothing owed", sum)
	}
	dead, err := w.engine.Outbox().DeadLetters(t.Context())
	if err != nil || len(dead) != 1 || dead[0].Receiver != "ops" || dead[0].Channel != "robot" || dead[0].Cause != "robot removed" || names(dead[0].Alerts) != "a" {
		t.Fatalf("dead letters %+v, %v; want the one", dead, err)
	}
	if err := w.engine.Outbox().Resend(t.Context(), at(60), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.Outbox().Resend(t.Context(), at(60), dead[0].ID); !errors.Is(err, outbox.ErrDeadLetterNotFound) {
		t.Errorf("a second time: %v", err)
	}
	w.tick(at(60))
	w.expect(c, "first notification:a;")
	if dead, _ := w.engine.Outbox().DeadLetters(t.Context()); len(dead) != 0 {
		t.Errorf("%d dead letters left", len(dead))
	}
}

// Of three recipients one is refused for good and one for now: the third is not
// written to twice, and the refused one is reported.
func TestUnitsAreSettledOneByOne(t *testing.T) {
	c, boss := &channel{units: []string{"x", "y", "z"}}, &channel{}
	w := newWorld(t, newRouteConfig("0s", "5m", "1h"),
		&outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "email")}, Fallback: "boss", FallbackAfter: time.Hour},
		&outbox.Receiver{Name: "boss", Integrations: []outbox.Integration{integration(boss, "robot")}})
	c.fail(nil, passing("greylisted"))
	w.fire(at(0), "a")
	w.tick(at(0))
	w.expect(c, "first notification:a;") // x; y must wait, and z with it
	c.fail(nil, final("no such mailbox"))
	w.tick(at(10))
	w.expect(c, "first notification:a;") // y, not x again
	w.expect(boss, "first notification:a; instead of ops: no such mailbox")
}

// Too long is said shorter at once, and only once.
func TestTooLong(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "5m", "1h"), &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "robot")}})
	tooLong := &notify.Error{Class: notify.TooLong, Message: "too long"}
	c.fail(tooLong)
	w.fire(at(0), "a")
	w.tick(at(0))
	if len(c.said) != 1 || !c.said[0].HalfSize {
		t.Fatalf("said %+v, want it once and shrunk", c.said)
	}
	c.heard()
	c.fail(tooLong, tooLong)
	w.fire(at(1), "b")
	w.tick(at(300))
	w.tick(at(400))
	w.expect(c)
	if dead, _ := w.store.List(t.Context(), "dead/", "", 10); len(dead) != 1 {
		t.Fatalf("%d dead letters, want 1", len(dead))
	}
}

// A channel that may be asked only once is not asked again when the answer was
// lost; one that may is.
func TestAmbiguous(t *testing.T) {
	for _, once := range []bool{true, false} {
		c, mail := &channel{}, &channel{}
		in := integration(c, "sms")
		in.Kind.AtMostOnce = once
		w := newWorld(t, newRouteConfig("0s", "5m", "1h"),
			&outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{in}, Fallback: "mail", FallbackAfter: time.Hour},
			&outbox.Receiver{Name: "mail", Integrations: []outbox.Integration{integration(mail, "email")}})
		c.fail(&notify.Error{Class: notify.Retry, Message: "no answer", Ambiguous: true})
		w.fire(at(0), "a")
		w.tick(at(0))
		w.tick(at(60))
		if once {
			w.expect(c)
			w.expect(mail, "first notification:a; instead of ops: no answer")
		} else {
			w.expect(c, "first notification:a;")
			w.expect(mail)
		}
	}
}

// Routes: children before parents, the first match unless it says continue, and
// each route groups for itself.
func TestRouting(t *testing.T) {
	ops, orders, all := &channel{}, &channel{}, &channel{}
	r := newRouteConfig("0s", "5m", "1h")
	r.Routes = []*route.Config{
		{Receiver: "all", Matchers: []string{`topic=~"order.*"`}, Continue: true, GroupBy: []string{"..."}},
		{Receiver: "orders", Matchers: []string{`topic=~"order.*"`}},
	}
	w := newWorld(t, r,
		&outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(ops, "test")}},
		&outbox.Receiver{Name: "orders", Integrations: []outbox.Integration{integration(orders, "test")}},
		&outbox.Receiver{Name: "all", Integrations: []outbox.Integration{integration(all, "test")}})
	w.fire(at(0), "order1", "order2", "else")
	w.tick(at(0))
	w.expect(ops, "first notification:else;")
	w.expect(orders, "first notification:order1,order2;")
	if got := all.heard(); len(got) != 2 {
		t.Fatalf("grouped by all labels: heard %q, want two messages", got)
	}
}

// An alert whose route changed with the configuration goes on where it belongs
// now.
func TestConfigurationMovesAlerts(t *testing.T) {
	ops, orders := &channel{}, &channel{}
	w := newWorld(t, newRouteConfig("0s", "1m", "1h"),
		&outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(ops, "test")}},
		&outbox.Receiver{Name: "orders", Integrations: []outbox.Integration{integration(orders, "test")}})
	w.fire(at(0), "order1", "else")
	w.tick(at(0))
	w.expect(ops, "first notification:else,order1;")
	r := newRouteConfig("0s", "1m", "1h")
	r.Routes = []*route.Config{{Receiver: "orders", Matchers: []string{`topic=~"order.*"`}}}
	w.restart(r)
	w.tick(at(60))
	w.tick(at(61))
	w.expect(orders, "first notification:order1;")
	w.expect(ops)
	w.resolve(at(70), "order1", "else")
	w.tick(at(180))
	w.expect(orders, "all alerts resolved:;order1")
	w.expect(ops, "all alerts resolved:;else")
}

// A schedule says what still fires again at each age, exactly, whatever ticks
// come late or are missed, and nothing in between.
func TestRepeatSchedule(t *testing.T) {
	c := &channel{}
	r := newRouteConfig("0s", "5m", "4h")
	r.RepeatInterval = nil
	for _, age := range []string{"1m", "10m", "1h", "4h", "24h"} {
		r.RepeatSchedule = append(r.RepeatSchedule, *duration(age))
	}
	w := newWorld(t, r, oneReceiver(c))
	// Found when it is already 1 minute old, as a host that fell silent is.
	begin := at(0)
	err := w.engine.Ingest(t.Context(), at(60), []*alert.Alert{{Labels: alert.Labels{"alertname": "Lag", "topic": "a"}, StartsAt: begin}})
	if err != nil {
		t.Fatal(err)
	}
	w.tick(at(60))
	w.expect(c, "first notification:a;")
	var said []time.Duration
	for now := at(60); now.Before(begin.Add(30 * time.Hour)); {
		next, err := w.engine.NextDue(t.Context())
		if err != nil || next.IsZero() {
			t.Fatalf("next %v, %v", next, err)
		}
		now = next
		if now.Equal(begin.Add(time.Hour)) {
			now = now.Add(7 * time.Minute) // this tick comes late
		}
		w.tick(now)
		for range c.heard() {
			said = append(said, now.Sub(begin))
		}
	}
	want := []time.Duration{10 * time.Minute, 67 * time.Minute, 4 * time.Hour, 24 * time.Hour}
	if !slices.Equal(said, want) {
		t.Errorf("said again at %v, want %v", said, want)
	}
}

// With resolved_at_once the end of the whole group does not wait; the end of a
// part of it does.
func TestResolvedAtOnce(t *testing.T) {
	c := &channel{}
	r := newRouteConfig("0s", "5m", "4h")
	r.ResolvedAtOnce = new(true)
	w := newWorld(t, r, oneReceiver(c))
	w.fire(at(0), "a", "b")
	w.tick(at(0))
	w.expect(c, "first notification:a,b;")
	w.resolve(at(20), "a")
	w.tick(at(20))
	w.expect(c)
	w.resolve(at(40), "b")
	w.tick(at(40))
	w.expect(c, "all alerts resolved:;a,b")
	w.fire(at(50), "a")
	w.tick(at(50))
	w.expect(c, "first notification:a;")
	// What waited for the regular flush is said by it.
	w.fire(at(60), "b")
	w.resolve(at(70), "b")
	w.tick(at(70))
	w.expect(c)
	w.tick(at(350))
	w.expect(c, "some alerts resolved:a;b")
}

// When nobody ticked for more than five minutes, that is told, and what was due
// meanwhile is said.
func TestTickLate(t *testing.T) {
	c := &channel{}
	w := newWorld(t, newRouteConfig("0s", "1m", "4h"), oneReceiver(c))
	tick := func(s float64) {
		t.Helper()
		if err := w.engine.WatchTicks(t.Context(), at(s), 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		w.tick(at(s))
	}
	tick(0)
	tick(300)
	w.expect(c)
	w.fire(at(310), "a")
	tick(601) // five minutes and a second
	if got := c.heard(); len(got) != 2 || !slices.Contains(got, "first notification:a;") {
		t.Fatalf("heard %q, want the alert, and one about the pause", got)
	}
	for s := 660.0; s < 901; s += 60 {
		tick(s)
		w.expect(c)
	}
	tick(961)
	if got := c.heard(); len(got) != 1 || !strings.HasPrefix(got[0], "all alerts resolved:") {
		t.Fatalf("heard %q, want the end of the pause", got)
	}
}

// A tick within the millisecond of a flush, before it, ends: times are finer than
// a store's, and what is due there must not be found not due here.
func TestTickJustBeforeAFlush(t *testing.T) {
	for name, r := range map[string]route.Config{
		"group_wait":      newRouteConfig("10s", "1m", "1h"),
		"repeat_schedule": {Receiver: "ops", GroupWait: duration("0s"), GroupInterval: duration("1m"), RepeatSchedule: []setting.Duration{*duration("10s")}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &channel{}
			r.GroupBy = []string{"topic"}
			g := &gate{Store: memory.New(), open: make(chan struct{})}
			close(g.open)
			w := &world{t: t, store: g, receiver: []*outbox.Receiver{oneReceiver(c)}}
			w.restart(r)
			var topics []string // more groups than are looked at in one go
			for i := range 100 {
				topics = append(topics, fmt.Sprint(i))
			}
			w.fire(at(0.0004), topics...)
			w.tick(at(0.0004))
			c.heard()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // lest it goes on for ever
			defer cancel()
			g.commits = 0
			if _, err := w.engine.Tick(ctx, at(10.0002)); err != nil {
				t.Fatal(err)
			}
			if g.commits > 3*len(topics) { // a flush, and what came of it
				t.Errorf("%d groups took %d commits", len(topics), g.commits)
			}
			w.tick(at(10.001))
			if heard := c.heard(); len(heard) != len(topics) {
				t.Errorf("heard of %d, want each of %d once", len(heard), len(topics))
			}
		})
	}
}

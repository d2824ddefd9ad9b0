package dispatch_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// t0 is when every test begins.
var t0 = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)

// at is a time given in seconds since t0.
func at(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

// channel is a notifier that notes what it was asked to say and answers by
// script. A notification of it has one unit, or as many as units names.
type channel struct {
	mu     sync.Mutex
	units  []string
	script []error // answers to the next sends, one per unit sent; nil accepts
	said   []alert.Notification
}

func (c *channel) Messages(n *alert.Notification) ([]notify.Message, error) {
	units := c.units
	if units == nil {
		units = []string{"1"}
	}
	var out []notify.Message
	for _, u := range units {
		if slices.Contains(n.AcceptedUnits, u) {
			continue
		}
		said := *n
		out = append(out, notify.Message{Target: "test", Units: []string{u}, Send: func(ctx context.Context) []notify.Outcome {
			c.mu.Lock()
			defer c.mu.Unlock()
			var err error
			if len(c.script) > 0 {
				err, c.script = c.script[0], c.script[1:]
			}
			if err == nil {
				c.said = append(c.said, said)
			}
			return notify.Outcomes([]string{u}, err)
		}})
	}
	return out, nil
}

// fail lets the next sends be answered with errs.
func (c *channel) fail(errs ...error) { c.script = append(c.script, errs...) }

// heard empties the record and tells it, one line per accepted unit:
// "reason: firing names; resolved names".
func (c *channel) heard() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, n := range c.said {
		line := n.Reason + ":" + names(n.Firing()) + ";" + names(n.Resolved())
		if n.FallbackFor != "" {
			line += " instead of " + n.FallbackFor + ": " + n.Cause
		}
		out = append(out, line)
	}
	c.said = nil
	return out
}

func names(alerts []*alert.Alert) string {
	var s []string
	for _, a := range alerts {
		s = append(s, a.Labels["topic"])
	}
	return strings.Join(s, ",")
}

type world struct {
	t        *testing.T
	store    store.Store
	receiver []*outbox.Receiver
	config   dispatch.Config
	engine   *dispatch.Engine
}

func integration(c *channel, kind string) outbox.Integration {
	return outbox.Integration{Kind: notify.Kind{Name: kind}, SendResolved: true, Notifier: c}
}

// newWorld builds an engine on a store in memory.
func newWorld(t *testing.T, routing route.Config, receivers ...*outbox.Receiver) *world {
	w := &world{t: t, store: memory.New(), receiver: receivers}
	w.restart(routing)
	return w
}

// restart forgets all but the store, and begins anew with route.
func (w *world) restart(routing route.Config) {
	w.t.Helper()
	var f setting.Faults
	known := route.Names{}
	for _, r := range w.receiver {
		known.Receivers = append(known.Receivers, r.Name)
	}
	for _, ti := range w.config.TimeIntervals {
		ti.Validate(&f)
		known.TimeIntervals = append(known.TimeIntervals, ti.Name)
	}
	routing.Validate(&f, known)
	if len(f.List()) > 0 {
		w.t.Fatalf("route: %v", f.List())
	}
	var err error
	w.config.Route, w.config.Receivers = &routing, w.receiver
	w.engine, err = dispatch.New(w.store, w.config, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
}

// fire and resolve take in one alert per topic as of now.
func (w *world) fire(now time.Time, topics ...string) { w.ingest(now, false, topics) }

func (w *world) resolve(now time.Time, topics ...string) { w.ingest(now, true, topics) }

func (w *world) ingest(now time.Time, over bool, topics []string) {
	w.t.Helper()
	if err := w.engine.Ingest(w.t.Context(), now, lagAlerts(now, over, topics...)); err != nil {
		w.t.Fatalf("ingest at %v: %v", now.Sub(t0), err)
	}
}

// lagAlerts makes one alert per topic, that fires from now or, if over, fired
// from t0 until now.
func lagAlerts(now time.Time, over bool, topics ...string) []*alert.Alert {
	var alerts []*alert.Alert
	for _, topic := range topics {
		a := &alert.Alert{Labels: alert.Labels{"alertname": "Lag", "topic": topic}, StartsAt: now}
		if over {
			a.StartsAt, a.EndsAt = t0, now
		}
		alerts = append(alerts, a)
	}
	return alerts
}

func (w *world) tick(now time.Time) dispatch.Summary {
	w.t.Helper()
	sum, err := w.engine.Tick(w.t.Context(), now)
	if err != nil {
		w.t.Fatalf("tick at %v: %v", now.Sub(t0), err)
	}
	return sum
}

// expect checks what a channel heard since the last look.
func (w *world) expect(c *channel, want ...string) {
	w.t.Helper()
	if got := c.heard(); !slices.Equal(got, want) {
		w.t.Fatalf("heard\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func duration(s string) *setting.Duration {
	var d setting.Duration
	if err := d.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return &d
}

// route is a root route with the given timers, grouping by alertname.
func newRouteConfig(wait, interval, repeat string) route.Config {
	return route.Config{Receiver: "ops", GroupBy: []string{"alertname"},
		GroupWait: duration(wait), GroupInterval: duration(interval), RepeatInterval: duration(repeat)}
}

func passing(text string) error { return &notify.Error{Class: notify.Retry, Message: text} }
func final(text string) error   { return &notify.Error{Class: notify.Permanent, Message: text} }

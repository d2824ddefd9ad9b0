package dispatch_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/store"
)

// items counts what the store holds, by kind.
func (w *world) items() map[string]int {
	w.t.Helper()
	all := map[string]int{}
	for after := ""; ; {
		page, err := w.store.List(w.t.Context(), "", after, 1000)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, it := range page {
			after = it.Key
			kind, _, _ := strings.Cut(it.Key, "/")
			all[kind]++
		}
		if len(page) < 1000 {
			return all
		}
	}
}

// Alerts that nobody has seen before come and go for days, are inhibited,
// silenced, refused for good, and never ended by their source. The store grows
// no further than in the first days, and when no more come it empties itself.
func TestStoreForgets(t *testing.T) {
	c := &channel{}
	in := integration(c, "robot")
	in.Kind.Quotas = []notify.Quota{{Messages: 20, Per: time.Minute}}
	r := newRouteConfig("10s", "1m", "1h")
	r.GroupBy = []string{"topic"}
	w := newWorld(t, r, &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{in}})
	w.config.InhibitRules = []inhibit.Rule{{SourceMatchers: []string{"kind=source"}, TargetMatchers: []string{"kind=target"}, Equal: []string{"topic"}}}
	w.restart(r)
	step := func(n int) time.Time { return at(float64(600 * n)) } // ten minutes each
	tick := func(n int) {
		t.Helper()
		if err := w.engine.WatchTicks(t.Context(), step(n), 2*time.Hour); err != nil {
			t.Fatal(err)
		}
		w.tick(step(n))
		c.said = nil
	}
	make := func(n int, kind string) *alert.Alert {
		return &alert.Alert{Labels: alert.Labels{"alertname": "A", "topic": fmt.Sprint("t", n), "kind": kind}, StartsAt: step(n)}
	}
	churn := func(n int) {
		t.Helper()
		if n%3 == 0 {
			w.silence(step(n), topicSilence(fmt.Sprint("t", n), float64(600*n), float64(600*n+1200)))
		}
		if n%5 == 0 {
			c.fail(final("refused"))
		}
		var alerts []*alert.Alert
		for _, kind := range []string{"source", "target", "other"} {
			alerts = append(alerts, make(n, kind))
			if n >= 15 {
				over := make(n-15, kind)
				over.EndsAt = step(n)
				alerts = append(alerts, over)
			}
		}
		lost := make(n, "lost") // its source never says that it is over
		lost.EndsAt, lost.Timeout = step(n+5), true
		late := make(n, "late") // it is over when it is first heard of
		late.EndsAt = step(n)
		if err := w.engine.Ingest(t.Context(), step(n), append(alerts, lost, late)); err != nil {
			t.Fatal(err)
		}
		tick(n)
	}

	const day = 24 * 6
	n := 0
	for ; n < 7*day; n++ {
		churn(n)
	}
	week := w.items()
	for ; n < 9*day; n++ {
		churn(n)
	}
	later := w.items()
	for kind, before := range week {
		if kind == "dead" {
			continue // kept for 30 days
		}
		if now := later[kind]; now > before+before/20+5 {
			t.Errorf("%s: %d after a week, %d two days later", kind, before, now)
		}
	}
	if later["dead"] < 100 || later["silence"] < 100 || later["source"] < 10 || later["alert"] < 45 || later["log"] < 20 {
		t.Errorf("too little is going on: %v", later)
	}
	// The last ones end, and then it is quiet.
	for range 15 {
		var alerts []*alert.Alert
		for _, kind := range []string{"source", "target", "other"} {
			over := make(n-15, kind)
			over.EndsAt = step(n)
			alerts = append(alerts, over)
		}
		if err := w.engine.Ingest(t.Context(), step(n), alerts); err != nil {
			t.Fatal(err)
		}
		tick(n)
		n++
	}
	for end := n + 31*day; n < end; n += 6 {
		tick(n)
	}
	if left := w.items(); len(left) != 1 || left["meta"] != 2 {
		t.Errorf("a month later there is still %v", left)
	}
}

// A silence that is over can be seen for as long as --data.retention says.
func TestRetention(t *testing.T) {
	for retention, want := range map[time.Duration]time.Duration{0: 120 * time.Hour, time.Hour: time.Hour} {
		w := newWorld(t, newRouteConfig("10s", "1m", "1h"), &outbox.Receiver{Name: "ops"})
		w.config.Retention = retention
		w.restart(newRouteConfig("10s", "1m", "1h"))
		w.silence(at(0), topicSilence("a", 0, 600))
		seen := func(now time.Time) int {
			// Whatever is written lets the store forget what expired before.
			if err := w.store.Commit(t.Context(), now, store.Change{Key: "test/clock", Value: []byte{1}}); err != nil {
				t.Fatal(err)
			}
			return w.items()["silence"]
		}
		over := at(600).Add(want)
		if before, after := seen(over.Add(-time.Second)), seen(over.Add(time.Second)); before != 1 || after != 0 {
			t.Errorf("retention %v: %d silences a second before %v have passed, %d a second later", retention, before, want, after)
		}
	}
}

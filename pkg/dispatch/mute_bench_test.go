package dispatch_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/outbox"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
	"tocsin/pkg/silence"
	"tocsin/pkg/store"
	"tocsin/pkg/store/bolt"
	"tocsin/pkg/store/memory"
)

// BenchmarkFlush flushes 1,000 groups of five alerts each, all of which are notified:
// without silences and inhibition, and with 10,000 silences, 100 of them by regular
// expressions, and 100 rules with 400 sources. Nothing is muted, so that the difference
// is the cost of finding that out. It must stay below half of the time without them.
func BenchmarkFlush(b *testing.B) {
	for _, open := range []struct {
		name  string
		store func(b *testing.B) store.Store
	}{
		{"memory", func(*testing.B) store.Store { return memory.New() }},
		{"bolt", func(b *testing.B) store.Store {
			s, err := bolt.Open(b.Context(), filepath.Join(b.TempDir(), "db"))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { s.Close() })
			return s
		}},
	} {
		b.Run(open.name+"/plain", func(b *testing.B) { benchmarkFlush(b, open.store(b), 0, 0) })
		b.Run(open.name+"/10000 silences and 100 rules", func(b *testing.B) { benchmarkFlush(b, open.store(b), 10_000, 100) })
	}
}

func benchmarkFlush(b *testing.B, st store.Store, silences, rules int) {
	root := newRoute("0s", "1m", "1m")
	root.GroupBy = []string{"instance"}
	channel := &outboxtest.Channel{}
	config := dispatch.Config{Route: &root, Receivers: []*outbox.Receiver{outboxtest.Receiver("ops", "test", channel)}}
	for i := range rules {
		config.InhibitRules = append(config.InhibitRules, inhibit.Rule{
			SourceMatchers: []string{fmt.Sprintf("alertname=Down%d", i)}, TargetMatchers: []string{fmt.Sprintf("alertname=~Lag%d|Slow%d", i, i)}, Equal: []string{"zone"},
		})
	}
	var faults setting.Faults
	root.Validate(&faults, route.Names{Receivers: []string{"ops"}})
	engine, err := dispatch.New(st, config, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	for i := range silences {
		m := silence.Matcher{Name: "instance", Value: fmt.Sprint("other", i), IsEqual: true}
		if i%100 == 0 {
			m.IsRegex, m.Value = true, m.Value+".*"
		}
		if _, err := engine.Silences().Set(b.Context(), at(0), silence.Silence{Matchers: []silence.Matcher{m}, StartsAt: at(0), EndsAt: at(1e9)}); err != nil {
			b.Fatal(err)
		}
	}
	var alerts []*alert.Alert
	for g := range 1000 {
		for n := range 5 {
			alerts = append(alerts, &alert.Alert{StartsAt: at(0), Labels: alert.Labels{
				"alertname": fmt.Sprint("Lag", (g+n)%100), "instance": fmt.Sprint(g), "zone": fmt.Sprint(g % 10), "severity": "warning", "job": fmt.Sprint(n),
			}})
		}
	}
	for n := range 400 {
		alerts = append(alerts, &alert.Alert{StartsAt: at(0), Labels: alert.Labels{"alertname": fmt.Sprint("Down", n%100), "zone": fmt.Sprint("other", n)}})
	}
	if err := engine.Ingest(b.Context(), at(0), alerts); err != nil {
		b.Fatal(err)
	}
	now := at(0)
	for b.Loop() {
		sum, err := engine.Tick(b.Context(), now)
		if err != nil || sum.Sent < 1000 {
			b.Fatalf("got %d sent, %v, want at least 1000", sum.Sent, err)
		}
		channel.Take()
		now = now.Add(time.Minute)
	}
}

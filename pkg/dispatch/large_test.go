package dispatch_test

import (
	"fmt"
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/outbox/outboxtest"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// TestLargeGroup has a group whose notification log and whose notification are larger
// than a stored value may be.
func TestLargeGroup(t *testing.T) {
	const size = 55_000
	c := &outboxtest.Channel{}
	e := newEnvOn(t, store.WithLargeValues(memory.New()), newRoute("10s", "5m", "1h"), outboxtest.Receiver("ops", "test", c))
	alerts := make([]*alert.Alert, size)
	for i := range alerts {
		alerts[i] = lagAlerts(at(0), fmt.Sprintf("topic%05d", i))[0]
	}
	expect := func(reason string, firing, resolved int) {
		t.Helper()
		got := c.Take()
		if len(got) != 1 {
			t.Fatalf("%s: got %d notifications, want 1", reason, len(got))
		}
		if n := got[0]; n.Reason != reason || len(n.Firing()) != firing || len(n.Resolved()) != resolved {
			t.Errorf("got %s of %d firing and %d resolved, want %s of %d and %d", n.Reason, len(n.Firing()), len(n.Resolved()), reason, firing, resolved)
		}
	}
	e.ingest(at(0), alerts...)
	e.tick(at(10))
	expect("first notification", size, 0)
	e.tick(at(310))
	expectLines(t, c)

	e.fire(at(400), "new")
	e.tick(at(610))
	expect("new alerts added", size+1, 0)

	for _, a := range append(alerts, lagAlerts(at(400), "new")...) {
		a.EndsAt = at(700)
	}
	e.ingest(at(700), alerts...)
	e.resolve(at(700), "new")
	e.tick(at(910))
	expect("all alerts resolved", 0, size+1)
}

// TestLargeFlush has a flush that removes as many alerts as one may, each a source of
// many rules of inhibition, and marks as many as muted.
func TestLargeFlush(t *testing.T) {
	const size, rules = 2000, 12
	e, c := newChannelEnv(t, newRoute("0s", "1m", "1h"))
	for i := range rules {
		e.config.InhibitRules = append(e.config.InhibitRules, inhibit.Rule{
			SourceMatchers: []string{"alertname=Lag"}, TargetMatchers: []string{fmt.Sprintf("alertname=Target%d", i)},
		})
	}
	e.reopen(newRoute("0s", "1m", "1h"))
	ended, muted := numbered("ended", size), numbered("muted", size)
	e.fire(at(0), ended...)
	e.tick(at(0))
	if got := c.Take(); len(got) != 1 {
		t.Fatalf("got %d notifications, want 1", len(got))
	}
	s := topicSilence("muted.*", 10, 1000)
	s.Matchers[0].IsRegex = true
	e.silence(at(10), s)
	e.fire(at(20), muted...)
	e.resolve(at(20), ended...)
	e.tick(at(60))
	if got := c.Take(); len(got) != 1 || len(got[0].Resolved()) != size {
		t.Errorf("got %d notifications, want one of %d alerts that have resolved", len(got), size)
	}
}

package dispatch_test

import (
	"testing"

	"tocsin/pkg/outbox"
)

// A restart moves the rhythm of a group that was said, says nothing twice, and
// leaves a group_wait alone.
func TestRestart(t *testing.T) {
	c := &channel{}
	r := newRouteConfig("10s", "60s", "1h")
	r.GroupBy = []string{"topic"}
	w := newWorld(t, r, &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{integration(c, "chat")}})
	w.fire(at(0), "old")
	w.tick(at(10))
	w.expect(c, "first notification:old;")

	w.fire(at(25), "young")
	w.resolve(at(25), "old")
	if err := w.engine.Restart(t.Context(), at(30)); err != nil {
		t.Fatal(err)
	}
	w.tick(at(30))
	w.expect(c, "all alerts resolved:;old") // it would have been at 70
	w.tick(at(34))
	w.expect(c)
	w.tick(at(35))
	w.expect(c, "first notification:young;")

	if err := w.engine.Restart(t.Context(), at(50)); err != nil {
		t.Fatal(err)
	}
	w.tick(at(50))
	w.expect(c) // nothing new
	w.resolve(at(60), "young")
	w.tick(at(109))
	w.expect(c)
	w.tick(at(110)) // 50 and an interval; without the restart it was 95
	w.expect(c, "all alerts resolved:;young")
}

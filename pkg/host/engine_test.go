package host_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/host"
	"tocsin/pkg/notify"
	"tocsin/pkg/setting"
)

// channel notes what it is asked to say, one line each: when in seconds since t0,
// why, which hosts fire and which are back.
type channel struct {
	now  float64
	said []string
}

func (c *channel) Messages(n *alert.Notification) ([]notify.Message, error) {
	line := fmt.Sprintf("%v %s: %s; %s", c.now, n.Reason, hostsOf(n.Firing()), hostsOf(n.Resolved()))
	return []notify.Message{{Target: "test", Units: []string{"1"}, Send: func(context.Context) []notify.Outcome {
		c.said = append(c.said, line)
		return notify.Outcomes([]string{"1"}, nil)
	}}}, nil
}

func hostsOf(alerts []*alert.Alert) string {
	var ids []string
	for _, a := range alerts {
		ids = append(ids, a.Labels["host"])
	}
	if len(ids) > 3 {
		return fmt.Sprint(len(ids), " hosts")
	}
	return strings.Join(ids, ",")
}

// town is a world whose alerts go to the real engine.
type town struct {
	*world
	engine  *dispatch.Engine
	channel *channel
}

func newTown(t *testing.T, c host.Config, schedule ...string) *town {
	t.Helper()
	town := &town{world: newWorld(t, c), channel: &channel{}}
	route := dispatch.RouteConfig{Receiver: "ops", GroupBy: []string{"alertname", "project"}, GroupWait: duration("0s"), GroupInterval: duration("1m")}
	for _, age := range schedule {
		route.RepeatSchedule = append(route.RepeatSchedule, *duration(age))
	}
	var f setting.Faults
	route.Validate(&f, dispatch.Names{Receivers: []string{"ops"}})
	if len(f.List()) > 0 {
		t.Fatal(f.List())
	}
	ops := &dispatch.Receiver{Name: "ops", Integrations: []dispatch.Integration{{Kind: notify.Kind{Name: "test"}, SendResolved: true, Notifier: town.channel}}}
	var err error
	if town.engine, err = dispatch.New(town.store, dispatch.Config{Route: &route, Receivers: []*dispatch.Receiver{ops}}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	town.watch.Ingest, town.reg.Ingest = town.engine.Ingest, town.engine.Ingest
	return town
}

// tick is what the hosts function does on its timer.
func (w *town) tick(seconds float64) {
	w.t.Helper()
	w.channel.now = seconds
	w.check(seconds)
	if _, err := w.engine.Tick(w.t.Context(), at(seconds)); err != nil {
		w.t.Fatalf("tick at %v: %v", seconds, err)
	}
}

func (w *town) heard(want ...string) {
	w.t.Helper()
	if got := w.channel.said; !slices.Equal(got, want) {
		w.t.Fatalf("said\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	w.channel.said = nil
}

var ladder = []string{"1m", "10m", "1h", "4h", "24h"}

// The ladder of an old monitoring script: a host is told to be silent after one
// minute, ten minutes, an hour, four hours and a day, to the second, and no more.
func TestLadder(t *testing.T) {
	w := newTown(t, linux("web-1"), ladder...)
	w.report(0, "web-1")
	for s := 0.0; s <= 3*86400; s += 60 {
		w.tick(s)
	}
	w.heard(
		"60 first notification: web-1; ",
		"600 repeat interval elapsed: web-1; ",
		"3600 repeat interval elapsed: web-1; ",
		"14400 repeat interval elapsed: web-1; ",
		"86400 repeat interval elapsed: web-1; ",
	)
	w.report(3*86400+5, "web-1")
	for s := 3*86400 + 60.0; s < 3*86400+600; s += 60 {
		w.report(s, "web-1")
		w.tick(s)
	}
	w.heard("259260 all alerts resolved: ; web-1")
}

// Late and missed ticks neither skip nor double a step: what is late is said once,
// at the next tick, and what comes after is on time.
func TestLadderOverMissedTicks(t *testing.T) {
	w := newTown(t, linux("web-1"), ladder...)
	w.report(0, "web-1")
	missed := func(s float64) bool {
		return s == 60 || s == 600 || s > 3540 && s < 3720 || s > 14000 && s < 15000
	}
	for s := 0.0; s <= 2*86400; s += 60 {
		if !missed(s) {
			w.tick(s)
		}
	}
	w.heard(
		"180 first notification: web-1; ", // the missed check is a gap at first
		"660 repeat interval elapsed: web-1; ",
		"3720 repeat interval elapsed: web-1; ",
		"15000 repeat interval elapsed: web-1; ",
		"86400 repeat interval elapsed: web-1; ",
	)
}

// All hosts of a site fall silent in a power cut, and come back one after the
// other: one message tells the first, and one the end.
func TestSiteOutage(t *testing.T) {
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprintf("web-%02d", i))
	}
	c := linux(append(ids, "other")...)
	c.Hosts[40].Labels = alert.Labels{"project": "crm"}
	w := newTown(t, c, ladder...)
	w.tick(0)
	for i, id := range ids {
		w.report(float64(30+i)/4, id) // their last reports before the cut
	}
	for s := 0.0; s <= 300; s += 15 {
		w.report(s, "other")
		if int(s)%60 == 0 {
			w.tick(s)
		}
	}
	w.heard("120 first notification: 40 hosts; ")
	for i, id := range ids {
		w.report(float64(301+i), id)
	}
	for s := 315.0; s <= 600; s += 15 {
		w.report(s, append(ids, "other")...)
		if int(s)%60 == 0 {
			w.tick(s)
		}
	}
	w.heard("360 all alerts resolved: ; 40 hosts")
}

// A host that comes and goes is told as often as it went for longer than it may,
// and each time that it is back.
func TestFlappingIsTold(t *testing.T) {
	w := newTown(t, linux("web-1"), ladder...)
	for s := 0.0; s < 3600; s += 15 {
		if int(s)%600 < 300 {
			w.report(s, "web-1")
		}
		if int(s)%60 == 0 {
			w.tick(s)
		}
	}
	// The last report of each ten minutes is 285 s in, the first of the next 600.
	var want []string
	for ten := 0.0; ten < 3600; ten += 600 {
		want = append(want, fmt.Sprintf("%v first notification: web-1; ", ten+360))
		if ten < 3000 {
			want = append(want, fmt.Sprintf("%v all alerts resolved: ; web-1", ten+600))
		}
	}
	w.heard(want...)
}

// The end is told once, however often the store fails while it is told.
func TestBackIsToldOnce(t *testing.T) {
	w := newTown(t, linux("web-1"), "1h")
	w.report(0, "web-1")
	w.tick(0)
	w.tick(60)
	w.report(70, "web-1")
	real := w.watch.Ingest
	w.watch.Ingest = func(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
		if err := real(ctx, now, alerts); err != nil {
			return err
		}
		return context.DeadlineExceeded // the answer was lost
	}
	for s := 75.0; s < 100; s += 10 {
		if _, err := w.watch.Check(t.Context(), at(s)); err == nil {
			t.Error("no error")
		}
		w.report(s, "web-1")
	}
	w.watch.Ingest = real
	for s := 120.0; s < 600; s += 60 {
		w.report(s, "web-1")
		w.tick(s)
	}
	w.heard("60 first notification: web-1; ", "120 all alerts resolved: ; web-1")
}

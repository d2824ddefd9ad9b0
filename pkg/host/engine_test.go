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
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
)

// testNotifier records the notifications, one line each: the time in seconds since
// t0, the reason, the hosts that fire and those that are resolved.
type testNotifier struct {
	now  float64
	sent []string
}

func (n *testNotifier) Messages(no *alert.Notification) ([]notify.Message, error) {
	line := fmt.Sprintf("%v %s: %s; %s", n.now, no.Reason, hostsOf(no.Firing()), hostsOf(no.Resolved()))
	return []notify.Message{{Target: "test", Units: []string{"1"}, Send: func(context.Context) []notify.Outcome {
		n.sent = append(n.sent, line)
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

// engineEnv is a testEnv whose alerts go to the dispatch engine.
type engineEnv struct {
	*testEnv
	engine   *dispatch.Engine
	notifier *testNotifier
}

func newEngineEnv(t *testing.T, c host.Config, schedule ...string) *engineEnv {
	t.Helper()
	e := &engineEnv{testEnv: newTestEnv(t, c), notifier: &testNotifier{}}
	root := route.Config{Receiver: "ops", GroupBy: []string{"alertname", "project"}, GroupWait: duration("0s"), GroupInterval: duration("1m")}
	for _, age := range schedule {
		root.RepeatSchedule = append(root.RepeatSchedule, *duration(age))
	}
	var f setting.Faults
	root.Validate(&f, route.Names{Receivers: []string{"ops"}})
	if len(f.List()) > 0 {
		t.Fatalf("route: got %v, want no faults", f.List())
	}
	ops := &outbox.Receiver{Name: "ops", Integrations: []outbox.Integration{{Kind: notify.Kind{Name: "test"}, SendResolved: true, Notifier: e.notifier}}}
	var err error
	if e.engine, err = dispatch.New(e.store, dispatch.Config{Route: &root, Receivers: []*outbox.Receiver{ops}}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	e.watcher.Ingest, e.registry.Ingest = e.engine.Ingest, e.engine.Ingest
	return e
}

// tick runs a check and a tick of the engine, as the hosts function does.
func (e *engineEnv) tick(seconds float64) {
	e.t.Helper()
	e.notifier.now = seconds
	e.check(seconds)
	if _, err := e.engine.Tick(e.t.Context(), at(seconds)); err != nil {
		e.t.Fatalf("at %v: tick: got %v, want nil", seconds, err)
	}
}

// wantSent compares the notifications since the last call.
func (e *engineEnv) wantSent(want ...string) {
	e.t.Helper()
	if got := e.notifier.sent; !slices.Equal(got, want) {
		e.t.Fatalf("got notifications\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	e.notifier.sent = nil
}

// repeatSchedule is the one of docs/hosts.md.
var repeatSchedule = []string{"1m", "10m", "1h", "4h", "24h"}

// An offline host is notified at each age of the schedule, to the second, and not
// again.
func TestRepeatSchedule(t *testing.T) {
	e := newEngineEnv(t, newConfig("web-1"), repeatSchedule...)
	e.report(0, "web-1")
	for s := 0.0; s <= 3*86400; s += 60 {
		e.tick(s)
	}
	e.wantSent(
		"60 first notification: web-1; ",
		"600 repeat interval elapsed: web-1; ",
		"3600 repeat interval elapsed: web-1; ",
		"14400 repeat interval elapsed: web-1; ",
		"86400 repeat interval elapsed: web-1; ",
	)
	e.report(3*86400+5, "web-1")
	for s := 3*86400 + 60.0; s < 3*86400+600; s += 60 {
		e.report(s, "web-1")
		e.tick(s)
	}
	e.wantSent("259260 all alerts resolved: ; web-1")
}

// A notification that is due during missed ticks is sent once, by the next tick. The
// later ones are on time.
func TestRepeatScheduleWithMissedTicks(t *testing.T) {
	e := newEngineEnv(t, newConfig("web-1"), repeatSchedule...)
	e.report(0, "web-1")
	missed := func(s float64) bool {
		return s == 60 || s == 600 || s > 3540 && s < 3720 || s > 14000 && s < 15000
	}
	for s := 0.0; s <= 2*86400; s += 60 {
		if !missed(s) {
			e.tick(s)
		}
	}
	e.wantSent(
		"180 first notification: web-1; ", // the missed check delays the first one
		"660 repeat interval elapsed: web-1; ",
		"3720 repeat interval elapsed: web-1; ",
		"15000 repeat interval elapsed: web-1; ",
		"86400 repeat interval elapsed: web-1; ",
	)
}

// All hosts of a site go offline in a power failure, and report again one after
// the other: there is one notification of the outage and one of its end.
func TestSiteOutage(t *testing.T) {
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprintf("web-%02d", i))
	}
	c := newConfig(append(ids, "other")...)
	c.Hosts[40].Labels = alert.Labels{"project": "crm"}
	e := newEngineEnv(t, c, repeatSchedule...)
	e.tick(0)
	for i, id := range ids {
		e.report(float64(30+i)/4, id) // their last reports
	}
	for s := 0.0; s <= 300; s += 15 {
		e.report(s, "other")
		if int(s)%60 == 0 {
			e.tick(s)
		}
	}
	e.wantSent("120 first notification: 40 hosts; ")
	for i, id := range ids {
		e.report(float64(301+i), id)
	}
	for s := 315.0; s <= 600; s += 15 {
		e.report(s, append(ids, "other")...)
		if int(s)%60 == 0 {
			e.tick(s)
		}
	}
	e.wantSent("360 all alerts resolved: ; 40 hosts")
}

// Each outage of a host that is longer than OfflineAfter is notified, and so is its
// end.
func TestFlappingHostIsNotified(t *testing.T) {
	e := newEngineEnv(t, newConfig("web-1"), repeatSchedule...)
	for s := 0.0; s < 3600; s += 15 {
		if int(s)%600 < 300 {
			e.report(s, "web-1")
		}
		if int(s)%60 == 0 {
			e.tick(s)
		}
	}
	// In each ten minutes the last report is at 285 s, the next one at 600 s.
	var want []string
	for ten := 0.0; ten < 3600; ten += 600 {
		want = append(want, fmt.Sprintf("%v first notification: web-1; ", ten+360))
		if ten < 3000 {
			want = append(want, fmt.Sprintf("%v all alerts resolved: ; web-1", ten+600))
		}
	}
	e.wantSent(want...)
}

// The end of an outage is notified once, however often Ingest fails.
func TestResolvedIsNotifiedOnce(t *testing.T) {
	e := newEngineEnv(t, newConfig("web-1"), "1h")
	e.report(0, "web-1")
	e.tick(0)
	e.tick(60)
	e.report(70, "web-1")
	ingest := e.watcher.Ingest
	e.watcher.Ingest = func(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
		if err := ingest(ctx, now, alerts); err != nil {
			return err
		}
		return context.DeadlineExceeded // the response was lost
	}
	for s := 75.0; s < 100; s += 10 {
		if _, err := e.watcher.Check(t.Context(), at(s)); err == nil {
			t.Error("got nil, want an error")
		}
		e.report(s, "web-1")
	}
	e.watcher.Ingest = ingest
	for s := 120.0; s < 600; s += 60 {
		e.report(s, "web-1")
		e.tick(s)
	}
	e.wantSent("60 first notification: web-1; ", "120 all alerts resolved: ; web-1")
}

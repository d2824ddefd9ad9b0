package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/host"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// t0 is when every test begins.
var t0 = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)

// at is a time given in seconds since t0.
func at(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

func duration(s string) *setting.Duration {
	var d setting.Duration
	if err := d.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return &d
}

func pattern(s string) setting.Pattern {
	p, err := setting.NewPattern(s)
	if err != nil {
		panic(err)
	}
	return p
}

func texts(t testing.TB, pairs ...string) map[string]setting.Template {
	t.Helper()
	m := map[string]setting.Template{}
	for i := 0; i < len(pairs); i += 2 {
		text, err := setting.NewTemplate(pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		m[pairs[i]] = text
	}
	return m
}

func ptr[T any](v T) *T { return &v }

// linux is a configuration with hosts that report CPU, memory and disks.
func linux(ids ...string) host.Config {
	every := *duration("15s")
	c := host.Config{
		OfflineAfter: duration("1m"),
		Templates: []host.Template{{Name: "linux", Services: map[string]host.ServiceConfig{
			"LinuxCPU": {Plugin: "cpu", Interval: every}, "LinuxMemory": {Plugin: "memory", Interval: every}, "LinuxDisk": {Plugin: "disk", Interval: every},
		}}},
		Groups: []host.Group{{Name: "web", Templates: []string{"linux"}, Labels: alert.Labels{"project": "oms"}}},
	}
	for _, id := range ids {
		c.Hosts = append(c.Hosts, host.InventoryEntry{ID: id, Groups: []string{"web"}})
	}
	return c
}

// ear hears alerts as the engine does: words about one alert are merged.
type ear struct {
	known map[alert.Fingerprint]*alert.Alert
	words []*alert.Alert
	err   error
}

func (e *ear) Ingest(_ context.Context, now time.Time, alerts []*alert.Alert) error {
	if e.err != nil {
		return e.err
	}
	if e.known == nil {
		e.known = map[alert.Fingerprint]*alert.Alert{}
	}
	for _, a := range alerts {
		in := *a
		in.UpdatedAt = now
		next := &in
		if old := e.known[a.Fingerprint()]; old != nil {
			next = alert.Merge(old, next)
		}
		e.known[a.Fingerprint()] = next
	}
	e.words = append(e.words, alerts...)
	return nil
}

// heard returns the words since it was last asked, one line each: what, of which
// host, since when and until when, in seconds since t0.
func (e *ear) heard() string {
	lines := make([]string, len(e.words))
	for i, a := range e.words {
		lines[i] = brief(a)
	}
	e.words = nil
	return strings.Join(lines, "\n")
}

func brief(a *alert.Alert) string {
	line := a.Name() + " " + a.Labels["host"]
	if mount := a.Labels["mount"]; mount != "" {
		line += " " + mount
	}
	line += fmt.Sprint(" ", a.StartsAt.Sub(t0).Seconds())
	if !a.EndsAt.IsZero() {
		line += fmt.Sprint("-", a.EndsAt.Sub(t0).Seconds())
	}
	return line
}

// firing returns what fires as of now.
func (e *ear) firing(now time.Time) []string {
	var out []string
	for _, a := range e.known {
		if !a.ResolvedAt(now) {
			out = append(out, brief(a))
		}
	}
	slices.Sort(out)
	return out
}

// world is an inventory on a store, and who hears of it.
type world struct {
	t      testing.TB
	store  store.Store
	ear    *ear
	within func(interval string, t time.Time) bool
	reg    *host.Registry
	watch  *host.Watcher
}

func newWorld(t testing.TB, c host.Config) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), ear: &ear{}}
	w.load(c)
	return w
}

// load begins anew with a configuration, which must have no fault, on the store
// that there is.
func (w *world) load(c host.Config) {
	w.t.Helper()
	var f setting.Faults
	c.Validate(&f, c.Ignore)
	for _, fault := range f.List() {
		if !fault.Warning {
			w.t.Fatalf("configuration: %v %s", fault.Path, fault.Message)
		}
	}
	inv := host.NewInventory(&c)
	log := slog.New(slog.DiscardHandler)
	w.reg = &host.Registry{Store: w.store, Inventory: inv, Ingest: w.ear.Ingest, Language: "en", Log: log}
	w.watch = &host.Watcher{Store: w.store, Inventory: inv, Ingest: w.ear.Ingest, Language: "en", Log: log,
		InTimeInterval: func(interval string, t time.Time) bool { return w.within != nil && w.within(interval, t) }}
}

// report takes in the CPU of hosts, at a time in seconds.
func (w *world) report(seconds float64, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.send(seconds, id, host.Report{Service: "LinuxCPU", Data: json.RawMessage(`{"usage_percent": 12.5}`), Address: "10.0.0.1"})
	}
}

func (w *world) send(seconds float64, id string, rep host.Report) {
	w.t.Helper()
	if _, err := w.reg.Report(w.t.Context(), at(seconds), id, rep); err != nil {
		w.t.Fatalf("%s at %v: %v", id, seconds, err)
	}
}

func (w *world) check(seconds float64) host.CheckResult {
	w.t.Helper()
	sum, err := w.watch.Check(w.t.Context(), at(seconds))
	if err != nil {
		w.t.Fatalf("check at %v: %v", seconds, err)
	}
	return sum
}

// expect checks at a time, and what is heard of it.
func (w *world) expect(seconds float64, want ...string) {
	w.t.Helper()
	w.check(seconds)
	if got := w.ear.heard(); got != strings.Join(want, "\n") {
		w.t.Fatalf("at %v heard\n%s\nwant\n%s", seconds, got, strings.Join(want, "\n"))
	}
}

// counting counts what is asked of a store, and the items that it returns.
type counting struct {
	store.Store
	gets, lists, dues, nexts, commits, items int
}

func (c *counting) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	c.gets++
	items, err := c.Store.Get(ctx, keys...)
	c.items += len(items)
	return items, err
}

func (c *counting) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	c.lists++
	items, err := c.Store.List(ctx, prefix, after, limit)
	c.items += len(items)
	return items, err
}

func (c *counting) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	c.dues++
	items, err := c.Store.Due(ctx, kind, now, limit)
	c.items += len(items)
	return items, err
}

func (c *counting) NextDue(ctx context.Context, kinds ...string) (time.Time, error) {
	c.nexts++
	return c.Store.NextDue(ctx, kinds...)
}

func (c *counting) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	c.commits++
	return c.Store.Commit(ctx, now, changes...)
}

func utc(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// offline is the alert of a host that is silent since a time in seconds.
func offline(id string, since float64) *alert.Alert {
	return &alert.Alert{Labels: alert.Labels{"alertname": "HostOffline", "host": id}, StartsAt: at(since)}
}

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

// t0 is the time at which every test begins.
var t0 = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)

// at returns the time that is so many seconds after t0.
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

// templates parses pairs of a name and a template.
func templates(t testing.TB, pairs ...string) map[string]setting.Template {
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

// newConfig returns a configuration with hosts that report CPU, memory and disks.
func newConfig(ids ...string) host.Config {
	interval := *duration("15s")
	c := host.Config{
		OfflineAfter: duration("1m"),
		Templates: []host.Template{{Name: "linux", Services: map[string]host.ServiceConfig{
			"LinuxCPU": {Plugin: "cpu", Interval: interval}, "LinuxMemory": {Plugin: "memory", Interval: interval}, "LinuxDisk": {Plugin: "disk", Interval: interval},
		}}},
		Groups: []host.Group{{Name: "web", Templates: []string{"linux"}, Labels: alert.Labels{"project": "oms"}}},
	}
	for _, id := range ids {
		c.Hosts = append(c.Hosts, host.InventoryEntry{ID: id, Groups: []string{"web"}})
	}
	return c
}

// cpuHigh is a rule without For and Clear.
func cpuHigh() host.Rule {
	return host.Rule{Alert: "HostCPUHigh", Value: "cpu.usage_percent", Above: ptr(90.0)}
}

// cpu returns the data of the cpu plugin.
func cpu(v any) string { return fmt.Sprintf(`{"usage_percent": %v}`, v) }

// alertRecorder ingests alerts. It merges them as the dispatch engine does.
type alertRecorder struct {
	merged   map[alert.Fingerprint]*alert.Alert
	received []*alert.Alert
	err      error // returned instead of recording
}

func (r *alertRecorder) Ingest(_ context.Context, now time.Time, alerts []*alert.Alert) error {
	if r.err != nil {
		return r.err
	}
	if r.merged == nil {
		r.merged = map[alert.Fingerprint]*alert.Alert{}
	}
	for _, a := range alerts {
		in := *a
		in.UpdatedAt = now
		next := &in
		if old := r.merged[a.Fingerprint()]; old != nil {
			next = alert.Merge(old, next)
		}
		r.merged[a.Fingerprint()] = next
	}
	r.received = append(r.received, alerts...)
	return nil
}

// takeReceived returns the alerts that were received since the last call, one line
// each; see summary.
func (r *alertRecorder) takeReceived() string {
	lines := make([]string, len(r.received))
	for i, a := range r.received {
		lines[i] = summary(a)
	}
	r.received = nil
	return strings.Join(lines, "\n")
}

// summary returns an alert's name, host, start and end, the times in seconds since
// t0: "HostOffline web-1 0-61".
func summary(a *alert.Alert) string {
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

// firing returns the merged alerts that fire at a time in seconds, in order.
func (r *alertRecorder) firing(seconds float64) []string {
	var out []string
	for _, a := range r.merged {
		if !a.ResolvedAt(at(seconds)) {
			out = append(out, summary(a))
		}
	}
	slices.Sort(out)
	return out
}

// testEnv is a registry and a watcher on one store, with a recorder of their
// alerts.
type testEnv struct {
	t              testing.TB
	store          store.Store
	alerts         *alertRecorder
	inTimeInterval func(interval string, t time.Time) bool
	registry       *host.Registry
	watcher        *host.Watcher
}

func newTestEnv(t testing.TB, c host.Config) *testEnv {
	t.Helper()
	e := &testEnv{t: t, store: memory.New(), alerts: &alertRecorder{}}
	e.reload(c)
	return e
}

// newRuleEnv returns a testEnv with the host web-1 and rules.
func newRuleEnv(t testing.TB, rules ...host.Rule) *testEnv {
	t.Helper()
	c := newConfig("web-1")
	c.Rules = rules
	return newTestEnv(t, c)
}

// reload replaces the registry and the watcher by ones with a new configuration,
// which must have no faults.
func (e *testEnv) reload(c host.Config) {
	e.t.Helper()
	var f setting.Faults
	c.Validate(&f, c.Ignore)
	for _, fault := range f.List() {
		if !fault.Warning {
			e.t.Fatalf("configuration: got %v %s, want no fault", fault.Path, fault.Message)
		}
	}
	inv := host.NewInventory(&c)
	log := slog.New(slog.DiscardHandler)
	e.registry = &host.Registry{Store: e.store, Inventory: inv, Ingest: e.alerts.Ingest, Language: "en", Log: log}
	e.watcher = &host.Watcher{Store: e.store, Inventory: inv, Ingest: e.alerts.Ingest, Language: "en", Log: log,
		InTimeInterval: func(interval string, t time.Time) bool {
			return e.inTimeInterval != nil && e.inTimeInterval(interval, t)
		}}
}

// report sends a CPU report of each host.
func (e *testEnv) report(seconds float64, ids ...string) {
	e.t.Helper()
	for _, id := range ids {
		e.send(seconds, id, host.Report{Service: "LinuxCPU", Data: json.RawMessage(cpu(12.5)), Address: "10.0.0.1"})
	}
}

func (e *testEnv) send(seconds float64, id string, rep host.Report) {
	e.t.Helper()
	if _, err := e.registry.Report(e.t.Context(), at(seconds), id, rep); err != nil {
		e.t.Fatalf("at %v: report of %s: got %v, want nil", seconds, id, err)
	}
}

func (e *testEnv) check(seconds float64) host.CheckResult {
	e.t.Helper()
	result, err := e.watcher.Check(e.t.Context(), at(seconds))
	if err != nil {
		e.t.Fatalf("at %v: check: got %v, want nil", seconds, err)
	}
	return result
}

// wantReceived fails the test unless the alerts received since the last call are
// want.
func (e *testEnv) wantReceived(seconds float64, want ...string) {
	e.t.Helper()
	if got := e.alerts.takeReceived(); got != strings.Join(want, "\n") {
		e.t.Fatalf("at %v: got alerts\n%s\nwant\n%s", seconds, got, strings.Join(want, "\n"))
	}
}

// wantCheck runs a check and compares the alerts.
func (e *testEnv) wantCheck(seconds float64, want ...string) {
	e.t.Helper()
	e.check(seconds)
	e.wantReceived(seconds, want...)
}

// wantReport sends data of web-1 and compares the alerts.
func (e *testEnv) wantReport(seconds float64, service, data string, want ...string) {
	e.t.Helper()
	e.send(seconds, "web-1", host.Report{Service: service, Data: json.RawMessage(data)})
	e.wantReceived(seconds, want...)
}

// wantFiring compares the alerts that fire after merging.
func (e *testEnv) wantFiring(seconds float64, want ...string) {
	e.t.Helper()
	if got := e.alerts.firing(seconds); !slices.Equal(got, want) {
		e.t.Errorf("at %v: got firing %q, want %q", seconds, got, want)
	}
}

// countingStore counts the calls of a store and the items that it returns.
type countingStore struct {
	store.Store
	gets, lists, dues, nextDues, commits, items int
}

func (c *countingStore) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	c.gets++
	items, err := c.Store.Get(ctx, keys...)
	c.items += len(items)
	return items, err
}

func (c *countingStore) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	c.lists++
	items, err := c.Store.List(ctx, prefix, after, limit)
	c.items += len(items)
	return items, err
}

func (c *countingStore) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	c.dues++
	items, err := c.Store.Due(ctx, kind, now, limit)
	c.items += len(items)
	return items, err
}

func (c *countingStore) NextDue(ctx context.Context, kinds ...string) (time.Time, error) {
	c.nextDues++
	return c.Store.NextDue(ctx, kinds...)
}

func (c *countingStore) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	c.commits++
	return c.Store.Commit(ctx, now, changes...)
}

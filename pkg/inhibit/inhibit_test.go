package inhibit_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/memory"
)

var now = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)

// env is an inhibitor on a store in memory, which stores alerts as JSON of labels.
type env struct {
	t         *testing.T
	store     store.Store
	inhibitor *inhibit.Inhibitor
}

func newEnv(t *testing.T, rules ...inhibit.Rule) *env {
	t.Helper()
	e := &env{t: t, store: memory.New()}
	e.reopen(rules...)
	return e
}

// reopen replaces the inhibitor by a new one with other rules on the same store.
func (e *env) reopen(rules ...inhibit.Rule) {
	e.t.Helper()
	var err error
	if e.inhibitor, err = inhibit.New(e.store, rules, slog.New(slog.DiscardHandler)); err != nil {
		e.t.Fatal(err)
	}
	if err := e.inhibitor.Sync(e.t.Context(), now, decode); err != nil {
		e.t.Fatalf("sync: got %v, want no error", err)
	}
}

func decode(it store.Item) (*alert.Alert, error) {
	a := &alert.Alert{StartsAt: now}
	_, err := store.Decode(it, &a.Labels)
	return a, err
}

// ingest stores an alert as dispatch does.
func (e *env) ingest(a *alert.Alert) {
	e.t.Helper()
	changes, err := e.inhibitor.SourceChanges(a, a.Fingerprint(), now)
	if err != nil {
		e.t.Fatal(err)
	}
	c, err := store.Encode(keyspace.Alert+a.Fingerprint().String(), a.Labels)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.store.Commit(e.t.Context(), now, append(changes, c)...); err != nil {
		e.t.Fatal(err)
	}
}

func firing(l alert.Labels) *alert.Alert {
	return &alert.Alert{Labels: l, StartsAt: now.Add(-time.Hour)}
}

// expectInhibited checks whether an alert with these labels is inhibited at a time.
func (e *env) expectInhibited(at time.Time, l alert.Labels, want bool) {
	e.t.Helper()
	by, err := e.inhibitor.At(at, noOutage).InhibitedBy(e.t.Context(), l)
	if err != nil || (by != "") != want {
		e.t.Errorf("%v: got inhibited by %q and %v, want inhibited %v", l, by, err, want)
	}
}

// sources returns the number of stored sources.
func (e *env) sources() (n int) {
	e.t.Helper()
	for page, err := range store.Pages(e.t.Context(), e.store, keyspace.Source, 1000) {
		if err != nil {
			e.t.Fatal(err)
		}
		n += len(page)
	}
	return n
}

func TestInhibitedBy(t *testing.T) {
	zoneDown := inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Lag"}, Equal: []string{"zone"}}
	ended := firing(alert.Labels{"down": "yes", "zone": "1"})
	ended.EndsAt = now.Add(-time.Second)
	for _, test := range []struct {
		name   string
		rules  []inhibit.Rule
		source *alert.Alert
		target alert.Labels
		want   bool
	}{
		{"equal labels agree", []inhibit.Rule{zoneDown}, firing(alert.Labels{"down": "yes", "zone": "1"}), alert.Labels{"alertname": "Lag", "zone": "1"}, true},
		{"equal labels differ", []inhibit.Rule{zoneDown}, firing(alert.Labels{"down": "yes", "zone": "1"}), alert.Labels{"alertname": "Lag", "zone": "2"}, false},
		{"the target lacks an equal label", []inhibit.Rule{zoneDown}, firing(alert.Labels{"down": "yes", "zone": "1"}), alert.Labels{"alertname": "Lag"}, false},
		{"both lack an equal label", []inhibit.Rule{zoneDown}, firing(alert.Labels{"down": "yes"}), alert.Labels{"alertname": "Lag"}, true},
		{"no target", []inhibit.Rule{zoneDown}, firing(alert.Labels{"down": "yes", "zone": "1"}), alert.Labels{"alertname": "Other", "zone": "1"}, false},
		{"no source", []inhibit.Rule{zoneDown}, firing(alert.Labels{"down": "no", "zone": "1"}), alert.Labels{"alertname": "Lag", "zone": "1"}, false},
		{"the source has resolved", []inhibit.Rule{zoneDown}, ended, alert.Labels{"alertname": "Lag", "zone": "1"}, false},
		{"a duplicate rule", []inhibit.Rule{zoneDown, zoneDown}, firing(alert.Labels{"down": "yes", "zone": "1"}), alert.Labels{"alertname": "Lag", "zone": "1"}, true},
		{"the second rule", []inhibit.Rule{{SourceMatchers: []string{"a=b"}, TargetMatchers: []string{"alertname=Lag"}}, zoneDown},
			firing(alert.Labels{"down": "yes", "zone": "1"}), alert.Labels{"alertname": "Lag", "zone": "1"}, true},
		{"older notation", []inhibit.Rule{{SourceMatch: map[string]string{"down": "yes"}, TargetMatch: map[string]string{"alertname": "Lag"}}},
			firing(alert.Labels{"down": "yes"}), alert.Labels{"alertname": "Lag"}, true},
		{"alerts that match both sides", []inhibit.Rule{{SourceMatchers: []string{"alertname=Lag"}, TargetMatchers: []string{"alertname=Lag"}}},
			firing(alert.Labels{"alertname": "Lag", "topic": "a"}), alert.Labels{"alertname": "Lag", "topic": "b"}, false},
		{"a source that matches both sides, and a target that does not", []inhibit.Rule{{SourceMatchers: []string{"severity=critical"}, TargetMatchers: []string{"alertname=Lag"}}},
			firing(alert.Labels{"alertname": "Lag", "severity": "critical"}), alert.Labels{"alertname": "Lag", "severity": "warning"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEnv(t, test.rules...)
			e.ingest(test.source)
			e.expectInhibited(now, test.target, test.want)
		})
	}
}

// TestSourceOnBothSidesOfAnyValues checks that an alert which matches both sides
// inhibits those that are only targets, whatever the hash of its equal labels is.
func TestSourceOnBothSidesOfAnyValues(t *testing.T) {
	e := newEnv(t, inhibit.Rule{SourceMatchers: []string{"severity=critical"}, TargetMatchers: []string{"alertname=Lag"}, Equal: []string{"zone"}})
	for i := range 100 {
		zone := fmt.Sprint(i)
		e.expectInhibited(now, alert.Labels{"alertname": "Lag", "zone": zone}, false)
		e.ingest(firing(alert.Labels{"alertname": "Lag", "severity": "critical", "zone": zone}))
		e.expectInhibited(now, alert.Labels{"alertname": "Lag", "zone": zone}, true)
	}
}

// TestSourceEnds has a source with an end in the future, and one that resolves.
func TestSourceEnds(t *testing.T) {
	rule := inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Lag"}}
	target := alert.Labels{"alertname": "Lag"}
	e := newEnv(t, rule)
	source := firing(alert.Labels{"down": "yes"})
	source.EndsAt = now.Add(time.Minute)
	e.ingest(source)
	e.expectInhibited(now.Add(59*time.Second), target, true)
	e.expectInhibited(now.Add(time.Minute), target, false)
	source.EndsAt = now
	e.ingest(source)
	if got := e.sources(); got != 0 {
		t.Errorf("got %d sources, want none", got)
	}
}

// TestSync changes the rules while 2501 alerts fire that are not ingested again.
func TestSync(t *testing.T) {
	e := newEnv(t)
	e.ingest(firing(alert.Labels{"topic": "a"}))
	for i := range 2500 {
		e.ingest(firing(alert.Labels{"topic": fmt.Sprint("more", i)}))
	}
	one := inhibit.Rule{SourceMatchers: []string{"topic=a"}, TargetMatchers: []string{"topic=b"}}
	many := inhibit.Rule{SourceMatchers: []string{"topic=~more.*"}, TargetMatchers: []string{"topic=c"}, Equal: []string{"alertname"}}
	for _, step := range []struct {
		name    string
		rules   []inhibit.Rule
		sources int
		b, c    bool
	}{
		{"two new rules", []inhibit.Rule{one, many}, 2501, true, true},
		{"one is removed", []inhibit.Rule{one}, 1, true, false},
		{"both are removed", nil, 0, false, false},
	} {
		e.reopen(step.rules...)
		if got := e.sources(); got != step.sources {
			t.Errorf("%s: got %d sources, want %d", step.name, got, step.sources)
		}
		e.expectInhibited(now, alert.Labels{"topic": "b"}, step.b)
		e.expectInhibited(now, alert.Labels{"topic": "c"}, step.c)
	}
}

// TestUnreadableSource checks that a source which cannot be read inhibits nothing.
func TestUnreadableSource(t *testing.T) {
	for _, value := range []string{"{", `{"endsAt":5}`, ""} {
		t.Run(value, func(t *testing.T) {
			e := newEnv(t, inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Lag"}})
			e.ingest(firing(alert.Labels{"down": "yes"}))
			items, err := e.store.List(t.Context(), keyspace.Source, "", 10)
			if err != nil || len(items) != 1 {
				t.Fatalf("got %d sources and %v, want 1", len(items), err)
			}
			if err := e.store.Commit(t.Context(), now, store.Change{Key: items[0].Key, Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
			e.expectInhibited(now, alert.Labels{"alertname": "Lag"}, false)
		})
	}
}

func TestUnreadableRules(t *testing.T) {
	e := newEnv(t, inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Lag"}})
	e.ingest(firing(alert.Labels{"down": "yes"}))
	if err := e.store.Commit(t.Context(), now, store.Change{Key: keyspace.InhibitRules, Value: []byte("later")}); err != nil {
		t.Fatal(err)
	}
	e.reopen(inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Other"}})
	e.expectInhibited(now, alert.Labels{"alertname": "Other"}, true)
}

// both mutes warnings while a warning or a critical alert fires in their zone. Warnings
// do not mute each other, since they match both sides.
var both = inhibit.Rule{SourceMatchers: []string{`severity=~"warning|critical"`}, TargetMatchers: []string{"severity=warning"}, Equal: []string{"zone"}}

func warning(zone string, n int) alert.Labels {
	return alert.Labels{"severity": "warning", "zone": zone, "instance": fmt.Sprint(n)}
}

// TestManySources checks a rule with more sources than are read at a time. Where a
// source is among them depends on its fingerprint, so there are several to try.
func TestManySources(t *testing.T) {
	e := newEnv(t, both)
	for n := range 2000 {
		e.ingest(firing(warning("1", n)))
	}
	e.expectInhibited(now, warning("1", 0), false)
	e.expectInhibited(now, alert.Labels{"severity": "warning", "zone": "2"}, false)
	for n := range 20 {
		critical := firing(alert.Labels{"severity": "critical", "zone": "1", "instance": fmt.Sprint(n)})
		e.ingest(critical)
		e.expectInhibited(now, warning("1", 0), true)
		e.expectInhibited(now, warning("2", 0), false)
		critical.EndsAt = now
		e.ingest(critical)
		e.expectInhibited(now, warning("1", 0), false)
	}
}

// TestLooksUpWhatCanMatch counts the items that a look-up reads among thousands.
func TestLooksUpWhatCanMatch(t *testing.T) {
	e := newEnv(t, both, inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"severity=warning"}, Equal: []string{"instance"}})
	for n := range 5000 {
		e.ingest(firing(warning("1", n)))
		e.ingest(firing(alert.Labels{"down": "yes", "instance": fmt.Sprint("i", n)}))
	}
	counting := &countingStore{Store: e.store}
	e.store = counting
	e.reopen(both, inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"severity=warning"}, Equal: []string{"instance"}})
	counting.items = 0
	e.expectInhibited(now, warning("1", 0), false)
	if most := 1000; counting.items > most {
		t.Errorf("a look-up: got %d items read, want at most %d", counting.items, most)
	}
	snapshot := e.inhibitor.At(now, noOutage)
	counting.items = 0
	for n := range 1000 {
		if by, err := snapshot.InhibitedBy(t.Context(), warning("1", n)); by != "" || err != nil {
			t.Fatalf("got inhibited by %q, %v, want by nothing", by, err)
		}
	}
	if most := 1000; counting.items > most {
		t.Errorf("1000 look-ups: got %d items read, want at most %d", counting.items, most)
	}
}

// TestReadsUntilASourceFires counts the items that a look-up reads when thousands of
// alerts inhibit the target.
func TestReadsUntilASourceFires(t *testing.T) {
	e := newEnv(t, inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Lag"}})
	for n := range 5000 {
		e.ingest(firing(alert.Labels{"down": "yes", "instance": fmt.Sprint(n)}))
	}
	counting := &countingStore{Store: e.store}
	e.store = counting
	e.reopen(inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Lag"}})
	counting.items = 0
	e.expectInhibited(now, alert.Labels{"alertname": "Lag"}, true)
	if most := 1000; counting.items > most {
		t.Errorf("got %d items read, want at most %d", counting.items, most)
	}
}

// countingStore counts the items that List returns.
type countingStore struct {
	store.Store
	items int
}

func (s *countingStore) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	items, err := s.Store.List(ctx, prefix, after, limit)
	s.items += len(items)
	return items, err
}

// TestManyEndedSources checks that sources whose time is over hide no other. The store
// may keep them.
func TestManyEndedSources(t *testing.T) {
	e := newEnv(t, inhibit.Rule{SourceMatchers: []string{"down=yes"}, TargetMatchers: []string{"alertname=Lag"}})
	for n := range 4000 {
		a := firing(alert.Labels{"down": "yes", "instance": fmt.Sprint(n)})
		a.EndsAt = now.Add(time.Minute)
		e.ingest(a)
	}
	e.expectInhibited(now.Add(time.Hour), alert.Labels{"alertname": "Lag"}, false)
	e.ingest(firing(alert.Labels{"down": "yes"}))
	e.expectInhibited(now.Add(time.Hour), alert.Labels{"alertname": "Lag"}, true)
}

func noOutage(_, end time.Time) time.Time { return end }

package lag

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// read is a Reader made of a function.
type read func(ctx context.Context) (*Snapshot, error)

func (r read) Read(ctx context.Context) (*Snapshot, error) { return r(ctx) }

func sees(snap *Snapshot) read {
	return func(context.Context) (*Snapshot, error) { return snap, nil }
}

func fails(text string) read {
	return func(context.Context) (*Snapshot, error) { return nil, errors.New(text) }
}

// ear hears alerts as the engine does: words about one alert are merged.
type ear struct {
	known map[string]*alert.Alert
	words []*alert.Alert // of the last poll
}

func (e *ear) Ingest(_ context.Context, now time.Time, alerts []*alert.Alert) error {
	if e.known == nil {
		e.known = map[string]*alert.Alert{}
	}
	for _, a := range alerts {
		in := *a
		in.UpdatedAt = now
		key := fmt.Sprint(a.Labels[alert.ClusterLabel], " ", a.Name(), " ", a.Labels[alert.TopicLabel])
		if old := e.known[key]; old != nil {
			e.known[key] = alert.Merge(old, &in)
		} else {
			e.known[key] = &in
		}
	}
	e.words = append(e.words, alerts...)
	return nil
}

func (e *ear) firing(now time.Time) (names []string) {
	for _, key := range sortedKeys(e.known) {
		if !e.known[key].ResolvedAt(now) {
			names = append(names, key)
		}
	}
	return names
}

// heard returns the words since it was last asked.
func (e *ear) heard() string {
	defer func() { e.words = nil }()
	return brief(e.words)
}

// counting counts commits.
type counting struct {
	store.Store
	commits int
}

func (c *counting) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	c.commits++
	return c.Store.Commit(ctx, now, changes...)
}

func watcher(st store.Store, e *ear, clusters map[string]Reader) *Watcher {
	w := &Watcher{
		Config:  &Config{Rules: []Rule{lagRule(2000)}},
		Readers: clusters, Store: st, Ingest: e.Ingest, Language: "en",
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, name := range sortedKeys(clusters) {
		w.Config.Clusters = append(w.Config.Clusters, Cluster{Name: name})
	}
	return w
}

var (
	over = all(whole("g", topic("t", "2001")))
	low  = all(whole("g", topic("t", "2000")))
)

func mustPoll(t *testing.T, w *Watcher, minute float64) Summary {
	t.Helper()
	sum, err := w.Poll(t.Context(), at(minute))
	if err != nil {
		t.Fatalf("minute %v: %v", minute, err)
	}
	return sum
}

func TestPoll(t *testing.T) {
	st := &counting{Store: memory.New()}
	e := &ear{}
	w := watcher(st, e, map[string]Reader{"c": nil})
	steps := []struct {
		seen    *Snapshot
		want    string
		sum     Summary
		commits int // of this poll
	}{
		{low, "", Summary{Polled: 1}, 1}, // the history of lag begins
		{over, "Lag g t since 08:01:00 firing lag=2001", Summary{Polled: 1, Firing: 1}, 1},
		{over, "Lag g t since 08:01:00 firing lag=2001", Summary{Polled: 1, Firing: 1}, 1},
		{low, "Lag g t since 08:01:00 ended 08:03:00 lag=2000", Summary{Polled: 1}, 2},
		{low, "", Summary{Polled: 1}, 0},
		{all(Group{Name: "g", Err: errors.New("no")}, whole("h")), "", Summary{Polled: 1}, 1},
		{all(Group{Name: "g", Err: errors.New("no")}, whole("h")), "TocsinPollFailed g since 08:05:00 firing", Summary{Polled: 1, Firing: 1}, 1},
		{all(Group{Name: "g", Err: errors.New("no")}, whole("h")), "TocsinPollFailed g since 08:05:00 firing", Summary{Polled: 1, Firing: 1}, 1},
	}
	for i, s := range steps {
		w.Readers["c"] = sees(s.seen)
		before := st.commits
		if sum := mustPoll(t, w, float64(i)); sum != s.sum {
			t.Errorf("poll %d: %+v, want %+v", i, sum, s.sum)
		}
		if got := e.heard(); got != s.want {
			t.Fatalf("poll %d:\ngot  %s\nwant %s", i, got, s.want)
		}
		if got := st.commits - before; got != s.commits {
			t.Errorf("poll %d wrote %d times, want %d", i, got, s.commits)
		}
	}
}

func TestOneClusterHidesNoOther(t *testing.T) {
	e := &ear{}
	w := watcher(memory.New(), e, map[string]Reader{
		"a": fails("connection refused"),
		"b": sees(over),
		"c": read(func(context.Context) (*Snapshot, error) { return nil, nil }),
	})
	for minute := range 2 {
		if sum := mustPoll(t, w, float64(minute)); sum.Polled != 1 {
			t.Errorf("poll %d: %+v", minute, sum)
		}
	}
	want := []string{"a TocsinPollFailed ", "b Lag t", "c TocsinPollFailed "}
	if got := e.firing(at(2)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("firing %q, want %q", got, want)
	}
	if got := e.known[want[0]].Annotations["description"]; !strings.Contains(got, "connection refused") {
		t.Errorf("the alert does not say why: %q", got)
	}
}

func TestRemovedCluster(t *testing.T) {
	st, e := memory.New(), &ear{}
	w := watcher(st, e, map[string]Reader{"a": sees(over), "b": fails("down"), "c": sees(over)})
	mustPoll(t, w, 0)
	mustPoll(t, w, 1)
	e.heard()

	w = watcher(st, e, map[string]Reader{"c": sees(low)})
	mustPoll(t, w, 2)
	want := "Lag g t since 08:00:00 ended 08:02:00 lag=2000\n" + // c
		"Lag g t since 08:00:00 ended 08:02:00\n" + // a
		"TocsinPollFailed since 08:00:00 ended 08:02:00" // b
	if got := e.heard(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := e.firing(at(2)); got != nil {
		t.Errorf("still firing: %q", got)
	}
	if items, _ := st.List(t.Context(), "lag/", "", 9); len(items) != 1 || items[0].Key != "lag/c" {
		t.Errorf("left in the store: %v", items)
	}
	mustPoll(t, w, 3)
	if got := e.heard(); got != "" {
		t.Errorf("said again: %s", got)
	}
}

// A cluster that another Watcher reads is not removed.
func TestClusterOfAnotherWatcher(t *testing.T) {
	st, e := memory.New(), &ear{}
	w := watcher(st, e, map[string]Reader{"a": sees(over), "b": sees(over)})
	mustPoll(t, w, 0)
	delete(w.Readers, "a")
	if sum := mustPoll(t, w, 1); sum != (Summary{Polled: 1, Firing: 1}) {
		t.Errorf("%+v", sum)
	}
	if got := e.firing(at(1)); len(got) != 2 {
		t.Errorf("firing %q", got)
	}
}

func TestReadUntil(t *testing.T) {
	tests := map[string]struct{ left, reserved time.Duration }{
		"a long time":    {15 * time.Minute, 20 * time.Second},
		"a minute":       {time.Minute, 20 * time.Second},
		"half a minute":  {30 * time.Second, 10 * time.Second},
		"nine seconds":   {9 * time.Second, 3 * time.Second},
		"six seconds":    {6 * time.Second, 2 * time.Second},
		"four seconds":   {4 * time.Second, 2 * time.Second},
		"three seconds":  {3 * time.Second, 2 * time.Second},
		"too little":     {2 * time.Second, time.Second},
		"far too little": {time.Second, 500 * time.Millisecond},
		"none":           {0, 0},
	}
	for name, tt := range tests {
		if got := at(0).Add(tt.left).Sub(readDeadline(at(0), at(0).Add(tt.left))); got != tt.reserved {
			t.Errorf("%s: reserved %v, want %v", name, got, tt.reserved)
		}
	}
}

// When time runs out, what was read is used and the rest is unknown.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		start := time.Now()
		e := &ear{}
		w := watcher(memory.New(), e, map[string]Reader{
			"fast": sees(over),
			"slow": read(func(ctx context.Context) (*Snapshot, error) {
				<-ctx.Done()
				return &Snapshot{Groups: over.Groups}, nil
			}),
			"stuck": read(func(ctx context.Context) (*Snapshot, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}),
		})
		sum, err := w.Poll(ctx, start)
		if err != nil || sum != (Summary{Polled: 2, Firing: 2}) {
			t.Errorf("%+v, %v", sum, err)
		}
		if took := time.Since(start); took != 6*time.Second {
			t.Errorf("reading took %v of 9s, want 6s", took)
		}
		if ctx.Err() != nil {
			t.Error("no time is left")
		}
	})
}

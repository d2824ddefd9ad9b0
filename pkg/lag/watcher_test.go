package lag

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/memory"
)

func TestPoll(t *testing.T) {
	st := &callRecorder{Store: memory.New()}
	rec := &ingestRecorder{}
	w := newTestWatcher(st, rec, map[string]Reader{"c": nil})
	steps := []struct {
		snap    *Snapshot
		want    string
		sum     Summary
		commits int
	}{
		{belowLimit, "", Summary{Polled: 1}, 1}, // the history begins
		{overLimit, "Lag g t since 08:01:00 firing lag=2001", Summary{Polled: 1, Firing: 1}, 1},
		{overLimit, "Lag g t since 08:01:00 firing lag=2001", Summary{Polled: 1, Firing: 1}, 1},
		{belowLimit, "Lag g t since 08:01:00 ended 08:03:00 lag=2000", Summary{Polled: 1}, 2},
		{belowLimit, "", Summary{Polled: 1}, 0},
		{newSnapshot(Group{Name: "g", Err: errors.New("no")}, newGroup("h")), "", Summary{Polled: 1}, 1},
		{newSnapshot(Group{Name: "g", Err: errors.New("no")}, newGroup("h")), "TocsinPollFailed g since 08:05:00 firing", Summary{Polled: 1, Firing: 1}, 1},
		{newSnapshot(Group{Name: "g", Err: errors.New("no")}, newGroup("h")), "TocsinPollFailed g since 08:05:00 firing", Summary{Polled: 1, Firing: 1}, 1},
	}
	for i, s := range steps {
		w.Readers["c"] = returning(s.snap)
		st.calls = nil
		if sum := mustPoll(t, w, float64(i)); sum != s.sum {
			t.Errorf("summary of poll %d = %+v, want %+v", i, sum, s.sum)
		}
		wantAlerts(t, rec, float64(i), s.want)
		if got := strings.Count(strings.Join(st.calls, " "), "commit"); got != s.commits {
			t.Errorf("poll %d committed %d times, want %d", i, got, s.commits)
		}
	}
}

func TestPollReadsTheOtherClustersAfterAnError(t *testing.T) {
	rec := &ingestRecorder{}
	w := newTestWatcher(memory.New(), rec, map[string]Reader{
		"a": failing("connection refused"),
		"b": returning(overLimit),
		"c": readerFunc(func(context.Context) (*Snapshot, error) { return nil, nil }),
	})
	for minute := range 2 {
		if sum := mustPoll(t, w, float64(minute)); sum.Polled != 1 {
			t.Errorf("summary of poll %d = %+v, want 1 polled", minute, sum)
		}
	}
	want := []string{"a TocsinPollFailed ", "b Lag t", "c TocsinPollFailed "}
	if got := rec.firing(at(2)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("firing = %q, want %q", got, want)
	}
	if got := rec.merged[want[0]].Annotations["description"]; !strings.Contains(got, "connection refused") {
		t.Errorf("description = %q, want the cause in it", got)
	}
}

func TestRemovedCluster(t *testing.T) {
	st, rec := memory.New(), &ingestRecorder{}
	w := newTestWatcher(st, rec, map[string]Reader{"a": returning(overLimit), "b": failing("down"), "c": returning(overLimit)})
	mustPoll(t, w, 0)
	mustPoll(t, w, 1)
	rec.take()

	w = newTestWatcher(st, rec, map[string]Reader{"c": returning(belowLimit)})
	want := "Lag g t since 08:00:00 ended 08:02:00 lag=2000\n" + // c
		"Lag g t since 08:00:00 ended 08:02:00\n" + // a
		"TocsinPollFailed since 08:00:00 ended 08:02:00" // b
	mustPollAlerts(t, w, rec, 2, want)
	if got := rec.firing(at(2)); got != nil {
		t.Errorf("firing = %q, want none", got)
	}
	if items, _ := st.List(t.Context(), "lag/", "", 9); len(items) != 1 || items[0].Key != "lag/c" {
		t.Errorf("stored items = %v, want lag/c only", items)
	}
	mustPollAlerts(t, w, rec, 3, "")
}

// A cluster without a Reader is left to another Watcher.
func TestClusterOfAnotherWatcher(t *testing.T) {
	st, rec := memory.New(), &ingestRecorder{}
	w := newTestWatcher(st, rec, map[string]Reader{"a": returning(overLimit), "b": returning(overLimit)})
	mustPoll(t, w, 0)
	delete(w.Readers, "a")
	if sum := mustPoll(t, w, 1); sum != (Summary{Polled: 1, Firing: 1}) {
		t.Errorf("summary = %+v, want 1 polled, 1 firing", sum)
	}
	if got := rec.firing(at(1)); len(got) != 2 {
		t.Errorf("firing = %q, want 2 alerts", got)
	}
}

func TestReadDeadline(t *testing.T) {
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
		t.Run(name, func(t *testing.T) {
			if got := at(0).Add(tt.left).Sub(readDeadline(at(0), at(0).Add(tt.left))); got != tt.reserved {
				t.Errorf("time after reading = %v, want %v", got, tt.reserved)
			}
		})
	}
}

// Reading ends in time before the deadline; the groups read until then are evaluated.
func TestPollEndsBeforeTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		start := time.Now()
		rec := &ingestRecorder{}
		w := newTestWatcher(memory.New(), rec, map[string]Reader{
			"fast": returning(overLimit),
			"slow": readerFunc(func(ctx context.Context) (*Snapshot, error) {
				<-ctx.Done()
				return &Snapshot{Groups: overLimit.Groups}, nil
			}),
			"stuck": readerFunc(func(ctx context.Context) (*Snapshot, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}),
		})
		sum, err := w.Poll(ctx, start)
		if err != nil || sum != (Summary{Polled: 2, Firing: 2}) {
			t.Errorf("summary = %+v, error = %v; want 2 polled, 2 firing and none", sum, err)
		}
		if took := time.Since(start); took != 6*time.Second {
			t.Errorf("reading took %v of 9s, want 6s", took)
		}
		if ctx.Err() != nil {
			t.Error("the deadline has passed, want time for delivering")
		}
	})
}

// TestClockThatWasAhead polls once eight hours in the future.
func TestClockThatWasAhead(t *testing.T) {
	const ahead = 8 * 60
	t.Run("for counts from now", func(t *testing.T) {
		rec := &ingestRecorder{}
		rule := lagRule(2000)
		rule.For = minutes(2)
		w := newRuleWatcher(memory.New(), rec, returning(overLimit), rule)
		mustPoll(t, w, ahead)
		mustPoll(t, w, 0)
		mustPoll(t, w, 1)
		wantAlerts(t, rec, 1, "")
		mustPoll(t, w, 2)
		wantAlerts(t, rec, 2, "Lag g t since 08:00:00 firing lag=2001")
	})
	t.Run("a loss is an hour ago after an hour", func(t *testing.T) {
		r, rec := &fakeReader{groups: []Group{newGroupOf("g", lostPartition(0, 0, 12))}}, &ingestRecorder{}
		w := newRuleWatcher(memory.New(), rec, r, Rule{Alert: "Lost", Lost: true})
		mustPoll(t, w, ahead)
		r.groups = []Group{newGroupOf("g", lostPartition(0, 0, 0))}
		mustPoll(t, w, 0)
		rec.received = nil
		mustPoll(t, w, 61)
		if got := rec.last("Lost"); !got.EndsAt.Equal(at(61)) {
			t.Errorf("got %q, want it ended at minute 61", summarize(rec.received))
		}
	})
	t.Run("the history of lag goes on", func(t *testing.T) {
		r := &fakeReader{groups: []Group{newGroupOf("g", newPartition(0, 100, 200))}}
		rec := &ingestRecorder{}
		w := newRuleWatcher(memory.New(), rec, r, statusRule("Stuck", trend.Stalled))
		mustPoll(t, w, ahead)
		for minute := range 30 {
			r.groups[0].Topics[0].Partitions[0] = newPartition(0, 100, 200+int64(minute))
			mustPoll(t, w, float64(minute))
		}
		if got := rec.firing(at(30)); len(got) != 1 {
			t.Errorf("got %q, want Stuck", got)
		}
	})
}

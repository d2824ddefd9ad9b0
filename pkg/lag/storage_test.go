package lag

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// storedKeys returns the keys of a store.
func storedKeys(t *testing.T, st store.Store) string {
	t.Helper()
	items, err := st.List(t.Context(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, it := range items {
		out = append(out, it.Key)
	}
	return strings.Join(out, " ")
}

// callRecorder records the calls of a store.
type callRecorder struct {
	store.Store
	calls []string
}

func (c *callRecorder) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	c.calls = append(c.calls, "get")
	return c.Store.Get(ctx, keys...)
}

func (c *callRecorder) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	c.calls = append(c.calls, "list")
	return c.Store.List(ctx, prefix, after, limit)
}

func (c *callRecorder) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	c.calls = append(c.calls, fmt.Sprint("commit ", len(changes)))
	return c.Store.Commit(ctx, now, changes...)
}

// The window is read and committed together with the state. For rules that do not
// need it, quiet polls commit it every five minutes.
func TestStoreCallsOfAPoll(t *testing.T) {
	tests := map[string]struct {
		rule Rule
		want [8]string
	}{
		"max_lag": {lagRule(2000), [8]string{
			"list, commit 2", "list, commit 2", "list, commit 2", "list, commit 2, get, commit 1",
			"list", "list", "list", "list",
		}},
		"status": {statusRule("Stalled", trend.Stalled), [8]string{
			"list, commit 2", "list, commit 2", "list, commit 2", "list, commit 2",
			"list, commit 2", "list, commit 2", "list, commit 2", "list, commit 2",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			st := &callRecorder{Store: memory.New()}
			w := newRuleWatcher(st, &ingestRecorder{}, nil, tt.rule)
			for m := range 8 {
				lag := int64(10)
				if m == 1 || m == 2 {
					lag = 3000
				}
				st.calls = nil
				w.Readers["c"] = returning(newSnapshot(newGroupOf("g", newPartition(0, int64(m)*100, int64(m)*100+lag))))
				mustPoll(t, w, float64(m))
				if got := strings.Join(st.calls, ", "); got != tt.want[m] {
					t.Errorf("calls at minute %d = %s, want %s", m, got, tt.want[m])
				}
			}
		})
	}
}

func TestHistoryOfQuietPolls(t *testing.T) {
	st, rec := memory.New(), &ingestRecorder{}
	w := newTestWatcher(st, rec, map[string]Reader{"c": nil})
	for m := range 12 {
		lag := fmt.Sprint(100 + m)
		if m == 11 {
			lag = "5000"
		}
		w.Readers["c"] = returning(lagSnapshot(lag))
		mustPoll(t, w, float64(m))
	}
	// Minutes 0, 5, 10 and 11, in steps of 5 minutes.
	window, err := LoadWindow(t.Context(), st, "c")
	if err != nil {
		t.Fatal(err)
	}
	h := window.History("g", "t")
	for _, v := range []int64{100, 105, 5000} {
		if !slices.Contains(h.Values, v) {
			t.Errorf("history = %v, want %d in it", h.Values, v)
		}
	}
	if got := rec.last("Lag").Annotations["lag_history"]; !strings.HasPrefix(got, fmt.Sprint(at(11).Unix(), "/")) || !strings.HasSuffix(got, ",5000") {
		t.Errorf("lag_history = %q, want it to end with 5000 at minute 11", got)
	}
}

// Of two concurrent polls, the window and the alerts are those of the first to
// commit.
func TestConcurrentPollsShareTheWindow(t *testing.T) {
	st, rec := memory.New(), &ingestRecorder{}
	first := newRuleWatcher(st, rec, nil, statusRule("Stalled", trend.Stalled))
	second := newRuleWatcher(st, rec, nil, statusRule("Stalled", trend.Stalled))
	for m := range int64(5) {
		second.Readers["c"] = returning(newSnapshot(newGroupOf("g", newPartition(0, 100, 200))))
		first.Readers["c"] = readerFunc(func(context.Context) (*Snapshot, error) {
			mustPoll(t, second, float64(m))
			return newSnapshot(newGroupOf("g", newPartition(0, 100+m, 200))), nil // the commit moves
		})
		mustPoll(t, first, float64(m))
		want := ""
		if m >= 2 {
			want = "Stalled g t since 08:02:00 firing lag=100"
		}
		wantAlerts(t, rec, float64(m), want)
	}
}

func TestRemovedClusterLosesItsWindow(t *testing.T) {
	st := memory.New()
	w := newTestWatcher(st, &ingestRecorder{}, map[string]Reader{"a": returning(belowLimit), "a/0000": returning(belowLimit), "b": returning(overLimit)})
	mustPoll(t, w, 0)
	if got, want := storedKeys(t, st), "lag/b lagtrend/a/0000 lagtrend/a/0000/0000 lagtrend/b/0000"; got != want {
		t.Errorf("stored keys = %s, want %s", got, want)
	}
	w = newTestWatcher(st, &ingestRecorder{}, map[string]Reader{"a/0000": returning(belowLimit)})
	mustPoll(t, w, 1)
	if got, want := storedKeys(t, st), "lagtrend/a/0000/0000"; got != want {
		t.Errorf("stored keys = %s, want %s", got, want)
	}
}

// A damaged window is reset, which ends no alert.
func TestDamagedWindow(t *testing.T) {
	st, rec := memory.New(), &ingestRecorder{}
	w := newRuleWatcher(st, rec, returning(newSnapshot(newGroupOf("g", newPartition(0, 100, 200)))), statusRule("Stalled", trend.Stalled))
	var log bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&log, nil))
	for m := range 3 {
		mustPoll(t, w, float64(m))
	}
	if err := st.Commit(t.Context(), at(2), store.Change{Key: "lagtrend/c/0000", Value: []byte("0123456789 and rubbish")}); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadWindow(t.Context(), st, "c"); err == nil {
		t.Error("error of LoadWindow = nil, want one")
	}
	for m := 3; m < 6; m++ {
		mustPoll(t, w, float64(m))
	}
	if got := rec.firing(at(6)); len(got) != 1 {
		t.Errorf("firing = %q, want 1 alert", got)
	}
	if got := rec.take(); strings.Contains(got, "ended") {
		t.Errorf("alerts = %s, want none that ended", got)
	}
	if !strings.Contains(log.String(), "damaged") {
		t.Errorf("log = %s, want a warning", log.String())
	}
}

func TestChunks(t *testing.T) {
	w := &trend.Window{}
	w.Add(at(0), trendGroups(newSnapshot(newGroupOf("g", newPartition(0, 1, 2)))), true, true)
	changes, err := chunks(nil).changes("c", w, at(0))
	if err != nil || len(changes) != 1 || changes[0].Key != "lagtrend/c/0000" {
		t.Fatal(changes, err)
	}
	one := store.Item{Key: changes[0].Key, Value: changes[0].Value, Version: 1}
	if got := (chunks{one}).lastPoll(); !got.Equal(at(0)) {
		t.Errorf("lastPoll() = %v, want %v", got, at(0))
	}
	if _, err := (chunks{one}).window(); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]chunks{
		"one chunk too many": {one, one}, "too short": {{Value: []byte("x"), Version: 1}}, "no window": {{Version: 1, Value: append(slices.Clone(one.Value[:chunkHeader]), 'x')}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.window(); err == nil || errors.Is(err, trend.ErrNewerVersion) {
				t.Errorf("error = %v, want that of a damaged window", err)
			}
		})
	}
	two := chunks{one, {Key: "lagtrend/c/0001", Value: one.Value, Version: 1}}
	if changes, err = two.changes("c", w, at(1)); err != nil || len(changes) != 2 || !changes[1].Delete {
		t.Errorf("changes = %+v, error = %v; want the second chunk deleted", changes, err)
	}
}

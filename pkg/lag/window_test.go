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

// keys lists what is stored.
func keys(t *testing.T, st store.Store) string {
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

// calls counts the round trips to a store.
type calls struct {
	store.Store
	made []string
}

func (c *calls) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	c.made = append(c.made, "get")
	return c.Store.Get(ctx, keys...)
}

func (c *calls) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	c.made = append(c.made, "list")
	return c.Store.List(ctx, prefix, after, limit)
}

func (c *calls) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	c.made = append(c.made, fmt.Sprint("commit ", len(changes)))
	return c.Store.Commit(ctx, now, changes...)
}

// The window goes the way of the state: it is read with it and written with it.
// Of a cluster whose rules need only the picture, quiet polls write it every five
// minutes.
func TestWindowCostsNoRoundTrip(t *testing.T) {
	tests := map[string]struct {
		rule Rule
		want [8]string
	}{
		"count": {lagRule(2000), [8]string{
			"list, commit 2", "list, commit 2", "list, commit 2", "list, commit 2, get, commit 1",
			"list", "list", "list", "list",
		}},
		"status": {status("Stalled", trend.Stalled), [8]string{
			"list, commit 2", "list, commit 2", "list, commit 2", "list, commit 2",
			"list, commit 2", "list, commit 2", "list, commit 2", "list, commit 2",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			st := &calls{Store: memory.New()}
			w := watcher(st, &ear{}, map[string]Reader{"c": nil})
			w.Config.Rules = []Rule{tt.rule}
			for m := range 8 {
				lag := int64(10)
				if m == 1 || m == 2 {
					lag = 3000
				}
				st.made = nil
				w.Readers["c"] = sees(all(of("g", part(0, int64(m)*100, int64(m)*100+lag))))
				mustPoll(t, w, float64(m))
				if got := strings.Join(st.made, ", "); got != tt.want[m] {
					t.Errorf("minute %d: %s, want %s", m, got, tt.want[m])
				}
			}
		})
	}
}

func TestQuietPollsKeepTheHistory(t *testing.T) {
	st, e := memory.New(), &ear{}
	w := watcher(st, e, map[string]Reader{"c": nil})
	for m := range 12 {
		lag := fmt.Sprint(100 + m)
		if m == 11 {
			lag = "5000"
		}
		w.Readers["c"] = sees(all(whole("g", topic("t", lag))))
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
			t.Errorf("the history %v has no %d", h.Values, v)
		}
	}
	if got := e.last("Lag").Annotations["lag_history"]; !strings.HasPrefix(got, fmt.Sprint(at(11).Unix(), "/")) || !strings.HasSuffix(got, ",5000") {
		t.Errorf("lag_history %q", got)
	}
}

// Two instances poll at once: what the first to commit has seen is the window,
// and what the other says is not said.
func TestTwoInstancesOneWindow(t *testing.T) {
	st, e := memory.New(), &ear{}
	rules := []Rule{status("Stalled", trend.Stalled)}
	first := watcher(st, e, map[string]Reader{"c": nil})
	second := watcher(st, e, map[string]Reader{"c": nil})
	first.Config.Rules, second.Config.Rules = rules, rules
	for m := range int64(5) {
		second.Readers["c"] = sees(all(of("g", part(0, 100, 200))))
		first.Readers["c"] = read(func(context.Context) (*Snapshot, error) {
			mustPoll(t, second, float64(m))
			return all(of("g", part(0, 100+m, 200))), nil // sees it move
		})
		mustPoll(t, first, float64(m))
		want := ""
		if m >= 2 {
			want = "Stalled g t since 08:02:00 firing lag=100"
		}
		if got := e.heard(); got != want {
			t.Fatalf("minute %d:\ngot  %s\nwant %s", m, got, want)
		}
	}
}

func TestWindowOfARemovedCluster(t *testing.T) {
	st := memory.New()
	w := watcher(st, &ear{}, map[string]Reader{"a": sees(low), "a/0000": sees(low), "b": sees(over)})
	mustPoll(t, w, 0)
	if got, want := keys(t, st), "lag/b lagtrend/a/0000 lagtrend/a/0000/0000 lagtrend/b/0000"; got != want {
		t.Errorf("stored %s, want %s", got, want)
	}
	w = watcher(st, &ear{}, map[string]Reader{"a/0000": sees(low)})
	mustPoll(t, w, 1)
	if got, want := keys(t, st), "lagtrend/a/0000/0000"; got != want {
		t.Errorf("stored %s, want %s", got, want)
	}
}

// A window that cannot be read starts anew, and ends nothing by that.
func TestDamagedWindow(t *testing.T) {
	st, e := memory.New(), &ear{}
	w := watcher(st, e, map[string]Reader{"c": sees(all(of("g", part(0, 100, 200))))})
	w.Config.Rules = []Rule{status("Stalled", trend.Stalled)}
	var log bytes.Buffer
	w.Log = slog.New(slog.NewTextHandler(&log, nil))
	for m := range 3 {
		mustPoll(t, w, float64(m))
	}
	if err := st.Commit(t.Context(), at(2), store.Change{Key: "lagtrend/c/0000", Value: []byte("0123456789 and rubbish")}); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadWindow(t.Context(), st, "c"); err == nil {
		t.Error("LoadWindow: no error")
	}
	for m := 3; m < 6; m++ {
		mustPoll(t, w, float64(m))
	}
	if got := e.firing(at(6)); len(got) != 1 {
		t.Errorf("firing %q", got)
	}
	if strings.Contains(e.heard(), "ended") || !strings.Contains(log.String(), "damaged") {
		t.Errorf("heard %s, logged %s", e.heard(), log.String())
	}
}

func TestChunks(t *testing.T) {
	w := &trend.Window{}
	w.Add(at(0), trendGroups(all(of("g", part(0, 1, 2)))), true, true)
	changes, err := chunks(nil).changes("c", w, at(0))
	if err != nil || len(changes) != 1 || changes[0].Key != "lagtrend/c/0000" {
		t.Fatal(changes, err)
	}
	one := store.Item{Key: changes[0].Key, Value: changes[0].Value, Version: 1}
	if got := (chunks{one}).lastPoll(); !got.Equal(at(0)) {
		t.Errorf("last %v", got)
	}
	if _, err := (chunks{one}).window(); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]chunks{
		"one too many": {one, one}, "too short": {{Value: []byte("x")}}, "not one": {{Value: append(slices.Clone(one.Value[:chunkHeader]), 'x')}},
	} {
		if _, err := c.window(); err == nil || errors.Is(err, trend.ErrNewerVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
	two := chunks{one, {Key: "lagtrend/c/0001", Value: one.Value, Version: 1}}
	if changes, err = two.changes("c", w, at(1)); err != nil || len(changes) != 2 || !changes[1].Delete {
		t.Errorf("%+v, %v", changes, err)
	}
}

package lag

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// crashing dies at the nth call: that one fails, after having been done or not,
// and so do all others.
type crashing struct {
	store.Store
	ear  *ear
	left int
	done bool // the last call is still done
}

var errCrash = errors.New("crashed")

func (c *crashing) call(do func() error) error {
	c.left--
	if c.left > 0 || c.left == 0 && c.done {
		if err := do(); err != nil {
			return err
		}
	}
	if c.left <= 0 {
		return errCrash
	}
	return nil
}

func (c *crashing) Get(ctx context.Context, keys ...string) (items []store.Item, err error) {
	err = c.call(func() error { items, err = c.Store.Get(ctx, keys...); return err })
	return items, err
}

func (c *crashing) List(ctx context.Context, prefix, after string, limit int) (items []store.Item, err error) {
	err = c.call(func() error { items, err = c.Store.List(ctx, prefix, after, limit); return err })
	return items, err
}

func (c *crashing) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	return c.call(func() error { return c.Store.Commit(ctx, now, changes...) })
}

func (c *crashing) Ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	return c.call(func() error { return c.ear.Ingest(ctx, now, alerts) })
}

// Whatever the call at which a poll dies, what fires is told by the next poll
// that sees it, and what was told to fire is told to end.
func TestCrash(t *testing.T) {
	polls := []*Snapshot{low, over, over, low, over, low, low}
	for crashed := 1; crashed <= 5; crashed++ {
		died := true
		for n := 1; died; n++ {
			for _, done := range []bool{false, true} {
				st, e := memory.New(), &ear{}
				for i, seen := range polls {
					w := watcher(st, e, map[string]Reader{"c": sees(seen)})
					if i == crashed {
						c := &crashing{Store: st, ear: e, left: n, done: done}
						w.Store, w.Ingest = c, c.Ingest
						_, err := w.Poll(t.Context(), at(float64(i)))
						died = err != nil
						continue
					}
					mustPoll(t, w, float64(i))
					if got, want := len(e.firing(at(float64(i)))) > 0, seen == over; got != want {
						t.Fatalf("poll %d died at call %d (done: %v): after poll %d firing is %v, want %v", crashed, n, done, i, got, want)
					}
				}
			}
		}
	}
}

// The same with a window: what stands still is told by the polls before and after
// the one that died, in time, and its end is told.
func TestCrashWithWindow(t *testing.T) {
	frozen := func() *Snapshot { return all(of("g", part(0, 100, 200))) }
	moved := func() *Snapshot { return all(of("g", part(0, 200, 200))) }
	polls := []func() *Snapshot{frozen, frozen, frozen, frozen, moved, moved, frozen, frozen, frozen, frozen, moved, moved}
	for crashed := 1; crashed <= 10; crashed++ {
		died := true
		for n := 1; died; n++ {
			for _, done := range []bool{false, true} {
				st, e := memory.New(), &ear{}
				polled := 0
				for i, seen := range polls {
					w := watcher(st, e, map[string]Reader{"c": sees(seen())})
					w.Config.Rules = []Rule{status("Stalled", trend.Stalled)}
					if i == crashed {
						c := &crashing{Store: st, ear: e, left: n, done: done}
						w.Store, w.Ingest = c, c.Ingest
						_, err := w.Poll(t.Context(), at(float64(i)))
						died = err != nil
						continue
					}
					mustPoll(t, w, float64(i))
					polled = i
					// Three polls in a row tell it; the lost one may be among them.
					must := i == 3 || i == 9
					never := i < 2 || i > 3 && i < 8 || i > 9
					got := len(e.firing(at(float64(i)))) > 0
					if must && !got || never && got {
						t.Fatalf("poll %d died at call %d (done: %v): after poll %d firing is %v", crashed, n, done, i, got)
					}
				}
				if got := e.firing(at(12)); polled == 11 && got != nil {
					t.Fatalf("poll %d died at call %d (done: %v): left firing %v", crashed, n, done, got)
				}
			}
		}
	}
}

// An end that could not be handed on is said at the next poll, of whatever it is
// the end.
func TestEndsAreNotLost(t *testing.T) {
	st, e := memory.New(), &ear{}
	bad := Group{Name: "h", Err: errors.New("denied")}
	w := watcher(st, e, map[string]Reader{"a": sees(all(whole("g", topic("t", "2001")), bad)), "b": fails("down")})
	mustPoll(t, w, 0)
	mustPoll(t, w, 1)
	if got := e.firing(at(1)); len(got) != 3 {
		t.Fatalf("firing %q", got)
	}
	w.Readers = map[string]Reader{"a": sees(all(whole("g", topic("t", "0")), whole("h"))), "b": sees(low)}
	w.Ingest = func(context.Context, time.Time, []*alert.Alert) error { return errCrash }
	if _, err := w.Poll(t.Context(), at(2)); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	w.Ingest = e.Ingest
	mustPoll(t, w, 3)
	if got := e.firing(at(3)); got != nil {
		t.Errorf("left firing: %q", got)
	}
	e.heard()
	mustPoll(t, w, 4)
	if got := e.heard(); got != "" {
		t.Errorf("said again: %s", got)
	}
}

// readonly refuses to commit.
type readonly struct{ store.Store }

func (readonly) Commit(context.Context, time.Time, ...store.Change) error {
	return store.ErrUnavailable
}

// What is not remembered is not said: nobody would ever say that it ended.
func TestNothingIsSaidThatIsNotStored(t *testing.T) {
	e := &ear{}
	w := watcher(readonly{memory.New()}, e, map[string]Reader{"c": sees(over)})
	if _, err := w.Poll(t.Context(), at(0)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the poll said %v", err)
	}
	if got := e.heard(); got != "" {
		t.Errorf("heard %s", got)
	}
}

// When two instances poll at the same time, nothing is counted twice, lost or
// left firing.
func TestTwoInstances(t *testing.T) {
	st, e := memory.New(), &ear{}
	first := watcher(st, e, map[string]Reader{"c": nil})
	second := watcher(st, e, map[string]Reader{"c": nil})
	// during makes the second instance poll from beginning to end while the
	// first is reading.
	during := func(minute float64, r read) read {
		return func(ctx context.Context) (*Snapshot, error) {
			mustPoll(t, second, minute)
			return r(ctx)
		}
	}
	steps := []struct {
		first, second read
		want          string
	}{
		{fails("x"), fails("x"), ""},
		{sees(low), sees(low), ""},
		{sees(over), sees(over), "Lag g t since 08:02:00 firing lag=2001"},
		{sees(over), sees(over), "Lag g t since 08:02:00 firing lag=2001"},
		{sees(over), sees(low), "Lag g t since 08:02:00 ended 08:04:00 lag=2000"},
		{sees(low), sees(over), "Lag g t since 08:05:00 firing lag=2001"},
		{sees(low), sees(low), "Lag g t since 08:05:00 ended 08:06:00 lag=2000"},
		{fails("x"), fails("x"), ""},
		{fails("x"), fails("x"), "TocsinPollFailed since 08:07:00 firing"},
	}
	for i, s := range steps {
		second.Readers["c"] = s.second
		first.Readers["c"] = during(float64(i), s.first)
		mustPoll(t, first, float64(i))
		if got := e.heard(); got != s.want {
			t.Fatalf("poll %d:\ngot  %s\nwant %s", i, got, s.want)
		}
	}
}

// A second instance that polls between the first one's commit and its word.
func TestTwoInstancesWhileTold(t *testing.T) {
	st, e := memory.New(), &ear{}
	first := watcher(st, e, map[string]Reader{"c": sees(over)})
	second := watcher(st, e, map[string]Reader{"c": sees(over)})
	mustPoll(t, first, 0)
	first.Readers["c"] = sees(low)
	first.Ingest = func(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
		if err := e.Ingest(ctx, now, alerts); err != nil {
			return err
		}
		mustPoll(t, second, 1.1) // sees it over the limit again
		return nil
	}
	mustPoll(t, first, 1)
	if got := e.firing(at(2)); len(got) != 1 {
		t.Errorf("firing %q", got)
	}
	second.Readers["c"] = sees(low)
	mustPoll(t, second, 2)
	if got := e.firing(at(2)); got != nil {
		t.Errorf("left firing: %q", got)
	}
}

func TestTroubleWithTheStoreIsAnError(t *testing.T) {
	for n := 1; n <= 3; n++ {
		e := &ear{}
		c := &crashing{Store: memory.New(), ear: e, left: n}
		w := watcher(c, e, map[string]Reader{"c": sees(over)})
		w.Ingest = c.Ingest
		if _, err := w.Poll(t.Context(), at(0)); !errors.Is(err, errCrash) {
			t.Errorf("call %d failed and the poll said %v", n, err)
		}
	}
}

func TestDamagedState(t *testing.T) {
	st, e := memory.New(), &ear{}
	if err := st.Commit(t.Context(), at(0), store.Change{Key: "lag/c", Value: []byte(`{"version":1,"rules":7}`)}); err != nil {
		t.Fatal(err)
	}
	w := watcher(st, e, map[string]Reader{"c": sees(over)})
	mustPoll(t, w, 0)
	if got, want := e.heard(), "TocsinPollFailed since 08:00:00 firing"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := e.known["c TocsinPollFailed "].Annotations["description"]; !strings.Contains(got, "damaged") {
		t.Errorf("the alert does not say why: %q", got)
	}
	mustPoll(t, w, 1)
	if got, want := e.heard(), "TocsinPollFailed since 08:00:00 ended 08:01:00\nLag g t since 08:01:00 firing lag=2001"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

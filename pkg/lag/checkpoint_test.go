package lag

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/storetest"
)

// crashingStore crashes at a call: that one fails, after it was carried out or not,
// and so do all later ones.
type crashingStore struct {
	store.Store
	recorder     *ingestRecorder
	callsLeft    int
	completeLast bool // the last call is carried out
}

var errCrash = errors.New("crashed")

func (c *crashingStore) call(do func() error) error {
	c.callsLeft--
	if c.callsLeft > 0 || c.callsLeft == 0 && c.completeLast {
		if err := do(); err != nil {
			return err
		}
	}
	if c.callsLeft <= 0 {
		return errCrash
	}
	return nil
}

func (c *crashingStore) Get(ctx context.Context, keys ...string) (items []store.Item, err error) {
	err = c.call(func() error { items, err = c.Store.Get(ctx, keys...); return err })
	return items, err
}

func (c *crashingStore) List(ctx context.Context, prefix, after string, limit int) (items []store.Item, err error) {
	err = c.call(func() error { items, err = c.Store.List(ctx, prefix, after, limit); return err })
	return items, err
}

func (c *crashingStore) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	return c.call(func() error { return c.Store.Commit(ctx, now, changes...) })
}

func (c *crashingStore) Ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	return c.call(func() error { return c.recorder.Ingest(ctx, now, alerts) })
}

// crashPolls polls with a snapshot a minute, each with a new Watcher. The poll at
// crashed crashes at the nth call; after every other one check is called. It reports
// whether the poll got as far as that call.
func crashPolls(t *testing.T, rule Rule, snaps []*Snapshot, crashed, n int, complete bool, check func(rec *ingestRecorder, poll int)) (reached bool) {
	st, rec := memory.New(), &ingestRecorder{}
	for i, snap := range snaps {
		w := newRuleWatcher(st, rec, returning(snap), rule)
		if i == crashed {
			c := &crashingStore{Store: st, recorder: rec, callsLeft: n, completeLast: complete}
			w.Store, w.Ingest = c, c.Ingest
			_, err := w.Poll(t.Context(), at(float64(i)))
			reached = err != nil
			continue
		}
		mustPoll(t, w, float64(i))
		check(rec, i)
	}
	return reached
}

// testCrashes calls run for a crash at every call of the polls from 1 to last.
func testCrashes(t *testing.T, last int, run func(t *testing.T, crashed, n int, complete bool) (reached bool)) {
	for crashed := 1; crashed <= last; crashed++ {
		reached := true
		for n := 1; reached; n++ {
			for _, complete := range []bool{false, true} {
				t.Run(fmt.Sprintf("poll %d, call %d, complete %t", crashed, n, complete), func(t *testing.T) {
					reached = run(t, crashed, n, complete)
				})
			}
		}
	}
}

// After a crash at any call, the next poll ingests the start of an alert, or its end.
func TestCrash(t *testing.T) {
	snaps := []*Snapshot{belowLimit, overLimit, overLimit, belowLimit, overLimit, belowLimit, belowLimit}
	testCrashes(t, 5, func(t *testing.T, crashed, n int, complete bool) bool {
		return crashPolls(t, lagRule(2000), snaps, crashed, n, complete, func(rec *ingestRecorder, i int) {
			if got, want := len(rec.firing(at(float64(i)))) > 0, snaps[i] == overLimit; got != want {
				t.Fatalf("firing after poll %d = %t, want %t", i, got, want)
			}
		})
	})
}

// The same with a rule that needs the window: the polls before and after the crash
// count.
func TestCrashWithWindow(t *testing.T) {
	snaps := make([]*Snapshot, 12)
	for i := range snaps {
		commit := int64(100)
		if i%6 >= 4 {
			commit = 200
		}
		snaps[i] = newSnapshot(newGroupOf("g", newPartition(0, commit, 200)))
	}
	testCrashes(t, 10, func(t *testing.T, crashed, n int, complete bool) bool {
		return crashPolls(t, statusRule("Stalled", trend.Stalled), snaps, crashed, n, complete, func(rec *ingestRecorder, i int) {
			// It takes three polls in a row to stall; the crashed one may be among them.
			must := i == 3 || i == 9
			never := i < 2 || i > 3 && i < 8 || i > 9
			if got := len(rec.firing(at(float64(i)))) > 0; must && !got || never && got {
				t.Fatalf("firing after poll %d = %t, want %t", i, got, must)
			}
		})
	})
}

// An end that could not be ingested is ingested by the next poll, whatever ended.
func TestEndsAreIngestedAgain(t *testing.T) {
	st, rec := memory.New(), &ingestRecorder{}
	bad := Group{Name: "h", Err: errors.New("denied")}
	w := newTestWatcher(st, rec, map[string]Reader{"a": returning(newSnapshot(newGroup("g", newTopic("t", "2001")), bad)), "b": failing("down")})
	mustPoll(t, w, 0)
	mustPoll(t, w, 1)
	if got := rec.firing(at(1)); len(got) != 3 {
		t.Fatalf("firing = %q, want 3 alerts", got)
	}
	w.Readers = map[string]Reader{"a": returning(newSnapshot(newGroup("g", newTopic("t", "0")), newGroup("h"))), "b": returning(belowLimit)}
	w.Ingest = func(context.Context, time.Time, []*alert.Alert) error { return errCrash }
	if _, err := w.Poll(t.Context(), at(2)); !errors.Is(err, errCrash) {
		t.Fatalf("error of Poll = %v, want %v", err, errCrash)
	}
	w.Ingest = rec.Ingest
	mustPoll(t, w, 3)
	if got := rec.firing(at(3)); got != nil {
		t.Errorf("firing = %q, want none", got)
	}
	rec.take()
	mustPollAlerts(t, w, rec, 4, "")
}

// readOnlyStore refuses to commit.
type readOnlyStore struct{ store.Store }

func (readOnlyStore) Commit(context.Context, time.Time, ...store.Change) error {
	return store.ErrUnavailable
}

// An alert whose state is not stored is not ingested, because it would never end.
func TestNothingIsIngestedWithoutACommit(t *testing.T) {
	rec := &ingestRecorder{}
	w := newTestWatcher(readOnlyStore{memory.New()}, rec, map[string]Reader{"c": returning(overLimit)})
	if _, err := w.Poll(t.Context(), at(0)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error of Poll = %v, want %v", err, store.ErrUnavailable)
	}
	wantAlerts(t, rec, 0, "")
}

// Two concurrent polls count a failure once, and lose no start or end of an alert.
func TestConcurrentPolls(t *testing.T) {
	st, rec := memory.New(), &ingestRecorder{}
	first := newTestWatcher(st, rec, map[string]Reader{"c": nil})
	second := newTestWatcher(st, rec, map[string]Reader{"c": nil})
	// during polls with the second instance while the first is reading.
	during := func(minute float64, r readerFunc) readerFunc {
		return func(ctx context.Context) (*Snapshot, error) {
			mustPoll(t, second, minute)
			return r(ctx)
		}
	}
	steps := []struct {
		first, second readerFunc
		want          string
	}{
		{failing("x"), failing("x"), ""},
		{returning(belowLimit), returning(belowLimit), ""},
		{returning(overLimit), returning(overLimit), "Lag g t since 08:02:00 firing lag=2001"},
		{returning(overLimit), returning(overLimit), "Lag g t since 08:02:00 firing lag=2001"},
		{returning(overLimit), returning(belowLimit), "Lag g t since 08:02:00 ended 08:04:00 lag=2000"},
		{returning(belowLimit), returning(overLimit), "Lag g t since 08:05:00 firing lag=2001"},
		{returning(belowLimit), returning(belowLimit), "Lag g t since 08:05:00 ended 08:06:00 lag=2000"},
		{failing("x"), failing("x"), ""},
		{failing("x"), failing("x"), "TocsinPollFailed since 08:07:00 firing"},
	}
	for i, s := range steps {
		second.Readers["c"] = s.second
		first.Readers["c"] = during(float64(i), s.first)
		mustPoll(t, first, float64(i))
		wantAlerts(t, rec, float64(i), s.want)
	}
}

// The second instance polls between the first one's two commits.
func TestConcurrentPollDuringIngest(t *testing.T) {
	st, rec := memory.New(), &ingestRecorder{}
	first := newTestWatcher(st, rec, map[string]Reader{"c": returning(overLimit)})
	second := newTestWatcher(st, rec, map[string]Reader{"c": returning(overLimit)})
	mustPoll(t, first, 0)
	first.Readers["c"] = returning(belowLimit)
	first.Ingest = func(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
		if err := rec.Ingest(ctx, now, alerts); err != nil {
			return err
		}
		mustPoll(t, second, 1.1) // over the limit again
		return nil
	}
	mustPoll(t, first, 1)
	if got := rec.firing(at(2)); len(got) != 1 {
		t.Errorf("firing = %q, want 1 alert", got)
	}
	second.Readers["c"] = returning(belowLimit)
	mustPoll(t, second, 2)
	if got := rec.firing(at(2)); got != nil {
		t.Errorf("firing = %q, want none", got)
	}
}

func TestPollReturnsErrorsOfTheStore(t *testing.T) {
	for n := 1; n <= 3; n++ {
		t.Run(fmt.Sprintf("call %d", n), func(t *testing.T) {
			rec := &ingestRecorder{}
			c := &crashingStore{Store: memory.New(), recorder: rec, callsLeft: n}
			w := newTestWatcher(c, rec, map[string]Reader{"c": returning(overLimit)})
			w.Ingest = c.Ingest
			if _, err := w.Poll(t.Context(), at(0)); !errors.Is(err, errCrash) {
				t.Errorf("error of Poll = %v, want %v", err, errCrash)
			}
		})
	}
}

func TestDamagedState(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, st *storetest.Damaged) error{
		"of another form": func(t *testing.T, st *storetest.Damaged) error {
			return st.Commit(t.Context(), at(0), store.Change{Key: "lag/c", Value: []byte(`{"version":1,"rules":7}`)})
		},
		"that the store cannot decode": func(t *testing.T, st *storetest.Damaged) error {
			_, err := st.Damage(t.Context(), "lag/c")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			st, rec := &storetest.Damaged{Store: memory.New()}, &ingestRecorder{}
			if err := st.Commit(t.Context(), at(0), store.Change{Key: "lag/c", Value: []byte(`{"version":1}`)}); err != nil {
				t.Fatal(err)
			}
			if err := damage(t, st); err != nil {
				t.Fatal(err)
			}
			w := newTestWatcher(st, rec, map[string]Reader{"c": returning(overLimit)})
			mustPollAlerts(t, w, rec, 0, "TocsinPollFailed since 08:00:00 firing")
			if got := rec.merged["c TocsinPollFailed "].Annotations["description"]; !strings.Contains(got, "damaged") {
				t.Errorf("description = %q, want the cause in it", got)
			}
			mustPollAlerts(t, w, rec, 1, "TocsinPollFailed since 08:00:00 ended 08:01:00\nLag g t since 08:01:00 firing lag=2001")
		})
	}
}

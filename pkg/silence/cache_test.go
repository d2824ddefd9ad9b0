package silence_test

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
	"tocsin/pkg/silence"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/storetest"
)

// newSilences returns the silences in st as another instance has them: nothing is in
// memory.
func newSilences(st store.Store) *silence.Silences {
	return silence.New(st, 0, silence.Limits{}, slog.New(slog.DiscardHandler))
}

// newSilence returns a silence from t0 for 1,000 s.
func newSilence(matchers ...silence.Matcher) silence.Silence {
	return silence.Silence{Matchers: matchers, StartsAt: at(0), EndsAt: at(1000), CreatedBy: "ops", Comment: "test"}
}

func equal(name, value string) silence.Matcher {
	return silence.Matcher{Name: name, Value: value, IsEqual: true}
}

func regex(name, value string) silence.Matcher {
	return silence.Matcher{Name: name, Value: value, IsEqual: true, IsRegex: true}
}

func set(t *testing.T, ss *silence.Silences, now time.Time, s silence.Silence) (id string) {
	t.Helper()
	id, err := ss.Set(t.Context(), now, s)
	if err != nil {
		t.Fatalf("set %v: %v", s.Matchers, err)
	}
	return id
}

func activeAt(t *testing.T, ss *silence.Silences, now time.Time) *silence.Muter {
	t.Helper()
	active, err := ss.ActiveAt(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	return active
}

func expectMuted(t *testing.T, ss *silence.Silences, now time.Time, l alert.Labels, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := activeAt(t, ss, now).MutedBy(l); !slices.Equal(got, want) {
		t.Errorf("%v at %v: muted by %q, want %q", l, now.Sub(t0), got, want)
	}
}

func TestEverySilenceMutes(t *testing.T) {
	const many = 10_100
	ss := newSilences(memory.New())
	ids := make([]string, many)
	for i := range ids {
		ids[i] = set(t, ss, at(0), newSilence(equal("instance", fmt.Sprint(i))))
	}
	active := activeAt(t, ss, at(1))
	for i, id := range ids {
		if got, want := active.MutedBy(alert.Labels{"instance": fmt.Sprint(i)}), []string{id}; !slices.Equal(got, want) {
			t.Fatalf("alert %d of %d: muted by %q, want %q", i, many, got, want)
		}
	}
	all, err := ss.List(t.Context(), t0)
	if err != nil || len(all) != many {
		t.Errorf("listed: got %d silences, %v, want %d", len(all), err, many)
	}
}

func TestMutedBySeveral(t *testing.T) {
	ss := newSilences(memory.New())
	api := set(t, ss, at(0), newSilence(equal("job", "api")))
	apiInA := set(t, ss, at(0), newSilence(equal("job", "api"), equal("zone", "a")))
	like := set(t, ss, at(0), newSilence(regex("job", "a.*|b.*")))
	noZone := set(t, ss, at(0), newSilence(equal("zone", ""), equal("job", "db")))
	notApi := set(t, ss, at(0), newSilence(silence.Matcher{Name: "job", Value: "api"}))
	for _, test := range []struct {
		name   string
		labels alert.Labels
		want   []string
	}{
		{"several silences", alert.Labels{"job": "api", "zone": "a"}, []string{api, apiInA, like}},
		{"not all conditions", alert.Labels{"job": "api", "zone": "b"}, []string{api, like}},
		{"an expression", alert.Labels{"job": "batch"}, []string{like, notApi}},
		{"an absent label", alert.Labels{"job": "db"}, []string{noZone, notApi}},
		{"a label that must be absent", alert.Labels{"job": "db", "zone": "a"}, []string{notApi}},
	} {
		t.Run(test.name, func(t *testing.T) { expectMuted(t, ss, at(1), test.labels, test.want...) })
	}
}

// TestAnotherInstance checks that what one instance changes counts for another one at
// its next look, though that one keeps silences in memory.
func TestAnotherInstance(t *testing.T) {
	st := memory.New()
	one, other := newSilences(st), newSilences(st)
	a := alert.Labels{"job": "a"}
	expectMuted(t, other, at(0), a)
	id := set(t, one, at(1), newSilence(equal("job", "a")))
	expectMuted(t, other, at(1), a, id)
	longer := newSilence(equal("job", "a"))
	longer.ID, longer.StartsAt, longer.EndsAt = id, at(1), at(2000)
	set(t, one, at(2), longer)
	expectMuted(t, other, at(1500), a, id)
	replaced := longer
	replaced.Matchers = []silence.Matcher{equal("job", "b")}
	second := set(t, one, at(1501), replaced)
	expectMuted(t, other, at(1502), a)
	expectMuted(t, other, at(1502), alert.Labels{"job": "b"}, second)
	if err := one.Expire(t.Context(), at(1503), second); err != nil {
		t.Fatal(err)
	}
	expectMuted(t, other, at(1504), alert.Labels{"job": "b"})
}

// countOps returns st and the number of each operation on it.
func countOps(st store.Store) (store.Store, map[string]int) {
	ops := map[string]int{}
	return storetest.Intercept(st, func(_ context.Context, op storetest.Op, do func() error) error {
		ops[op.Name]++
		return do()
	}), ops
}

func TestReadsOnlyWhatChanged(t *testing.T) {
	st, ops := countOps(memory.New())
	ss := newSilences(st)
	for i := range 2500 {
		set(t, ss, at(0), newSilence(equal("job", fmt.Sprint(i))))
	}
	activeAt(t, ss, at(1))
	clear(ops)
	for i := range 100 {
		activeAt(t, ss, at(float64(1+i)))
	}
	if got, want := fmt.Sprint(ops), "map[Get:100]"; got != want {
		t.Errorf("100 looks without a change: got %s, want %s", got, want)
	}
	// An instance of an earlier version writes nothing but the silence.
	old := newSilence(equal("job", "old"))
	old.ID = "00000000-0000-4000-8000-000000000000"
	c, err := store.Encode(keyspace.Silence+old.ID, old)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Commit(t.Context(), at(100), c); err != nil {
		t.Fatal(err)
	}
	expectMuted(t, ss, at(302), alert.Labels{"job": "old"}, old.ID)
}

// TestChangesWhileReading replaces a silence after the first page was read, so that the
// old one is expired on the second and the new one was not on the first.
func TestChangesWhileReading(t *testing.T) {
	st := memory.New()
	other := newSilences(st)
	for i := range 1500 {
		set(t, other, at(0), newSilence(equal("job", fmt.Sprint(i))))
	}
	all, err := other.List(t.Context(), t0)
	if err != nil {
		t.Fatal(err)
	}
	var lists int
	var id string
	ss := newSilences(storetest.Intercept(st, func(_ context.Context, op storetest.Op, do func() error) error {
		if op.Name != "List" {
			return do()
		}
		if lists++; lists == 2 {
			last := *all[len(all)-1]
			last.Matchers = []silence.Matcher{equal("job", last.Matchers[0].Value), regex("zone", ".*")}
			id = set(t, other, at(1), last)
			for id >= all[999].ID { // until it is on the first page
				if err := other.Expire(t.Context(), at(1), id); err != nil {
					t.Fatal(err)
				}
				id = set(t, other, at(1), last)
			}
		}
		return do()
	}))
	active := activeAt(t, ss, at(2))
	if got, want := active.MutedBy(alert.Labels{"job": all[len(all)-1].Matchers[0].Value}), []string{id}; !slices.Equal(got, want) {
		t.Errorf("muted by %q, want %q", got, want)
	}
}

// TestStoredByEarlierVersion checks that a silence which is too large today keeps its
// promise, and that one which cannot be read harms no other.
func TestStoredByEarlierVersion(t *testing.T) {
	st := memory.New()
	large := newSilence(regex("job", strings.Repeat("a?", 6000)+"b"))
	large.ID = "00000000-0000-4000-8000-000000000000"
	invalid := newSilence(regex("job", "("))
	invalid.ID = "00000000-0000-4000-8000-000000000001"
	for _, s := range []silence.Silence{large, invalid} {
		value, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Commit(t.Context(), at(0), store.Change{Key: keyspace.Silence + s.ID, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Commit(t.Context(), at(0), store.Change{Key: keyspace.Silence + "damaged", Value: []byte("{")}); err != nil {
		t.Fatal(err)
	}
	ss := newSilences(st)
	expectMuted(t, ss, at(1), alert.Labels{"job": "aab"}, large.ID)
	id := set(t, ss, at(1), newSilence(equal("job", "c")))
	expectMuted(t, ss, at(2), alert.Labels{"job": "c"}, id)
	all, err := ss.List(t.Context(), t0)
	if err != nil || len(all) != 3 {
		t.Errorf("listed: got %d silences, %v, want 3", len(all), err)
	}
}

// TestCompilesOnce checks that a look costs no compilation, by what it allocates: the
// expression takes 440,000 bytes to compile.
func TestCompilesOnce(t *testing.T) {
	ss := newSilences(memory.New())
	set(t, ss, at(0), newSilence(regex("job", strings.Repeat("abcdefg|", 900)+"x")))
	other := newSilence(equal("job", "a"))
	other.ID = set(t, ss, at(0), other)
	activeAt(t, ss, at(1))
	for _, test := range []struct {
		name   string
		before func() error // each look
		most   int64        // bytes
	}{
		{"nothing has changed", func() error { return nil }, 1000},
		{"another silence has changed", func() error { _, err := ss.Set(context.Background(), at(1), other); return err }, 100_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			allocated := testing.Benchmark(func(b *testing.B) {
				for b.Loop() {
					if err := test.before(); err != nil {
						b.Fatal(err)
					}
					if _, err := ss.ActiveAt(context.Background(), at(1)); err != nil {
						b.Fatal(err)
					}
				}
			}).AllocedBytesPerOp()
			if allocated > test.most {
				t.Errorf("a look: got %d bytes allocated, want at most %d", allocated, test.most)
			}
		})
	}
}

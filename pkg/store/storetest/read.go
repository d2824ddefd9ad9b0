package storetest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"tocsin/pkg/store"
)

func testList(t *testing.T, s store.Store) {
	wantKeys(t, "empty", listKeys(t, s, "", "", 9))
	mustCommit(t, s, set("b/1", "x"), set("a/2", "x"), set("a/10", "x"), set("a/1", "x"), set("ab/1", "x"))

	for _, test := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"", "", 9, []string{"a/1", "a/10", "a/2", "ab/1", "b/1"}},
		{"a/", "", 9, []string{"a/1", "a/10", "a/2"}},
		{"a/1", "", 9, []string{"a/1", "a/10"}},
		{"a", "", 9, []string{"a/1", "a/10", "a/2", "ab/1"}},
		{"a/", "", 2, []string{"a/1", "a/10"}},
		{"a/", "a/10", 9, []string{"a/2"}},
		{"a/", "a/1", 1, []string{"a/10"}},
		{"a/", "a/100", 9, []string{"a/2"}}, // after need not exist
		{"a/", "a/2", 9, nil},
		{"a/1", "a/0", 9, []string{"a/1", "a/10"}}, // before the prefix
		{"a/", "b/1", 9, nil},                      // after the prefix
		{"a/1", "a/1", 9, []string{"a/10"}},
		{"c", "", 9, nil},
		{"b/1", "", math.MaxInt, []string{"b/1"}},
		{"a/", "", 0, nil},
		{"a/", "", -1, nil},
	} {
		what := fmt.Sprintf("List(%q, %q, %d)", test.prefix, test.after, test.limit)
		wantKeys(t, what, listKeys(t, s, test.prefix, test.after, test.limit), test.want...)
	}
	items, err := s.List(t.Context(), "a/2", "", 1)
	if err != nil || len(items) != 1 || items[0].Version != mustGet(t, s, "a/2").Version || string(items[0].Value) != "x" {
		t.Errorf("List: got %+v, %v, want a/2 with its value and version", items, err)
	}
}

// testListBytes has keys for which byte order differs from the order of characters, and
// prefixes whose end cannot be found by incrementing the last byte.
func testListBytes(t *testing.T, s store.Store) {
	sorted := []string{"a/", "a/\x00", "a/\x00\x00", "a/Z", "a/a", "a/é", "a/集", "a/\xff", "a/\xff\x00", "a/\xff\xff", "a/\xff\xff\xff", "b/1", "\xff/\xff"}
	for i := range sorted {
		mustCommit(t, s, set(sorted[len(sorted)-1-i], "x"))
	}
	wantKeys(t, "all", listKeys(t, s, "", "", 99), sorted...)
	wantKeys(t, "a/", listKeys(t, s, "a/", "", 99), sorted[:11]...)
	wantKeys(t, "a/ff", listKeys(t, s, "a/\xff", "", 99), sorted[7:11]...)
	wantKeys(t, "a/ff ff", listKeys(t, s, "a/\xff\xff", "", 99), sorted[9:11]...)
	wantKeys(t, "after a/ff", listKeys(t, s, "a/\xff", "a/\xff", 99), sorted[8:11]...)
	wantKeys(t, "ff", listKeys(t, s, "\xff", "", 99), sorted[12])
	wantKeys(t, "a/00", listKeys(t, s, "a/\x00", "", 99), sorted[1:3]...)
	wantKeys(t, "the first byte of a character", listKeys(t, s, "a/\xc3", "", 99), "a/é")
}

func testListPages(t *testing.T, s store.Store) {
	changes := manyChanges(2500)
	mustCommit(t, s, append(changes, set("manx/1", "x"), set("many0/1", "x"))...)
	var got []string
	after := ""
	for {
		page := listKeys(t, s, "many/", after, 1000)
		got = append(got, page...)
		if len(page) < 1000 {
			break
		}
		after = page[len(page)-1]
		// A change before the position of the reader does not affect it.
		mustCommit(t, s, del(page[0]))
	}
	var want []string
	for _, c := range changes {
		want = append(want, c.Key)
	}
	wantKeys(t, "pages", got, want...)
}

func testDue(t *testing.T, s store.Store) {
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	mustCommit(t, s,
		setDue("q/c", at(2)), setDue("q/a", at(2)), setDue("q/b", at(2)),
		setDue("q/z", at(1)), setDue("q/late", at(3)), set("q/never", "x"),
		setDue("q/1970", time.UnixMilli(-1)), setDue("q/1971", time.UnixMilli(1)), setDue("q/epoch", time.UnixMilli(0)),
		setDue("qq/1", at(0)), setDue("p/1", at(0)), setDue("q\x00/1", at(0)))

	old := []string{"q/1970", "q/epoch", "q/1971"}
	for _, test := range []struct {
		now   time.Time
		limit int
		want  []string
	}{
		{at(0), 99, old},
		{at(1), 99, append(old[:3:3], "q/z")},
		{at(2), 99, append(old[:3:3], "q/z", "q/a", "q/b", "q/c")}, // due exactly now
		{at(9), 99, append(old[:3:3], "q/z", "q/a", "q/b", "q/c", "q/late")},
		{at(9), math.MaxInt, append(old[:3:3], "q/z", "q/a", "q/b", "q/c", "q/late")},
		{at(9), 5, append(old[:3:3], "q/z", "q/a")},
		{at(9).In(time.FixedZone("CST", 8*3600)), 1, old[:1]},
		{at(9), 0, nil},
		{at(9), -1, nil},
		{time.UnixMilli(-2), 99, nil},
	} {
		wantKeys(t, fmt.Sprintf("Due(%v, %d)", test.now, test.limit), dueKeys(t, s, "q", test.now, test.limit), test.want...)
	}
	wantKeys(t, "Due(p)", dueKeys(t, s, "p", at(0), 9), "p/1")
	wantKeys(t, "Due(qq)", dueKeys(t, s, "qq", at(0), 9), "qq/1")
	wantKeys(t, "Due(absent)", dueKeys(t, s, "absent", at(9), 9))

	items, err := s.Due(t.Context(), "qq", at(0), 1)
	if err != nil || len(items) != 1 {
		t.Fatalf("Due: got %+v, %v, want one item", items, err)
	}
	if it := items[0]; string(it.Value) != "qq/1" || it.Version != mustGet(t, s, "qq/1").Version || !it.Due.Equal(at(0)) {
		t.Errorf("Due: got %+v, want qq/1 with its value, version and due time", it)
	}
}

func testDueMoves(t *testing.T, s store.Store) {
	later := noon.Add(time.Hour)
	mustCommit(t, s, setDue("q/1", noon), setDue("q/2", noon), setDue("q/3", noon))
	mustCommit(t, s, setDue("q/1", later), set("q/2", "out"), set("q/3", "out"))
	wantKeys(t, "at noon", dueKeys(t, s, "q", noon, 9))
	wantKeys(t, "later", dueKeys(t, s, "q", later, 9), "q/1")
	if it := mustGet(t, s, "q/2"); !it.Due.IsZero() {
		t.Errorf("got %+v, want no due time", it)
	}
	mustCommit(t, s, setDue("q/1", noon.Add(-time.Hour)), setDue("q/3", noon))
	wantKeys(t, "earlier", dueKeys(t, s, "q", later, 9), "q/1", "q/3")
}

// testDueMillisecond: due times are rounded down to the millisecond, so that an item is
// due at its time and not a millisecond before.
func testDueMillisecond(t *testing.T, s store.Store) {
	at := noon.Add(1234567 * time.Nanosecond) // 1.234567 ms
	mustCommit(t, s, setDue("q/1", at), store.Change{Key: "q/2", Value: []byte("x"), Due: at.In(time.FixedZone("", 3600))})
	wantKeys(t, "at its time", dueKeys(t, s, "q", at, 9), "q/1", "q/2")
	wantKeys(t, "a millisecond earlier", dueKeys(t, s, "q", at.Add(-time.Millisecond), 9))

	rounded := noon.Add(time.Millisecond)
	if it := mustGet(t, s, "q/1"); !it.Due.Equal(rounded) {
		t.Errorf("got due time %v, want %v", it.Due, rounded)
	}
	next := mustNextDue(t, s, "q")
	if !next.Equal(rounded) {
		t.Errorf("NextDue: got %v, want %v", next, rounded)
	}
	wantKeys(t, "at NextDue", dueKeys(t, s, "q", next, 9), "q/1", "q/2")
}

func testNextDue(t *testing.T, s store.Store) {
	check := func(want time.Time, kinds ...string) {
		t.Helper()
		if next := mustNextDue(t, s, kinds...); !next.Equal(want) {
			t.Errorf("NextDue(%q): got %v, want %v", kinds, next, want)
		}
	}
	never := time.Time{}
	check(never)
	check(never, "a", "b")
	mustCommit(t, s, set("a/never", "x"), setDue("b/1", noon.Add(2)), setDue("b/0", noon.Add(time.Hour)), setDue("c/1", noon.Add(time.Minute)), setDue("bb/1", noon.Add(-time.Hour)))
	check(never, "a")
	check(never)
	check(noon, "b")
	check(noon, "a", "c", "b")
	check(noon, "b", "c", "a")
	check(noon.Add(time.Minute), "c", "a")
	check(noon.Add(-time.Hour), "b", "bb")
	mustCommit(t, s, del("b/1"))
	check(noon.Add(time.Hour), "b")
	check(noon.Add(time.Minute), "b", "c")
	mustCommit(t, s, set("c/1", "out"))
	check(noon.Add(time.Hour), "b", "c")
}

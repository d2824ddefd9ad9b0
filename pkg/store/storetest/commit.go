package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/store"
)

func testAtomic(t *testing.T, s store.Store) {
	commit(t, s, setDue("a/1", noon), set("a/2", "two"))
	held := get(t, s, "a/2")
	commit(t, s, set("a/2", "moved"))

	later := noon.Add(time.Hour)
	conflict(t, s,
		setDue("a/new", noon),
		setDue("a/1", later),
		store.Change{Key: "a/2", Value: []byte("mine"), If: store.Unchanged(held)},
		del("a/1x"),
		set("z/1", "last"))
	want(t, s, "a/new", "")
	want(t, s, "a/1", "a/1")
	want(t, s, "a/2", "moved")
	want(t, s, "z/1", "")
	wantKeys(t, "List", list(t, s, "", "", 9), "a/1", "a/2")
	wantKeys(t, "Due", due(t, s, "a", later, 9), "a/1")
	if next := nextDue(t, s, "a"); !next.Equal(noon) {
		t.Errorf("NextDue %v, want %v", next, noon)
	}
}

func testConditions(t *testing.T, s store.Store) {
	absent := get(t, s, "a/1")
	if absent.Key != "a/1" || absent.Version != 0 {
		t.Fatalf("absent item: %+v", absent)
	}
	// Of an absent key, both conditions say the same.
	commit(t, s, store.Change{Key: "a/1", Value: []byte("one"), If: store.Unchanged(absent)})
	commit(t, s, store.Change{Key: "a/2", Value: []byte("one"), If: store.Absent()})
	conflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(absent)})
	conflict(t, s, store.Change{Key: "a/2", Value: []byte("no"), If: store.Absent()})

	first := get(t, s, "a/1")
	commit(t, s, store.Change{Key: "a/1", Value: []byte("two"), If: store.Unchanged(first)})
	conflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(first)})
	conflict(t, s, store.Change{Key: "a/1", Delete: true, If: store.Unchanged(first)})
	want(t, s, "a/1", "two")

	// The same bytes again are a change nevertheless.
	second := get(t, s, "a/1")
	commit(t, s, set("a/1", "two"))
	conflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(second)})

	commit(t, s, store.Change{Key: "a/1", Delete: true, If: store.Unchanged(get(t, s, "a/1"))})
	conflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(second)})
	commit(t, s, store.Change{Key: "a/1", Value: []byte("new"), If: store.Absent()})
	want(t, s, "a/1", "new")
}

func testConditionOnly(t *testing.T, s store.Store) {
	commit(t, s, setDue("guard/1", noon))
	guard := get(t, s, "guard/1")

	// It writes nothing of its own key: not the value, not the due time.
	commit(t, s,
		store.Change{Key: "guard/1", If: store.Unchanged(guard), Due: noon.Add(time.Hour)},
		store.Change{Key: "guard/2", If: store.Absent(), Due: noon},
		store.Change{Key: "guard/3", Due: noon},
		set("a/1", "one"))
	if now := get(t, s, "guard/1"); now.Version != guard.Version || !now.Due.Equal(noon) {
		t.Errorf("a condition changed %+v to %+v", guard, now)
	}
	wantKeys(t, "List", list(t, s, "", "", 9), "a/1", "guard/1")
	wantKeys(t, "Due", due(t, s, "guard", noon.Add(time.Hour), 9), "guard/1")

	conflict(t, s, store.Change{Key: "guard/1", If: store.Absent()}, set("a/1", "no"))
	commit(t, s, set("guard/1", "moved"))
	conflict(t, s, store.Change{Key: "guard/1", If: store.Unchanged(guard)}, set("a/1", "no"))
	conflict(t, s, store.Change{Key: "guard/1", If: store.Unchanged(guard)})
	want(t, s, "a/1", "one")
	commit(t, s)
}

// testVersionsNeverRepeat writes and deletes a key over and over: whoever read it
// once may never take a later item for what he read.
func testVersionsNeverRepeat(t *testing.T, s store.Store) {
	seen := map[uint64]bool{}
	var old []store.Item
	for round := range 20 {
		commit(t, s, set("a/1", "same"), set("a/2", "other"))
		it := get(t, s, "a/1")
		if it.Version == 0 || seen[it.Version] {
			t.Fatalf("round %d: version %d is zero or was there before", round, it.Version)
		}
		for _, it := range old {
			conflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(it)})
		}
		seen[it.Version] = true
		old = append(old, it)
		switch round % 3 {
		case 1:
			commit(t, s, del("a/1"))
		case 2:
			commit(t, s, del("a/1"), del("a/2"))
		}
	}
}

func testRefused(t *testing.T, s store.Store) {
	long := "a/" + strings.Repeat("x", store.MaxKey-1)
	for name, changes := range map[string][]store.Change{
		"empty key":        {set("", "v")},
		"no slash":         {set("abc", "v")},
		"no kind":          {set("/abc", "v")},
		"long key":         {set(long, "v")},
		"long value":       {{Key: "a/big", Value: make([]byte, store.MaxValue+1)}},
		"key twice":        {set("a/1", "v"), set("a/2", "v"), set("a/1", "v")},
		"delete and write": {del("a/1"), set("a/1", "v")},
		"two conditions":   {{Key: "a/1", If: store.Absent()}, {Key: "a/1", If: store.Absent()}},
		"too many":         many(store.MaxChanges + 1),
	} {
		err := s.Commit(t.Context(), noon, append([]store.Change{set("ok/1", "v")}, changes...)...)
		if err == nil {
			t.Errorf("%s: committed", name)
		}
		// Trying again would not help.
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v looks passing", name, err)
		}
	}
	for _, key := range []string{"", "abc", "/abc", long} {
		if _, err := s.Get(t.Context(), "ok/1", key); err == nil {
			t.Errorf("Get(%.20q): no error", key)
		}
	}
	for _, kind := range []string{"", "a/", "a/b"} {
		if _, err := s.Due(t.Context(), kind, noon, 1); err == nil {
			t.Errorf("Due(%q): no error", kind)
		}
		if _, err := s.NextDue(t.Context(), "a", kind); err == nil {
			t.Errorf("NextDue(%q): no error", kind)
		}
	}
	wantKeys(t, "List", list(t, s, "", "", 9))
}

func testLimits(t *testing.T, s store.Store) {
	long := "a/" + strings.Repeat("x", store.MaxKey-2)
	big := bytes.Repeat([]byte("0123456789abcdef"), store.MaxValue/16)
	commit(t, s,
		store.Change{Key: long, Value: big, Due: noon, Expires: noon.Add(time.Hour)},
		store.Change{Key: "a/", Value: big})
	for _, key := range []string{long, "a/"} {
		if it := get(t, s, key); !bytes.Equal(it.Value, big) {
			t.Errorf("%.10q: %d bytes came back, and not the same", key, len(it.Value))
		}
	}
	wantKeys(t, "Due", due(t, s, "a", noon, 9), long)

	commit(t, s, many(store.MaxChanges)...)
	items, err := s.List(t.Context(), "many/", "", 2*store.MaxChanges)
	if err != nil || len(items) != store.MaxChanges {
		t.Fatalf("List: %d items, %v; want %d", len(items), err, store.MaxChanges)
	}
	if last := items[len(items)-1]; last.Key != "many/09999" || string(last.Value) != "9999" {
		t.Errorf("last item %q=%q", last.Key, last.Value)
	}
	if got := due(t, s, "many", noon.Add(time.Minute), 2*store.MaxChanges); len(got) != store.MaxChanges {
		t.Errorf("%d due, want %d", len(got), store.MaxChanges)
	}
	clear := make([]store.Change, len(items))
	for i, it := range items {
		clear[i] = store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)}
	}
	commit(t, s, clear...)
	wantKeys(t, "List", list(t, s, "many/", "", 9))
	wantKeys(t, "Due", due(t, s, "many", noon.Add(time.Minute), 9))
}

// many returns n writes, due within ten seconds from noon.
func many(n int) []store.Change {
	changes := make([]store.Change, n)
	for i := range changes {
		changes[i] = store.Change{
			Key:   fmt.Sprintf("many/%05d", i),
			Value: fmt.Append(nil, i),
			Due:   noon.Add(time.Duration(i) * time.Millisecond),
		}
	}
	return changes
}

func testExpires(t *testing.T, s store.Store) {
	at := noon.Add(time.Hour)
	write := func(key string, expires time.Time) store.Change {
		return store.Change{Key: key, Value: []byte(key), Due: noon, Expires: expires}
	}
	commit(t, s, write("a/goes", at), write("a/prolonged", at), write("a/kept", at), write("a/stays", time.Time{}))
	commit(t, s, write("a/prolonged", at.Add(time.Hour)), write("a/kept", time.Time{}))

	// Nothing goes early.
	if err := s.Commit(t.Context(), at.Add(-time.Millisecond), set("b/1", "x")); err != nil {
		t.Fatal(err)
	}
	all := []string{"a/goes", "a/kept", "a/prolonged", "a/stays"}
	wantKeys(t, "before", list(t, s, "a/", "", 9), all...)

	// What has expired may go, and nothing else; it goes from everywhere.
	if err := s.Commit(t.Context(), at.Add(time.Second), set("b/1", "y")); err != nil {
		t.Fatal(err)
	}
	left := all[1:]
	if get(t, s, "a/goes").Version != 0 {
		left = all
	}
	wantKeys(t, "after", list(t, s, "a/", "", 9), left...)
	wantKeys(t, "due after", due(t, s, "a", noon, 9), left...)

	commit(t, s, set("a/goes", "again"))
	want(t, s, "a/goes", "again")
}

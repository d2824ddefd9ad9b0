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
	mustCommit(t, s, setDue("a/1", noon), set("a/2", "two"))
	before := mustGet(t, s, "a/2")
	mustCommit(t, s, set("a/2", "moved"))

	later := noon.Add(time.Hour)
	mustConflict(t, s,
		setDue("a/new", noon),
		setDue("a/1", later),
		store.Change{Key: "a/2", Value: []byte("mine"), If: store.Unchanged(before)},
		del("a/1x"),
		set("z/1", "last"))
	wantValue(t, s, "a/new", "")
	wantValue(t, s, "a/1", "a/1")
	wantValue(t, s, "a/2", "moved")
	wantValue(t, s, "z/1", "")
	wantKeys(t, "List", listKeys(t, s, "", "", 9), "a/1", "a/2")
	wantKeys(t, "Due", dueKeys(t, s, "a", later, 9), "a/1")
	if next := mustNextDue(t, s, "a"); !next.Equal(noon) {
		t.Errorf("NextDue: got %v, want %v", next, noon)
	}
}

func testConditions(t *testing.T, s store.Store) {
	absent := mustGet(t, s, "a/1")
	if absent.Key != "a/1" || absent.Version != 0 {
		t.Fatalf("absent item: %+v", absent)
	}
	// For an absent key the two conditions are the same.
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("one"), If: store.Unchanged(absent)})
	mustCommit(t, s, store.Change{Key: "a/2", Value: []byte("one"), If: store.Absent()})
	mustConflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(absent)})
	mustConflict(t, s, store.Change{Key: "a/2", Value: []byte("no"), If: store.Absent()})

	first := mustGet(t, s, "a/1")
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("two"), If: store.Unchanged(first)})
	mustConflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(first)})
	mustConflict(t, s, store.Change{Key: "a/1", Delete: true, If: store.Unchanged(first)})
	wantValue(t, s, "a/1", "two")

	// Writing the same bytes again changes the version.
	second := mustGet(t, s, "a/1")
	mustCommit(t, s, set("a/1", "two"))
	mustConflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(second)})

	mustCommit(t, s, store.Change{Key: "a/1", Delete: true, If: store.Unchanged(mustGet(t, s, "a/1"))})
	mustConflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(second)})
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("new"), If: store.Absent()})
	wantValue(t, s, "a/1", "new")
}

func testConditionOnly(t *testing.T, s store.Store) {
	mustCommit(t, s, setDue("guard/1", noon))
	guard := mustGet(t, s, "guard/1")

	// A change that is only a condition writes neither the value nor the due time.
	mustCommit(t, s,
		store.Change{Key: "guard/1", If: store.Unchanged(guard), Due: noon.Add(time.Hour)},
		store.Change{Key: "guard/2", If: store.Absent(), Due: noon},
		store.Change{Key: "guard/3", Due: noon},
		set("a/1", "one"))
	if now := mustGet(t, s, "guard/1"); now.Version != guard.Version || !now.Due.Equal(noon) {
		t.Errorf("got %+v after a condition, want %+v", now, guard)
	}
	wantKeys(t, "List", listKeys(t, s, "", "", 9), "a/1", "guard/1")
	wantKeys(t, "Due", dueKeys(t, s, "guard", noon.Add(time.Hour), 9), "guard/1")

	mustConflict(t, s, store.Change{Key: "guard/1", If: store.Absent()}, set("a/1", "no"))
	mustCommit(t, s, set("guard/1", "moved"))
	mustConflict(t, s, store.Change{Key: "guard/1", If: store.Unchanged(guard)}, set("a/1", "no"))
	mustConflict(t, s, store.Change{Key: "guard/1", If: store.Unchanged(guard)})
	wantValue(t, s, "a/1", "one")
	mustCommit(t, s)
}

// testVersionsNeverRepeat writes and deletes a key 20 times: a condition with an old
// version never holds again.
func testVersionsNeverRepeat(t *testing.T, s store.Store) {
	seen := map[uint64]bool{}
	var old []store.Item
	for round := range 20 {
		mustCommit(t, s, set("a/1", "same"), set("a/2", "other"))
		it := mustGet(t, s, "a/1")
		if it.Version == 0 || seen[it.Version] {
			t.Fatalf("round %d: got version %d, want a new one that is not zero", round, it.Version)
		}
		for _, it := range old {
			mustConflict(t, s, store.Change{Key: "a/1", Value: []byte("no"), If: store.Unchanged(it)})
		}
		seen[it.Version] = true
		old = append(old, it)
		switch round % 3 {
		case 1:
			mustCommit(t, s, del("a/1"))
		case 2:
			mustCommit(t, s, del("a/1"), del("a/2"))
		}
	}
}

func testRejected(t *testing.T, s store.Store) {
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
		"too many":         manyChanges(store.MaxChanges + 1),
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Commit(t.Context(), noon, append([]store.Change{set("ok/1", "v")}, changes...)...)
			if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnavailable) {
				t.Errorf("got %v, want an error that does not invite a retry", err)
			}
		})
	}
	for _, key := range []string{"", "abc", "/abc", long} {
		if _, err := s.Get(t.Context(), "ok/1", key); err == nil {
			t.Errorf("Get(%.20q): got no error, want one", key)
		}
	}
	for _, kind := range []string{"", "a/", "a/b"} {
		if _, err := s.Due(t.Context(), kind, noon, 1); err == nil {
			t.Errorf("Due(%q): got no error, want one", kind)
		}
		if _, err := s.NextDue(t.Context(), "a", kind); err == nil {
			t.Errorf("NextDue(%q): got no error, want one", kind)
		}
	}
	wantKeys(t, "List", listKeys(t, s, "", "", 9))
}

func testLimits(t *testing.T, s store.Store) {
	long := "a/" + strings.Repeat("x", store.MaxKey-2)
	big := bytes.Repeat([]byte("0123456789abcdef"), store.MaxValue/16)
	mustCommit(t, s,
		store.Change{Key: long, Value: big, Due: noon, Expires: noon.Add(time.Hour)},
		store.Change{Key: "a/", Value: big})
	for _, key := range []string{long, "a/"} {
		if it := mustGet(t, s, key); !bytes.Equal(it.Value, big) {
			t.Errorf("%.10q: got %d other bytes, want the %d of the commit", key, len(it.Value), len(big))
		}
	}
	wantKeys(t, "Due", dueKeys(t, s, "a", noon, 9), long)

	mustCommit(t, s, manyChanges(store.MaxChanges)...)
	items, err := s.List(t.Context(), "many/", "", 2*store.MaxChanges)
	if err != nil || len(items) != store.MaxChanges {
		t.Fatalf("List: got %d items, %v, want %d", len(items), err, store.MaxChanges)
	}
	if last := items[len(items)-1]; last.Key != "many/09999" || string(last.Value) != "9999" {
		t.Errorf("got %q=%q as the last item, want many/09999=9999", last.Key, last.Value)
	}
	if got := dueKeys(t, s, "many", noon.Add(time.Minute), 2*store.MaxChanges); len(got) != store.MaxChanges {
		t.Errorf("Due: got %d items, want %d", len(got), store.MaxChanges)
	}
	clear := make([]store.Change, len(items))
	for i, it := range items {
		clear[i] = store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)}
	}
	mustCommit(t, s, clear...)
	wantKeys(t, "List", listKeys(t, s, "many/", "", 9))
	wantKeys(t, "Due", dueKeys(t, s, "many", noon.Add(time.Minute), 9))
}

// manyChanges returns n writes that are due one millisecond after the other from noon.
func manyChanges(n int) []store.Change {
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

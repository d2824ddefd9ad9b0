package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/store"
)

// RunUnreadable tests what a backend does with an item that it cannot decode: damage
// replaces the stored form of a key by other bytes. A backend without a form of its own
// does not run it.
func RunUnreadable(t *testing.T, open func(t *testing.T) (s store.Store, damage func(key string, raw []byte))) {
	later := noon.Add(time.Hour)
	unreadable := func(t *testing.T, items []store.Item, key string) store.Item {
		t.Helper()
		i := slices.IndexFunc(items, func(it store.Item) bool { return it.Key == key })
		if i < 0 {
			t.Fatalf("got %q, want %q among them", keysOf(items), key)
		}
		if found, err := store.Decode(items[i], new(any)); found || err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("Decode of %s: got %v, %v, want an error with its key", key, found, err)
		}
		return items[i]
	}
	due := func(t *testing.T, s store.Store, now time.Time) []store.Item {
		t.Helper()
		items, err := s.Due(t.Context(), "a", now, 9)
		if err != nil {
			t.Fatalf("Due: got %v, want no error", err)
		}
		return items
	}
	const newerFormat = "\x02newer"

	for _, raw := range []string{newerFormat, "", "2 3 newer\n", "1"} {
		t.Run("the others are read beside "+raw, func(t *testing.T) {
			s, damage := open(t)
			defer s.Close()
			mustCommit(t, s, setDue("a/1", noon), setDue("a/2", noon), set("a/3", `"x"`))
			damage("a/1", []byte(raw))
			listed, err1 := s.List(t.Context(), "a/", "", 9)
			got, err2 := s.Get(t.Context(), "a/3", "a/1")
			if err := errors.Join(err1, err2); err != nil {
				t.Fatalf("got %v, want no error", err)
			}
			wantKeys(t, "List", keysOf(listed), "a/1", "a/2", "a/3")
			wantKeys(t, "Due", keysOf(due(t, s, noon)), "a/1", "a/2")
			versions := []uint64{unreadable(t, listed, "a/1").Version, unreadable(t, got, "a/1").Version, unreadable(t, due(t, s, noon), "a/1").Version}
			if versions[0] == 0 || versions[0] != versions[1] || versions[0] != versions[2] {
				t.Errorf("got versions %d, want one that is not zero", versions)
			}
			if string(got[0].Value) != `"x"` || string(listed[2].Value) != `"x"` {
				t.Errorf("got %q and %q of a/3, want \"x\"", got[0].Value, listed[2].Value)
			}
			if next := mustNextDue(t, s, "a"); !next.Equal(noon) {
				t.Errorf("NextDue: got %v, want %v", next, noon)
			}
		})
	}
	t.Run("Reschedule moves its due time and keeps what is stored", func(t *testing.T) {
		s, damage := open(t)
		defer s.Close()
		mustCommit(t, s, setDue("a/1", noon), setDue("a/2", noon))
		damage("a/1", []byte(newerFormat))
		it := unreadable(t, due(t, s, noon), "a/1")
		mustCommit(t, s, store.Reschedule(it, later), set("a/3", "x"))
		wantKeys(t, "Due at noon", keysOf(due(t, s, noon)), "a/2")
		wantKeys(t, "Due later", keysOf(due(t, s, later)), "a/2", "a/1")
		if again := unreadable(t, due(t, s, later), "a/1"); again.Version != it.Version || !again.Due.Equal(later) {
			t.Errorf("got version %d due at %v, want %d at %v", again.Version, again.Due, it.Version, later)
		}
		mustCommit(t, s, store.Reschedule(unreadable(t, due(t, s, later), "a/1"), time.Time{}))
		wantKeys(t, "Due after it was taken out", keysOf(due(t, s, later)), "a/2")
		wantKeys(t, "List", listKeys(t, s, "a/", "", 9), "a/1", "a/2", "a/3")
	})
	t.Run("it can be replaced and deleted", func(t *testing.T) {
		s, damage := open(t)
		defer s.Close()
		mustCommit(t, s, setDue("a/1", noon), setDue("a/2", noon), set("a/3", "x"))
		for _, key := range []string{"a/1", "a/2", "a/3"} {
			damage(key, []byte(newerFormat))
		}
		items := due(t, s, noon)
		mustCommit(t, s,
			store.Change{Key: "a/1", Value: []byte("new"), Due: later, If: store.Unchanged(items[0])},
			store.Change{Key: "a/2", Delete: true, If: store.Unchanged(items[1])},
			set("a/3", "new"))
		wantValue(t, s, "a/1", "new")
		wantValue(t, s, "a/3", "new")
		wantKeys(t, "List", listKeys(t, s, "a/", "", 9), "a/1", "a/3")
		wantKeys(t, "Due", keysOf(due(t, s, later)), "a/1")
		if next := mustNextDue(t, s, "a"); !next.Equal(later) {
			t.Errorf("NextDue: got %v, want %v", next, later)
		}
	})
	t.Run("a condition fails when other bytes were stored since", func(t *testing.T) {
		s, damage := open(t)
		defer s.Close()
		mustCommit(t, s, setDue("a/1", noon))
		readable := mustGet(t, s, "a/1")
		damage("a/1", []byte(newerFormat))
		mustConflict(t, s, store.Change{Key: "a/1", Value: []byte("x"), If: store.Unchanged(readable)})
		mustConflict(t, s, store.Change{Key: "a/1", Value: []byte("x"), If: store.Absent()})
		it := unreadable(t, due(t, s, noon), "a/1")
		damage("a/1", []byte(newerFormat+" still"))
		mustConflict(t, s, store.Reschedule(it, later))
	})
	t.Run("a key without an item leaves the queue", func(t *testing.T) {
		s, damage := open(t)
		defer s.Close()
		mustCommit(t, s, setDue("a/1", noon), setDue("a/2", noon), setDue("a/3", noon))
		for _, key := range []string{"a/1", "a/2", "a/3"} {
			damage(key, nil)
		}
		items := due(t, s, noon)
		for i, key := range []string{"a/1", "a/2", "a/3"} {
			if it := unreadable(t, items, key); it.Version != 0 {
				t.Errorf("got version %d of item %d, want 0", it.Version, i)
			}
		}
		mustCommit(t, s, store.Reschedule(items[0], later),
			store.Change{Key: "a/2", Value: []byte("new"), If: store.Unchanged(items[1])},
			store.Change{Key: "a/3", Delete: true, If: store.Unchanged(items[2])})
		wantKeys(t, "Due", keysOf(due(t, s, later)))
		wantKeys(t, "List", listKeys(t, s, "a/", "", 9), "a/2")
	})
	t.Run("it does not keep others from expiring, and expires itself", func(t *testing.T) {
		s, damage := open(t)
		defer s.Close()
		for _, key := range []string{"a/1", "a/2"} {
			mustCommit(t, s, store.Change{Key: key, Value: []byte("x"), Expires: noon.Add(time.Minute)})
		}
		damage("a/1", []byte(newerFormat))
		if err := s.Commit(t.Context(), later, set("a/3", "x")); err != nil {
			t.Fatalf("Commit: got %v, want no error", err)
		}
		wantKeys(t, "List", listKeys(t, s, "a/", "", 9), "a/3")
	})
}

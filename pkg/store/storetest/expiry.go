package storetest

import (
	"fmt"
	"testing"
	"time"

	"tocsin/pkg/store"
)

// RunExpiry tests a backend that drops up to n expired items with each commit. A
// backend that leaves expiry to the server behind it does not run it.
func RunExpiry(t *testing.T, s store.Store, n int) {
	t.Cleanup(func() { s.Close() })
	at := noon.Add(time.Minute)
	var changes []store.Change
	for i := range 2*n + n/2 {
		changes = append(changes, store.Change{Key: fmt.Sprintf("a/%04d", i), Value: []byte("x"), Due: noon, Expires: at})
	}
	mustCommit(t, s, append(changes, store.Change{Key: "a/stays", Value: []byte("x"), Due: noon, Expires: at.Add(time.Hour)})...)

	for _, left := range []int{n + n/2, n / 2, 0, 0} {
		if err := s.Commit(t.Context(), at.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if got := listKeys(t, s, "a/", "", 9*n); len(got) != left+1 {
			t.Errorf("List: got %d items, want %d", len(got), left+1)
		}
		if got := dueKeys(t, s, "a", noon, 9*n); len(got) != left+1 {
			t.Errorf("Due: got %d items, want %d", len(got), left+1)
		}
	}
	wantValue(t, s, "a/stays", "x")
}

func testExpires(t *testing.T, s store.Store) {
	at := noon.Add(time.Hour)
	write := func(key string, expires time.Time) store.Change {
		return store.Change{Key: key, Value: []byte(key), Due: noon, Expires: expires}
	}
	mustCommit(t, s, write("a/goes", at), write("a/prolonged", at), write("a/kept", at), write("a/stays", time.Time{}))
	mustCommit(t, s, write("a/prolonged", at.Add(time.Hour)), write("a/kept", time.Time{}))

	// Nothing is dropped before it has expired.
	if err := s.Commit(t.Context(), at.Add(-time.Millisecond), set("b/1", "x")); err != nil {
		t.Fatal(err)
	}
	all := []string{"a/goes", "a/kept", "a/prolonged", "a/stays"}
	wantKeys(t, "before", listKeys(t, s, "a/", "", 9), all...)

	// An item that has expired may be dropped, and then from every index; no other item
	// is.
	if err := s.Commit(t.Context(), at.Add(time.Second), set("b/1", "y")); err != nil {
		t.Fatal(err)
	}
	left := all[1:]
	if mustGet(t, s, "a/goes").Version != 0 {
		left = all
	}
	wantKeys(t, "after", listKeys(t, s, "a/", "", 9), left...)
	wantKeys(t, "due after", dueKeys(t, s, "a", noon, 9), left...)

	mustCommit(t, s, set("a/goes", "again"))
	wantValue(t, s, "a/goes", "again")
}

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
	commit(t, s, append(changes, store.Change{Key: "a/stays", Value: []byte("x"), Due: noon, Expires: at.Add(time.Hour)})...)

	for _, left := range []int{n + n/2, n / 2, 0, 0} {
		if err := s.Commit(t.Context(), at.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if got := list(t, s, "a/", "", 9*n); len(got) != left+1 {
			t.Errorf("%d items are left, want %d", len(got), left+1)
		}
		if got := due(t, s, "a", noon, 9*n); len(got) != left+1 {
			t.Errorf("%d items are due, want %d", len(got), left+1)
		}
	}
	want(t, s, "a/stays", "x")
}

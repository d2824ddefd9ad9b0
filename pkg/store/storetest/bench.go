package storetest

import (
	"fmt"
	"testing"
	"time"

	"tocsin/pkg/store"
)

// Benchmark measures a tick with nothing due and a commit of 10 changes. The two results
// of DueNone should be close: the cost of a tick depends on the work that is due, not on
// the number of stored items.
func Benchmark(b *testing.B, open func(b *testing.B) store.Store) {
	for _, stored := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("DueNone/stored=%d", stored), func(b *testing.B) {
			s := fill(b, open(b), stored)
			for b.Loop() {
				if items, err := s.Due(b.Context(), "many", noon.Add(-time.Hour), 100); err != nil || len(items) != 0 {
					b.Fatalf("got %d items, %v, want none", len(items), err)
				}
			}
		})
		b.Run(fmt.Sprintf("Commit10/stored=%d", stored), func(b *testing.B) {
			s := fill(b, open(b), stored)
			changes := make([]store.Change, 10)
			i := 0
			for b.Loop() {
				for j := range changes {
					i = (i + 7919) % stored // scattered keys
					changes[j] = store.Change{Key: fmt.Sprintf("many/%06d", i), Value: make([]byte, 300), Due: noon}
				}
				if err := s.Commit(b.Context(), noon, changes...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fill commits n items that are due at noon.
func fill(b *testing.B, s store.Store, n int) store.Store {
	b.Cleanup(func() { s.Close() })
	var changes []store.Change
	for i := range n {
		changes = append(changes, store.Change{Key: fmt.Sprintf("many/%06d", i), Value: make([]byte, 300), Due: noon})
		if len(changes) == store.MaxChanges || i == n-1 {
			if err := s.Commit(b.Context(), noon, changes...); err != nil {
				b.Fatal(err)
			}
			changes = nil
		}
	}
	return s
}

//go:build linux

package bolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

// TestReserve fills the disk of a store: what is stored can be leased, updated and deleted,
// nothing is added until deletions have made room, or the disk has room again.
func TestReserve(t *testing.T) {
	for _, stored := range []int{10, 2000} {
		t.Run(fmt.Sprint(stored, " items"), func(t *testing.T) {
			disk := storetest.NewDisk(t, 16<<20)
			s := mustOpen(t, filepath.Join(disk.Path, "tocsin.db"))
			defer mustClose(t, s)
			add := func(i int) error {
				return s.Commit(t.Context(), noon, store.Change{Key: fmt.Sprintf("a/%05d", i), Value: make([]byte, 1000), Due: noon, If: store.Absent()})
			}
			for i := range stored {
				if err := add(i); err != nil {
					t.Fatal(err)
				}
			}
			disk.Fill()
			n, err := stored, error(nil)
			for ; err == nil && n < 100_000; n++ {
				err = add(n)
			}
			if !errors.Is(err, store.ErrFull) || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "make room on its disk") {
				t.Fatalf("got %v after %d items, want ErrFull", err, n)
			}

			deliveries := store.WithReserve(t.Context())
			for at, left := noon, n-1; left > 0; at = at.Add(time.Minute) {
				due, err := s.Due(deliveries, "a", at, 100)
				if err != nil {
					t.Fatal(err)
				}
				var lease, remove []store.Change
				for i, it := range due {
					lease = append(lease, store.Change{Key: it.Key, Value: make([]byte, 1200), Due: at.Add(time.Minute), If: store.Unchanged(it)})
					if i < 50 {
						remove = append(remove, store.Change{Key: it.Key, Delete: true})
					}
				}
				if err := s.Commit(deliveries, at, lease...); err != nil {
					t.Fatalf("lease with %d items left: got %v, want no error", left, err)
				}
				if err := s.Commit(deliveries, at, remove...); err != nil {
					t.Fatalf("delete with %d items left: got %v, want no error", left, err)
				}
				left -= len(remove)
			}
			if err := add(n); err != nil {
				t.Errorf("after deletions: got %v, want no error", err)
			}
			disk.Clear()
			for i := range 2000 {
				if err := add(n + 1 + i); err != nil {
					t.Fatalf("with room again: got %v after %d items, want no error", err, i)
				}
			}
		})
	}
}

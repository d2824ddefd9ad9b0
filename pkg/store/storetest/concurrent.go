package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/store"
)

// testLease leases work in the way that the outbox does: an instance moves the due time
// of an item ahead by the length of the lease, on the condition that the item is
// unchanged.
func testLease(t *testing.T, s store.Store) {
	const lease = time.Minute
	mustCommit(t, s, setDue("job/1", noon))

	takeLease := func(instance string, it store.Item, now time.Time) error {
		return s.Commit(t.Context(), now, store.Change{
			Key: it.Key, Value: []byte(instance), Due: now.Add(lease), If: store.Unchanged(it)})
	}
	seen, err := s.Due(t.Context(), "job", noon, 1)
	if err != nil || len(seen) != 1 {
		t.Fatalf("Due: got %+v, %v, want one item", seen, err)
	}

	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = takeLease(strconv.Itoa(i), seen[0], noon) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("got leases for %d and %d, want one", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, store.ErrConflict):
			t.Errorf("instance %d: got %v, want ErrConflict", i, err)
		}
	}
	if winner < 0 {
		t.Fatal("got no lease, want one")
	}
	wantValue(t, s, "job/1", strconv.Itoa(winner))

	// While the lease lasts, the job is not due. The winner dies; after the lease another
	// instance takes the job, and a late commit of the winner conflicts.
	leased := mustGet(t, s, "job/1")
	wantKeys(t, "leased", dueKeys(t, s, "job", noon.Add(lease-time.Millisecond), 9))
	wantKeys(t, "expired", dueKeys(t, s, "job", noon.Add(lease), 9), "job/1")
	if err := takeLease("next", leased, noon.Add(lease)); err != nil {
		t.Fatalf("got %v for a lease after the first one, want no error", err)
	}
	mustConflict(t, s, store.Change{Key: "job/1", Delete: true, If: store.Unchanged(leased)})
}

// testConcurrent increments two counters in one commit from 16 goroutines, so that a
// lost or partial update would change the sums.
func testConcurrent(t *testing.T, s store.Store) {
	const workers, rounds = 16, 15
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range rounds {
				if err := increment(t, s, "n/total", fmt.Sprintf("n/shard-%d", w%4)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	wantValue(t, s, "n/total", strconv.Itoa(workers*rounds))
	for shard := range 4 {
		wantValue(t, s, fmt.Sprintf("n/shard-%d", shard), strconv.Itoa(workers/4*rounds))
	}
}

// increment adds one to each of the counters and retries conflicts without limit.
func increment(t *testing.T, s store.Store, keys ...string) error {
	for {
		items, err := s.Get(t.Context(), keys...)
		if err != nil {
			return err
		}
		changes := make([]store.Change, len(items))
		for i, it := range items {
			n, _ := strconv.Atoi(string(it.Value))
			changes[i] = store.Change{Key: it.Key, Value: []byte(strconv.Itoa(n + 1)), If: store.Unchanged(it)}
		}
		if err := s.Commit(t.Context(), noon, changes...); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// testSnapshot reads two keys while commits change both: Get and List never return one
// old and one new value.
func testSnapshot(t *testing.T, s store.Store) {
	mustCommit(t, s, set("pair/a", "0"), set("pair/b", "0"))
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range 100 {
			v := strconv.Itoa(i)
			if err := s.Commit(t.Context(), noon, set("pair/a", v), set("pair/b", v)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		got, err1 := s.Get(t.Context(), "pair/a", "pair/b")
		listed, err2 := s.List(t.Context(), "pair/", "", 2)
		if err := errors.Join(err1, err2); err != nil {
			t.Error(err)
			break
		}
		for _, pair := range [][]store.Item{got, listed} {
			if a, b := string(pair[0].Value), string(pair[1].Value); a != b {
				t.Errorf("got %s and %s, want values of one commit", a, b)
			}
		}
	}
	wg.Wait()
}

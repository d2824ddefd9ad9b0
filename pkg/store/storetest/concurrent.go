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

// testLease plays the way work is claimed: who takes a due item moves its due
// time ahead by the lease, on condition that nobody else did.
func testLease(t *testing.T, s store.Store) {
	const lease = time.Minute
	commit(t, s, setDue("job/1", noon))

	claim := func(who string, it store.Item, now time.Time) error {
		return s.Commit(t.Context(), now, store.Change{
			Key: it.Key, Value: []byte(who), Due: now.Add(lease), If: store.Unchanged(it)})
	}
	seen, err := s.Due(t.Context(), "job", noon, 1)
	if err != nil || len(seen) != 1 {
		t.Fatal(seen, err)
	}

	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = claim(strconv.Itoa(i), seen[0], noon) })
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("%d and %d both won", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, store.ErrConflict):
			t.Errorf("claim: %v", err)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	want(t, s, "job/1", strconv.Itoa(winner))

	// While the lease lasts nobody sees the job; the winner dies; then it is
	// there for the next one, and the dead one's late finish fails.
	held := get(t, s, "job/1")
	wantKeys(t, "leased", due(t, s, "job", noon.Add(lease-time.Millisecond), 9))
	wantKeys(t, "expired", due(t, s, "job", noon.Add(lease), 9), "job/1")
	if err := claim("next", held, noon.Add(lease)); err != nil {
		t.Fatalf("claim after the lease: %v", err)
	}
	conflict(t, s, store.Change{Key: "job/1", Delete: true, If: store.Unchanged(held)})
}

// testConcurrent counts up two counters in one commit from many goroutines: a
// lost or a half update would show.
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
	want(t, s, "n/total", strconv.Itoa(workers*rounds))
	for shard := range 4 {
		want(t, s, fmt.Sprintf("n/shard-%d", shard), strconv.Itoa(workers/4*rounds))
	}
}

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

// testSnapshot reads while two keys change together: a List or a Get shows both
// as before or both as after.
func testSnapshot(t *testing.T, s store.Store) {
	commit(t, s, set("pair/a", "0"), set("pair/b", "0"))
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
				t.Errorf("read %s beside %s", a, b)
			}
		}
	}
	wg.Wait()
}

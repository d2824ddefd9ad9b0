package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"tocsin/pkg/store"
)

func TestRestart(t *testing.T) {
	server := newServer(t)
	s := server.open()
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("one"), Due: noon}, set("a/2", "two"))
	before := mustGet(t, s, "a/1")
	mustCommit(t, s, store.Change{Key: "a/2", Delete: true})
	server.Kill()
	for name, call := range storeCalls(s) {
		if err := call(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v while the server is down, want ErrUnavailable", name, err)
		}
	}
	server.Restart()

	// The same Store reconnects.
	var after []store.Item
	server.WaitUntil("the store has reconnected", func() bool {
		var err error
		after, err = s.Due(t.Context(), "a", noon, 9)
		return err == nil
	})
	if len(after) != 1 || after[0].Key != "a/1" || string(after[0].Value) != "one" || after[0].Version != before.Version {
		t.Errorf("got %+v after the restart, want %+v", after, before)
	}
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("new"), If: store.Unchanged(before)}, store.Change{Key: "a/2", If: store.Absent()})
}

// TestKilledServer kills the server during commits, six times: every acknowledged commit
// is there, and the one that was not acknowledged is there as a whole or not at all.
func TestKilledServer(t *testing.T) {
	server := newServer(t)
	acked := 0
	for round := range 6 {
		s := server.open()
		enough := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := 0; commitNumber(t.Context(), s, acked+1) == nil; n++ {
				acked++
				if n == 20+7*round {
					close(enough)
				}
			}
		})
		<-enough
		server.Kill()
		wg.Wait()
		server.Restart()
		count := countCommits(t, server.open())
		if count != acked && count != acked+1 {
			t.Fatalf("round %d: got %d commits, want the %d acknowledged or one more", round, count, acked)
		}
		acked = count
	}
}

// commitNumber commits the number n to several keys.
func commitNumber(ctx context.Context, s store.Store, n int) error {
	value := []byte(strconv.Itoa(n))
	return s.Commit(ctx, noon,
		store.Change{Key: "count/a", Value: value},
		store.Change{Key: fmt.Sprintf("log/%06d", n), Value: make([]byte, 3000), Due: noon},
		store.Change{Key: "count/b", Value: value})
}

// countCommits returns the number of commits in the store. It fails the test if one of
// them is incomplete.
func countCommits(t *testing.T, s store.Store) int {
	t.Helper()
	a, b := string(mustGet(t, s, "count/a").Value), string(mustGet(t, s, "count/b").Value)
	count, err := strconv.Atoi(a)
	if a != b || err != nil {
		t.Fatalf("got %q and %q of one commit, want equal numbers", a, b)
	}
	due, err := s.Due(t.Context(), "log", noon, 1<<20)
	if err != nil || len(due) != count {
		t.Fatalf("got %d entries in the log, %v, want %d", len(due), err, count)
	}
	for i, it := range due {
		if want := fmt.Sprintf("log/%06d", i+1); it.Key != want {
			t.Fatalf("got %q as entry %d, want %q", it.Key, i, want)
		}
	}
	return count
}

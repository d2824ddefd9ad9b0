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
	server.kill()
	for name, call := range storeCalls(s) {
		if err := call(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s of a server that is gone: %v", name, err)
		}
	}
	server.start()

	// Not a new store: the old one finds the server again.
	var after []store.Item
	server.waitUntil("the store is there again", func() bool {
		var err error
		after, err = s.Due(t.Context(), "a", noon, 9)
		return err == nil
	})
	if len(after) != 1 || after[0].Key != "a/1" || string(after[0].Value) != "one" || after[0].Version != before.Version {
		t.Errorf("after the restart: %+v, want %+v", after, before)
	}
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("new"), If: store.Unchanged(before)}, store.Change{Key: "a/2", If: store.Absent()})
}

// TestKill kills the server in the middle of commits, again and again: all that
// were acknowledged are there, and of the one that was not, all or nothing.
func TestKill(t *testing.T) {
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
		server.kill()
		wg.Wait()
		server.start()
		count := verify(t, server.open())
		if count != acked && count != acked+1 {
			t.Fatalf("round %d: %d commits are there, %d were acknowledged", round, count, acked)
		}
		acked = count
	}
}

// commitNumber writes the number n in several places.
func commitNumber(ctx context.Context, s store.Store, n int) error {
	value := []byte(strconv.Itoa(n))
	return s.Commit(ctx, noon,
		store.Change{Key: "count/a", Value: value},
		store.Change{Key: fmt.Sprintf("log/%06d", n), Value: make([]byte, 3000), Due: noon},
		store.Change{Key: "count/b", Value: value})
}

// verify returns the number of commits in the store, each of which must be whole.
func verify(t *testing.T, s store.Store) int {
	t.Helper()
	a, b := string(mustGet(t, s, "count/a").Value), string(mustGet(t, s, "count/b").Value)
	count, err := strconv.Atoi(a)
	if a != b || err != nil {
		t.Fatalf("half a commit: %q and %q", a, b)
	}
	due, err := s.Due(t.Context(), "log", noon, 1<<20)
	if err != nil || len(due) != count {
		t.Fatalf("%d entries in the log, want %d, %v", len(due), count, err)
	}
	for i, it := range due {
		if want := fmt.Sprintf("log/%06d", i+1); it.Key != want {
			t.Fatalf("entry %d is %q, want %q", i, it.Key, want)
		}
	}
	return count
}

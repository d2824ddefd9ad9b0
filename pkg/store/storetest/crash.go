package storetest

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"tocsin/pkg/store"
)

// CommitNext makes the next of the commits that CountCommits counts, and returns its
// number, from 1. A crash test calls it until the process or the server is killed.
func CommitNext(ctx context.Context, s store.Store) (n int, err error) {
	items, err := s.Get(ctx, "count/a", "count/b")
	if err != nil {
		return 0, err
	}
	n, _ = strconv.Atoi(string(items[0].Value))
	n++
	value := []byte(strconv.Itoa(n))
	return n, s.Commit(ctx, noon,
		store.Change{Key: "count/a", Value: value, If: store.Unchanged(items[0])},
		store.Change{Key: fmt.Sprintf("log/%06d", n), Value: make([]byte, 3000), Due: noon},
		store.Change{Key: "count/b", Value: value, If: store.Unchanged(items[1])})
}

// CountCommits returns the number of commits of CommitNext in the store. It fails the
// test if one of them is incomplete.
func CountCommits(t *testing.T, s store.Store) int {
	t.Helper()
	a, b := string(mustGet(t, s, "count/a").Value), string(mustGet(t, s, "count/b").Value)
	count, err := strconv.Atoi(a)
	if a != b || err != nil {
		t.Fatalf("got %q and %q of one commit, want equal numbers", a, b)
	}
	due := dueKeys(t, s, "log", noon, 1<<20)
	if len(due) != count {
		t.Fatalf("got %d entries in the log, want %d", len(due), count)
	}
	for i, key := range due {
		if want := fmt.Sprintf("log/%06d", i+1); key != want {
			t.Fatalf("got %q as entry %d, want %q", key, i, want)
		}
	}
	return count
}

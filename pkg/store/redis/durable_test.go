package redis

import (
	"errors"
	"sync"
	"testing"

	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
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
			for i := 0; ; i++ {
				n, err := storetest.CommitNext(t.Context(), s)
				if err != nil {
					return // the server is down
				}
				if acked = n; i == 20+7*round {
					close(enough)
				}
			}
		})
		<-enough
		server.Kill()
		wg.Wait()
		server.Restart()
		count := storetest.CountCommits(t, server.open())
		if count != acked && count != acked+1 {
			t.Fatalf("round %d: got %d commits, want the %d acknowledged or one more", round, count, acked)
		}
		acked = count
	}
}

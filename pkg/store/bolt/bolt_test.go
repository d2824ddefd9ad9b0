package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return mustOpen(t, newPath(t)) })
}

func TestExpiry(t *testing.T) {
	storetest.RunExpiry(t, mustOpen(t, newPath(t)), expiredPerCommit)
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) store.Store { return mustOpen(b, newPath(b)) })
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "data", "tocsin.db") }

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// fill opens a store at path, puts n items into it and closes it. It has no reserve.
func fill(t testing.TB, path string, n int) {
	t.Helper()
	s := mustOpen(t, path)
	var changes []store.Change
	for i := range n {
		changes = append(changes, store.Change{
			Key: fmt.Sprintf("a/%05d", i), Value: make([]byte, 300), Due: noon, Expires: noon.Add(time.Hour)})
	}
	if err := s.Commit(store.WithReserve(t.Context()), noon, changes...); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
}

func TestReopen(t *testing.T) {
	path := newPath(t)
	s := mustOpen(t, path)
	if err := s.Commit(t.Context(), noon,
		store.Change{Key: "a/1", Value: []byte("one"), Due: noon},
		store.Change{Key: "a/2", Value: []byte("two")}); err != nil {
		t.Fatal(err)
	}
	before, err := s.Get(t.Context(), "a/1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), noon, store.Change{Key: "a/2", Delete: true}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)

	s = mustOpen(t, path)
	items, err := s.Due(t.Context(), "a", noon, 9)
	if err != nil || len(items) != 1 {
		t.Fatalf("got %+v, %v, want one due item", items, err)
	}
	if it := items[0]; it.Key != "a/1" || string(it.Value) != "one" || it.Version != before[0].Version || !it.Due.Equal(noon) {
		t.Errorf("got %+v from the reopened file, want %+v", it, before[0])
	}
	// Versions continue where they ended: those of the deleted key do not repeat.
	if err := s.Commit(t.Context(), noon, store.Change{Key: "a/2", Value: []byte("new"), If: store.Absent()}); err != nil {
		t.Fatal(err)
	}
	after, err := s.Get(t.Context(), "a/2")
	if err != nil || after[0].Version <= before[0].Version {
		t.Errorf("got version %d, %v, want one above %d", after[0].Version, err, before[0].Version)
	}
	mustClose(t, s)
	mustClose(t, s)

	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got mode %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

func TestOpenFileInUse(t *testing.T) {
	path := newPath(t)
	holder := mustOpen(t, path)
	_, err := open(t.Context(), path, 100*time.Millisecond)
	if !errors.Is(err, store.ErrInUse) || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("got %v, want ErrInUse with the path and \"another process\"", err)
	}
	mustClose(t, holder)
	mustClose(t, mustOpen(t, path))
}

func TestOpenRejects(t *testing.T) {
	write := func(content []byte) string {
		path := newPath(t)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole := newPath(t)
	fill(t, whole, 500)
	fill(t, whole, 1) // moves the pages that are read at opening to the front
	s := mustOpen(t, whole)
	used := 0 // the rest of the file is space that bbolt has not used yet
	err := s.db.View(func(tx *bbolt.Tx) error { used = int(tx.Size()); return nil })
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	otherProgram := newPath(t)
	mustClose(t, mustOpen(t, otherProgram))
	db, err := bbolt.Open(otherProgram, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("cats")); return err })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct{ path, want string }{
		"a short text file":             {write([]byte("silences:\n")), "not a bolt file"},
		"a long text file":              {write([]byte(strings.Repeat("silences:\n", 9999))), "not a bolt file"},
		"zeros":                         {write(make([]byte, 5000)), "not a bolt file"},
		"half of a store":               {write(good[:used/2]), "damaged"},
		"the first page of a store":     {write(good[:4096]), "damaged"},
		"a store without its last page": {write(good[:used-4096]), "damaged"},
		"another program's bolt file":   {otherProgram, `bucket "cats"`},
		"a directory":                   {t.TempDir(), "is a directory"},
		"a path below a file":           {filepath.Join(whole, "tocsin.db"), "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := open(t.Context(), test.path, time.Millisecond)
			if err == nil {
				s.Close()
				t.Fatalf("got no error, want one with %q", test.want)
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) {
				t.Errorf("got %q, want the path and %q in it", err, test.want)
			}
		})
	}
}

// TestDamagedPages overwrites one page of the file after the other: every call must
// return, with or without an error, and so must the call after it.
func TestDamagedPages(t *testing.T) {
	path := newPath(t)
	fill(t, path, 60)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	rejected := 0
	for at := 0; at < len(good); at += page {
		for _, fill := range []byte{0, 0xff} {
			bad := append([]byte(nil), good...)
			for i := range page {
				bad[at+i] = fill
			}
			path := filepath.Join(t.TempDir(), "bad.db")
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := callAll(t, path); err != nil {
				rejected++
				if !strings.Contains(err.Error(), path) {
					t.Errorf("page %d: got %q, want the path in it", at/page, err)
				}
			}
		}
	}
	if rejected == 0 {
		t.Error("got no error for any damaged page, want some")
	}
}

// callAll opens the store at path, calls every method and returns their errors.
func callAll(t *testing.T, path string) error {
	s, err := Open(t.Context(), path)
	if err != nil {
		return err
	}
	_, list := s.List(t.Context(), "", "", 1000)
	_, due := s.Due(t.Context(), "a", noon, 1000)
	_, next := s.NextDue(t.Context(), "a")
	commit := s.Commit(t.Context(), noon.Add(2*time.Hour), store.Change{Key: "a/00007", Value: []byte("x")})
	again := s.Commit(t.Context(), noon.Add(2*time.Hour), store.Change{Key: "b/1", Value: []byte("x")})
	return errors.Join(list, due, next, commit, again, s.Close())
}

func TestUnreadable(t *testing.T) {
	storetest.RunUnreadable(t, func(t *testing.T) (store.Store, func(key string, raw []byte)) {
		s := mustOpen(t, newPath(t))
		return s, func(key string, raw []byte) {
			t.Helper()
			if err := s.db.Update(func(tx *bbolt.Tx) error {
				if raw == nil {
					return tx.Bucket([]byte(itemsBucket)).Delete([]byte(key))
				}
				return tx.Bucket([]byte(itemsBucket)).Put([]byte(key), raw)
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestDueTimesDiffer: if the queue and the item have different due times, because one of
// them is damaged, the item is due at the time in the queue until it is written.
func TestDueTimesDiffer(t *testing.T) {
	s := mustOpen(t, newPath(t))
	defer mustClose(t, s)
	if err := s.Commit(t.Context(), noon, store.Change{Key: "a/1", Value: []byte("x"), Due: noon}); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(itemsBucket)).Put([]byte("a/1"), item{version: 7, due: noon.AddDate(99, 0, 0), value: []byte("x")}.encode())
	}); err != nil {
		t.Fatal(err)
	}
	items, err := s.Due(t.Context(), "a", noon, 9)
	if err != nil || len(items) != 1 || !items[0].Due.Equal(noon) {
		t.Fatalf("got %+v, %v, want a/1 due at noon", items, err)
	}
	if err := s.Commit(t.Context(), noon, store.Reschedule(items[0], noon.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	if items, err := s.Due(t.Context(), "a", noon.Add(time.Minute), 9); err != nil || len(items) != 0 {
		t.Errorf("got %+v, %v after it was rescheduled, want nothing due", items, err)
	}
	if next, err := s.NextDue(t.Context(), "a"); err != nil || !next.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %v, %v as the next due time, want %v", next, err, noon.Add(time.Hour))
	}
}

// TestWaitingCommitsShareATransaction: of 20 commits in one transaction, one whose
// context is done and one of two that conflict fail alone.
func TestWaitingCommitsShareATransaction(t *testing.T) {
	s := mustOpen(t, newPath(t))
	if err := s.Commit(t.Context(), noon, store.Change{Key: "a/1", Value: []byte("x")}); err != nil { // which makes the reserve
		t.Fatal(err)
	}
	transaction := func() (id int) {
		if err := s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
			t.Fatal(err)
		}
		return id
	}
	before := transaction()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()

	s.queue.writer <- struct{}{} // a transaction is being written
	const n = 20
	errs := make([]error, n)
	var commits sync.WaitGroup
	for i := range n {
		ctx, change := t.Context(), store.Change{Key: fmt.Sprintf("k/%02d", i), Value: []byte("v")}
		switch i {
		case 3:
			ctx = canceled
		case 7, 8: // these two conflict
			change.Key, change.If = "k/same", store.Absent()
		}
		commits.Go(func() { errs[i] = s.Commit(ctx, time.Unix(0, 0), change) })
	}
	for waiting := 0; waiting < n; runtime.Gosched() {
		s.queue.mu.Lock()
		waiting = len(s.queue.waiting)
		s.queue.mu.Unlock()
	}
	<-s.queue.writer
	commits.Wait()

	if got := transaction() - before; got != 1 {
		t.Errorf("got %d transactions for %d commits, want 1", got, n)
	}
	for i, err := range errs {
		switch {
		case i == 3:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("commit %d, whose context is done: got %v, want context.Canceled", i, err)
			}
		case i == 7 || i == 8:
			if (err == nil) == (errs[15-i] == nil) || err != nil && !errors.Is(err, store.ErrConflict) {
				t.Errorf("commits 7 and 8, of one key: got %v and %v, want one ErrConflict", errs[7], errs[8])
			}
		case err != nil:
			t.Errorf("commit %d: got %v, want no error", i, err)
		}
	}
	items, err := s.List(t.Context(), "k/", "", 100)
	if err != nil || len(items) != n-2 {
		t.Errorf("got %d items, %v, want %d", len(items), err, n-2)
	}
}

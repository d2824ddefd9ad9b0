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

func TestForgetsInParts(t *testing.T) {
	storetest.RunExpiry(t, mustOpen(t, newPath(t)), forgetPerCommit)
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

// fill opens a store at path, puts n items into it and closes it.
func fill(t testing.TB, path string, n int) {
	t.Helper()
	s := mustOpen(t, path)
	var changes []store.Change
	for i := range n {
		changes = append(changes, store.Change{
			Key: fmt.Sprintf("a/%05d", i), Value: make([]byte, 300), Due: noon, Expires: noon.Add(time.Hour)})
	}
	if err := s.Commit(t.Context(), noon, changes...); err != nil {
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
		t.Fatal(items, err)
	}
	if it := items[0]; it.Key != "a/1" || string(it.Value) != "one" || it.Version != before[0].Version || !it.Due.Equal(noon) {
		t.Errorf("reopened: %+v, want %+v", it, before[0])
	}
	// Versions go on where they were: those of the deleted key do not come again.
	if err := s.Commit(t.Context(), noon, store.Change{Key: "a/2", Value: []byte("new"), If: store.Absent()}); err != nil {
		t.Fatal(err)
	}
	after, err := s.Get(t.Context(), "a/2")
	if err != nil || after[0].Version <= before[0].Version {
		t.Errorf("version %d after %d, %v", after[0].Version, before[0].Version, err)
	}
	mustClose(t, s)
	mustClose(t, s)

	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v, %v", name, info.Mode().Perm(), want, err)
		}
	}
}

func TestOpenHeld(t *testing.T) {
	path := newPath(t)
	holder := mustOpen(t, path)
	_, err := open(t.Context(), path, 100*time.Millisecond)
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("open of a held file: %v", err)
	}
	mustClose(t, holder)
	mustClose(t, mustOpen(t, path))
}

func TestOpenWrong(t *testing.T) {
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
	fill(t, whole, 1) // moves what is read at opening to the front
	s := mustOpen(t, whole)
	used := 0 // the rest of the file is room that bbolt has not yet used
	err := s.db.View(func(tx *bbolt.Tx) error { used = int(tx.Size()); return nil })
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	foreign := newPath(t)
	mustClose(t, mustOpen(t, foreign))
	db, err := bbolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("cats")); return err })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}

	for name, test := range map[string]struct{ path, want string }{
		"text":          {write([]byte("silences:\n")), "not a bolt file"},
		"long text":     {write([]byte(strings.Repeat("silences:\n", 9999))), "not a bolt file"},
		"zeros":         {write(make([]byte, 5000)), "not a bolt file"},
		"cut in two":    {write(good[:used/2]), "damaged"},
		"cut to a meta": {write(good[:4096]), "damaged"},
		"cut short":     {write(good[:used-4096]), "damaged"},
		"foreign":       {foreign, `bucket "cats"`},
		"directory":     {t.TempDir(), "is a directory"},
		"below a file":  {filepath.Join(whole, "tocsin.db"), "not a directory"},
	} {
		s, err := open(t.Context(), test.path, time.Millisecond)
		if err == nil {
			t.Errorf("%s: opened", name)
			s.Close()
			continue
		}
		if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path) {
			t.Errorf("%s: %q, want the path and %q in it", name, err, test.want)
		}
	}
}

// TestDamaged overwrites one page of the file after the other: every call must
// return, with an error or without, and the next one too.
func TestDamaged(t *testing.T) {
	path := newPath(t)
	fill(t, path, 60)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	refused := 0
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
			if err := useAll(t, path); err != nil {
				refused++
				if !strings.Contains(err.Error(), path) {
					t.Errorf("page %d: no path in %q", at/page, err)
				}
			}
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}

func useAll(t *testing.T, path string) error {
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

func TestNewerFormat(t *testing.T) {
	path := newPath(t)
	fill(t, path, 3)
	s := mustOpen(t, path)
	defer s.Close()
	err := s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(itemsBucket)).Put([]byte("a/00001"), []byte{2, 'n', 'e', 'w'})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, get := s.Get(t.Context(), "a/00001")
	_, list := s.List(t.Context(), "a/", "", 9)
	_, due := s.Due(t.Context(), "a", noon, 9)
	commit := s.Commit(t.Context(), noon, store.Change{Key: "a/00001", Value: []byte("old")})
	for _, err := range []error{get, list, due, commit} {
		if err == nil || !strings.Contains(err.Error(), "format 2") || !strings.Contains(err.Error(), "newer") {
			t.Errorf("a newer item: %v", err)
		}
	}
	// What need not read it works on.
	if err := s.Commit(t.Context(), noon, store.Change{Key: "a/00002", Value: []byte("x")}); err != nil {
		t.Error(err)
	}
}

// Commits that wait share a transaction, and one that is refused none of the
// others' fate.
func TestCommitsShareATransaction(t *testing.T) {
	s := mustOpen(t, newPath(t))
	transaction := func() (id int) {
		if err := s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
			t.Fatal(err)
		}
		return id
	}
	before := transaction()
	over, cancel := context.WithCancel(t.Context())
	cancel()

	s.queue.turn <- struct{}{} // the disk is busy
	const n = 20
	errs := make([]error, n)
	var commits sync.WaitGroup
	for i := range n {
		ctx, change := t.Context(), store.Change{Key: fmt.Sprintf("k/%02d", i), Value: []byte("v")}
		switch i {
		case 3:
			ctx = over
		case 7, 8: // one of the two
			change.Key, change.If = "k/same", store.Absent()
		}
		commits.Go(func() { errs[i] = s.Commit(ctx, time.Unix(0, 0), change) })
	}
	for waiting := 0; waiting < n; runtime.Gosched() {
		s.queue.mu.Lock()
		waiting = len(s.queue.waiting)
		s.queue.mu.Unlock()
	}
	<-s.queue.turn
	commits.Wait()

	if got := transaction() - before; got != 1 {
		t.Errorf("%d commits took %d transactions, want 1", n, got)
	}
	for i, err := range errs {
		switch {
		case i == 3:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("commit %d, whose time was over: %v", i, err)
			}
		case i == 7 || i == 8:
			if (err == nil) == (errs[15-i] == nil) || err != nil && !errors.Is(err, store.ErrConflict) {
				t.Errorf("commits 7 and 8 of one key: %v and %v, want one conflict", errs[7], errs[8])
			}
		case err != nil:
			t.Errorf("commit %d: %v", i, err)
		}
	}
	items, err := s.List(t.Context(), "k/", "", 100)
	if err != nil || len(items) != n-2 {
		t.Errorf("%d items, %v, want %d", len(items), err, n-2)
	}
}

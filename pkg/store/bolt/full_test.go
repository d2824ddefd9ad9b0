//go:build linux || darwin

package bolt

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"tocsin/pkg/store"
)

// TestDiskFull limits the file size of a child process to the present size of its
// store, which is as close to a full disk as a test gets without being root.
func TestDiskFull(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		if out, err := newChild(t, newPath(t)).Output(); err != nil {
			t.Fatalf("got %v from the child, want no error:\n%s", err, out)
		}
		return
	}

	s := mustOpen(t, path)
	defer mustClose(t, s)
	commit := func(key string, size int) error {
		return s.Commit(t.Context(), noon, store.Change{Key: key, Value: make([]byte, size)})
	}
	if err := commit("a/1", 100); err != nil {
		t.Fatal(err)
	}

	signal.Ignore(syscall.SIGXFSZ)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := limit
	full.Cur = uint64(info.Size())
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := commit("a/2", store.MaxValue); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("got %v from a commit on a full disk, want ErrUnavailable", err)
		}
	}
	items, err := s.Get(t.Context(), "a/1", "a/2")
	if err != nil {
		t.Fatal(err)
	}
	if len(items[0].Value) != 100 || items[1].Version != 0 {
		t.Errorf("got %d bytes and version %d from a read on a full disk, want 100 and 0", len(items[0].Value), items[1].Version)
	}

	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := commit("a/2", store.MaxValue); err != nil {
		t.Errorf("got %v from a commit with space again, want no error", err)
	}
}

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

// TestFull lets a child process write no further than the file is long, which
// is as near to a full disk as one gets without being root.
func TestFull(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		if out, err := child(t, newPath(t)).Output(); err != nil {
			t.Fatalf("%v:\n%s", err, out)
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
			t.Errorf("commit on a full disk: %v", err)
		}
	}
	if items, err := s.Get(t.Context(), "a/1", "a/2"); err != nil || len(items[0].Value) != 100 || items[1].Version != 0 {
		t.Errorf("read on a full disk: %v", err)
	}

	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := commit("a/2", store.MaxValue); err != nil {
		t.Errorf("commit when there is room again: %v", err)
	}
}

package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"tocsin/pkg/store"
)

// lockWait is how long Open waits for another process to release the file: long
// enough for that process to stop in a restart, short enough to report a mistake
// soon.
const lockWait = 3 * time.Second

// Open opens the file at path. If it does not exist, Open creates it and its
// directory, accessible to this user only.
//
// One process at a time can hold the file. If another one does not release it
// within 3 seconds, or the disk rejects a write, the error wraps
// store.ErrUnavailable. A file that is damaged or is not a store is not changed.
func Open(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, lockWait)
}

func open(ctx context.Context, path string, wait time.Duration) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("bolt:%s: open: %w", path, err)
	}
	db, err := openFile(path, wait)
	switch {
	case err == nil:
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("bolt:%s: open: %w, for %v by now: stop that one, or give this one its own path, or both a store that can be shared", path, store.ErrInUse, wait)
	case errors.As(err, new(syscall.Errno)):
		return nil, fmt.Errorf("bolt:%s: open: %w: %w", path, store.ErrUnavailable, err)
	default:
		return nil, fmt.Errorf("bolt:%s: open: not a bolt file, or %w", path, damagedError("%w", err))
	}

	s := &Store{path: path, db: db, queue: commitQueue{writer: make(chan struct{}, 1)}}
	if err := s.checkBuckets(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func openFile(path string, wait time.Duration) (db *bbolt.DB, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		// As in Store.inTransaction. The memory map and the lock remain.
		if r := recover(); r != nil {
			db, err = nil, errors.Join(fmt.Errorf("%v", r), file.Close())
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: wait,
		OpenFile: func(path string, flag int, mode os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(path, flag, mode)
			return file, err
		},
	})
	if err != nil {
		return nil, err
	}
	// The name of a new file must be as durable as its content. Not every system
	// can sync a directory, so errors are ignored.
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return db, nil
}

// checkBuckets creates the buckets of a new file, and checks that an existing one is
// complete and a store. It always commits, so that a disk which rejects writes is
// reported when the store is opened.
func (s *Store) checkBuckets(ctx context.Context) error {
	return s.inTransaction(ctx, "open", s.db.Update, func(tx *bbolt.Tx) error {
		s.size = int(tx.Size())
		info, err := os.Stat(s.path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return damagedError("%d bytes of %d are there", info.Size(), tx.Size())
		}
		err = tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			switch string(name) {
			case itemsBucket, dueBucket, expiresBucket:
				return nil
			}
			return fmt.Errorf("holds a bucket %q: it is another program's file or a newer Tocsin's", name)
		})
		if err != nil {
			return err
		}
		for _, name := range []string{itemsBucket, dueBucket, expiresBucket} {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
}

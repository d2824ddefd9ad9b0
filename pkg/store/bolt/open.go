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

// lockWait is how long Open waits for another process to let go of the file:
// enough for a restart, and soon told.
const lockWait = 3 * time.Second

// Open opens the file at path, or creates it and its directory for this user
// alone. One process at a time holds a file: if another one does not let go of
// it within seconds, or the disk does not take a write, the error wraps
// store.ErrUnavailable. A file that is damaged or not a store is left as it is.
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
		return nil, fmt.Errorf("bolt:%s: open: %w: another process has held it for %v: stop that one, or give this one its own path, or both a store that can be shared", path, store.ErrUnavailable, wait)
	case errors.As(err, new(syscall.Errno)):
		return nil, fmt.Errorf("bolt:%s: open: %w: %w", path, store.ErrUnavailable, err)
	default:
		return nil, fmt.Errorf("bolt:%s: open: not a bolt file, or %w", path, damaged("%w", err))
	}

	s := &Store{path: path, db: db, queue: queue{turn: make(chan struct{}, 1)}}
	if err := s.prepare(ctx); err != nil {
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
		// As in Store.run. The memory map stays, and the lock with it.
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
	// The name of a new file must be as durable as what is written to it. Not
	// every system can sync a directory; there it is left to the system.
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
	return db, nil
}

// prepare makes the buckets of a new file, and looks whether an old one is whole
// and ours. That it always commits shows at once whether the disk takes writes.
func (s *Store) prepare(ctx context.Context) error {
	return s.run(ctx, "open", s.db.Update, func(tx *bbolt.Tx) error {
		info, err := os.Stat(s.path)
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return damaged("%d bytes of %d are there", info.Size(), tx.Size())
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

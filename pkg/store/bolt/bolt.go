// Package bolt is a store in one file on this machine, in the format of
// go.etcd.io/bbolt. Commit returns when its changes are on disk.
//
// The file has three buckets: the items by key, and two indexes by time, of the
// keys that are due and of the keys that expire. Pages that become free are used
// again, so the file is as large as its content ever was at one time.
//
// As much space as the content takes, between 256 KiB and 16 MiB, is kept in the file for
// commits of store.WithReserve. So they succeed when the disk is full, unless the file
// system copies what is overwritten, as btrfs and ZFS do.
package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"tocsin/pkg/store"
)

const (
	itemsBucket   = "items"
	dueBucket     = "due"
	expiresBucket = "expires"
)

// Store implements store.Store. Reads run concurrently with each other and with
// commits; commits that arrive while another one is being written share the next
// transaction and its fsync.
type Store struct {
	path  string
	db    *bbolt.DB
	queue commitQueue

	// Of the goroutine that runs transactions:
	size int  // of the content and the free pages, in bytes
	full bool // the file could not grow
}

// Get returns the items of the keys.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	items := make([]store.Item, len(keys))
	err := s.view(ctx, "get", func(b buckets) error {
		for i, key := range keys {
			items[i] = export(key, b.items.Get([]byte(key)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// List returns items by prefix.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	var items []store.Item
	err := s.view(ctx, "list", func(b buckets) error {
		c := b.items.Cursor()
		for k, raw := c.Seek([]byte(max(prefix, after))); k != nil; k, raw = c.Next() {
			key := string(k)
			if len(items) >= limit || !strings.HasPrefix(key, prefix) {
				break
			}
			if key != after {
				items = append(items, export(key, raw))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// Due returns the items of a kind that are due.
func (s *Store) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	if err := store.CheckKinds(kind); err != nil {
		return nil, err
	}
	var items []store.Item
	err := s.view(ctx, "due", func(b buckets) error {
		queue := []byte(kind + "/")
		c := b.due.Cursor()
		for entry, _ := c.Seek(queue); bytes.HasPrefix(entry, queue) && len(items) < limit; entry, _ = c.Next() {
			at, rest, ok := parseEntry(kind, entry)
			if !ok {
				continue
			}
			if at.After(now) {
				break
			}
			key := kind + "/" + rest
			raw := b.items.Get([]byte(key))
			it := export(key, raw)
			if raw == nil {
				it = store.Unreadable(key, nil, at, errors.New("it is due, and is not there"))
			}
			it.Due = at // the queue decides if the item has another time
			items = append(items, it)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// NextDue returns the earliest due time of the kinds.
func (s *Store) NextDue(ctx context.Context, kinds ...string) (time.Time, error) {
	if err := store.CheckKinds(kinds...); err != nil {
		return time.Time{}, err
	}
	var next time.Time
	err := s.view(ctx, "next due", func(b buckets) error {
		for _, kind := range kinds {
			queue := []byte(kind + "/")
			c := b.due.Cursor()
			for entry, _ := c.Seek(queue); bytes.HasPrefix(entry, queue); entry, _ = c.Next() {
				at, _, ok := parseEntry(kind, entry)
				if !ok {
					continue
				}
				if next.IsZero() || at.Before(next) {
					next = at
				}
				break
			}
		}
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	return next, nil
}

// Close waits for calls in progress and closes the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("bolt:%s: close: %w", s.path, err)
	}
	return nil
}

// view calls read with one consistent state of the file. op names the call in
// errors.
func (s *Store) view(ctx context.Context, op string, read func(buckets) error) error {
	return s.inTransaction(ctx, op, s.db.View, func(tx *bbolt.Tx) error { return read(bucketsOf(tx)) })
}

// inTransaction calls fn in a transaction that begin opens. Errors of fn are
// returned as they are; errors of bbolt and of the file wrap store.ErrUnavailable.
//
// bbolt panics on a damaged file, and its memory map faults on a truncated one;
// both are returned as errors.
func (s *Store) inTransaction(ctx context.Context, op string, begin func(func(*bbolt.Tx) error) error, fn func(*bbolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("bolt:%s: %s: %w", s.path, op, damagedError("%v", r))
		}
	}()
	var fnErr error
	err = begin(func(tx *bbolt.Tx) error {
		if fnErr = ctx.Err(); fnErr == nil { // the transaction may have waited for another
			fnErr = fn(tx)
		}
		return fnErr
	})
	switch {
	case err == nil:
		return nil
	case fnErr != nil:
		return fmt.Errorf("bolt:%s: %s: %w", s.path, op, fnErr)
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return fmt.Errorf("bolt:%s: %s: %w", s.path, op, store.ErrClosed)
	case isFull(err):
		return fmt.Errorf("bolt:%s: %s: %w: make room on its disk: %w", s.path, op, store.ErrFull, err)
	default:
		return fmt.Errorf("bolt:%s: %s: %w: %w", s.path, op, store.ErrUnavailable, err)
	}
}

// buckets are the buckets of the file within a transaction.
type buckets struct {
	items, due, expires *bbolt.Bucket
}

func bucketsOf(tx *bbolt.Tx) buckets {
	return buckets{
		items:   tx.Bucket([]byte(itemsBucket)),
		due:     tx.Bucket([]byte(dueBucket)),
		expires: tx.Bucket([]byte(expiresBucket)),
	}
}

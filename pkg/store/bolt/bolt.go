// Package bolt keeps a store in one file on this machine, in the format of
// go.etcd.io/bbolt. Every commit is on disk before Commit returns.
//
// The file has three buckets: items by key, and two indexes without values, of
// the keys that are due and of those that expire, both by time. Its size follows
// the most that was ever stored at one time: freed pages are used again.
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

// Store is a store.Store in a file. All methods may be called concurrently;
// commits run one after another or together, reads beside them.
type Store struct {
	path  string
	db    *bbolt.DB
	queue queue
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	items := make([]store.Item, len(keys))
	err := s.view(ctx, "get", func(b buckets) error {
		for i, key := range keys {
			it, err := b.get(key)
			if err != nil {
				return err
			}
			items[i] = it.export(key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	var items []store.Item
	err := s.view(ctx, "list", func(b buckets) error {
		c := b.items.Cursor()
		for k, raw := c.Seek([]byte(max(prefix, after))); k != nil; k, raw = c.Next() {
			key := string(k)
			if len(items) >= limit || !strings.HasPrefix(key, prefix) {
				break
			}
			if key == after {
				continue
			}
			it, err := decode(raw)
			if err != nil {
				return err
			}
			items = append(items, it.export(key))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	if err := store.CheckKinds(kind); err != nil {
		return nil, err
	}
	var items []store.Item
	err := s.view(ctx, "due", func(b buckets) error {
		queue := []byte(kind + "/")
		c := b.due.Cursor()
		for p, _ := c.Seek(queue); bytes.HasPrefix(p, queue) && len(items) < limit; p, _ = c.Next() {
			at, rest, err := parsePlace(kind, p)
			if err != nil {
				return err
			}
			if at.After(now) {
				break
			}
			key := kind + "/" + rest
			it, err := b.get(key)
			if err != nil {
				return err
			}
			if !it.due.Equal(at) {
				return damaged("the due index names %q, which is not due then", key)
			}
			items = append(items, it.export(key))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// NextDue implements store.Store.
func (s *Store) NextDue(ctx context.Context, kinds ...string) (time.Time, error) {
	if err := store.CheckKinds(kinds...); err != nil {
		return time.Time{}, err
	}
	var next time.Time
	err := s.view(ctx, "next due", func(b buckets) error {
		for _, kind := range kinds {
			queue := []byte(kind + "/")
			p, _ := b.due.Cursor().Seek(queue)
			if !bytes.HasPrefix(p, queue) {
				continue
			}
			at, _, err := parsePlace(kind, p)
			if err != nil {
				return err
			}
			if next.IsZero() || at.Before(next) {
				next = at
			}
		}
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	return next, nil
}

// Close implements store.Store. It waits for calls that are under way.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("bolt:%s: close: %w", s.path, err)
	}
	return nil
}

// view runs read on one state of the store.
func (s *Store) view(ctx context.Context, doing string, read func(buckets) error) error {
	return s.run(ctx, doing, s.db.View, func(tx *bbolt.Tx) error { return read(bucketsOf(tx)) })
}

// run runs do in a transaction and tells its errors from those of the file,
// which wrap store.ErrUnavailable.
//
// A damaged file makes bbolt panic, and one that was cut off makes its memory
// map fault; both become errors here.
func (s *Store) run(ctx context.Context, doing string, transact func(func(*bbolt.Tx) error) error, do func(*bbolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("bolt:%s: %s: %w", s.path, doing, damaged("%v", r))
		}
	}()
	var failed error
	err = transact(func(tx *bbolt.Tx) error {
		if failed = ctx.Err(); failed == nil { // it may have waited for its turn
			failed = do(tx)
		}
		return failed
	})
	switch {
	case err == nil:
		return nil
	case failed != nil:
		return fmt.Errorf("bolt:%s: %s: %w", s.path, doing, failed)
	case errors.Is(err, bolterrors.ErrDatabaseNotOpen):
		return fmt.Errorf("bolt:%s: %s: %w", s.path, doing, store.ErrClosed)
	default:
		return fmt.Errorf("bolt:%s: %s: %w: %w", s.path, doing, store.ErrUnavailable, err)
	}
}

// buckets are the parts of the file within a transaction.
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

// get returns the item of a key, the zero item if there is none. Its value is
// only good within the transaction.
func (b buckets) get(key string) (item, error) {
	raw := b.items.Get([]byte(key))
	if raw == nil {
		return item{}, nil
	}
	return decode(raw)
}

// export copies an item out of the transaction.
func (it item) export(key string) store.Item {
	return store.Item{Key: key, Value: bytes.Clone(it.value), Version: it.version, Due: it.due}
}

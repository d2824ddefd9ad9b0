package bolt

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"tocsin/pkg/store"
)

// forgetPerCommit bounds how many expired items one commit drops.
const forgetPerCommit = 100

// Commit implements store.Store. A version is the number of the commit.
func (s *Store) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if err := store.CheckChanges(changes); err != nil {
		return err
	}
	return s.run(ctx, "commit", s.db.Update, func(tx *bbolt.Tx) error {
		b := bucketsOf(tx)
		old := make([]item, len(changes))
		for i, c := range changes {
			var err error
			if old[i], err = b.get(c.Key); err != nil {
				return err
			}
			if !c.If.Holds(old[i].version) {
				return store.Conflict(c.Key)
			}
		}
		version, err := b.items.NextSequence()
		if err != nil {
			return err
		}
		for i, c := range changes {
			if !c.Writes() {
				continue
			}
			if err := b.remove(c.Key, old[i]); err != nil {
				return err
			}
			if c.Delete {
				continue
			}
			it := item{version: version, due: c.Due, expires: c.Expires, value: c.Value}
			if err := b.put(c.Key, it); err != nil {
				return err
			}
		}
		return b.forget(now)
	})
}

func (b buckets) put(key string, it item) error {
	err := b.items.Put([]byte(key), it.encode())
	if !it.due.IsZero() {
		err = errors.Join(err, b.due.Put(duePlace(key, it.due), []byte{}))
	}
	if !it.expires.IsZero() {
		err = errors.Join(err, b.expires.Put(expiresPlace(key, it.expires), []byte{}))
	}
	return err
}

// remove takes the item that a key holds out of all buckets.
func (b buckets) remove(key string, it item) error {
	return errors.Join(
		b.items.Delete([]byte(key)),
		b.due.Delete(duePlace(key, it.due)),
		b.expires.Delete(expiresPlace(key, it.expires)),
	)
}

// forget drops some of the items that have expired.
func (b buckets) forget(now time.Time) error {
	var keys []string
	c := b.expires.Cursor()
	for p, _ := c.First(); p != nil && len(keys) < forgetPerCommit; p, _ = c.Next() {
		at, key, err := parsePlace("", p)
		if err != nil {
			return err
		}
		// Stored times are cut to the millisecond: one more, lest it be early.
		if at.Add(time.Millisecond).After(now) {
			break
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		it, err := b.get(key)
		if err != nil {
			return err
		}
		if err := b.remove(key, it); err != nil {
			return err
		}
	}
	return nil
}

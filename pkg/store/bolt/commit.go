package bolt

import (
	"bytes"
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
			if c.Delete {
				err = b.remove(c.Key, old[i])
			} else {
				err = b.put(c.Key, old[i], item{version: version, due: c.Due, expires: c.Expires, value: c.Value})
			}
			if err != nil {
				return err
			}
		}
		return b.forget(now)
	})
}

// put writes the item of a key in place of the old one.
func (b buckets) put(key string, old, it item) error {
	return errors.Join(
		b.items.Put([]byte(key), it.encode()),
		move(b.due, duePlace(key, old.due), duePlace(key, it.due)),
		move(b.expires, expiresPlace(key, old.expires), expiresPlace(key, it.expires)),
	)
}

// move changes the place of a key in an index. A nil place is none.
func move(index *bbolt.Bucket, from, to []byte) (err error) {
	if bytes.Equal(from, to) {
		return nil
	}
	if from != nil {
		err = index.Delete(from)
	}
	if to != nil {
		err = errors.Join(err, index.Put(to, []byte{}))
	}
	return err
}

// remove takes the item that a key holds out of all buckets.
func (b buckets) remove(key string, it item) error {
	return errors.Join(
		b.items.Delete([]byte(key)),
		move(b.due, duePlace(key, it.due), nil),
		move(b.expires, expiresPlace(key, it.expires), nil),
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

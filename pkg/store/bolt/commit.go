package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"tocsin/pkg/store"
)

const (
	// forgetPerCommit bounds how many expired items one transaction drops.
	forgetPerCommit = 100
	// transactionChanges is how many changes a transaction takes before the
	// commits that still wait are left to the next one.
	transactionChanges = 10_000
)

// commit is a Commit that waits for its transaction.
type commit struct {
	ctx     context.Context
	now     time.Time
	changes []store.Change
	done    chan struct{}
	err     error // once done is closed
}

// queue holds the commits that wait. Those that come while the disk is busy
// share the next transaction, and so its fsync.
type queue struct {
	turn chan struct{} // held by the commit that runs the transactions

	mu      sync.Mutex
	waiting []*commit
}

// Commit implements store.Store. A version is the number of the commit.
func (s *Store) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if err := store.CheckChanges(changes); err != nil {
		return err
	}
	c := &commit{ctx: ctx, now: now, changes: changes, done: make(chan struct{})}
	s.queue.mu.Lock()
	s.queue.waiting = append(s.queue.waiting, c)
	s.queue.mu.Unlock()
	for {
		select {
		case <-c.done:
			return c.err
		case s.queue.turn <- struct{}{}:
			s.commit(s.queue.take())
			<-s.queue.turn
		}
	}
}

// take returns the commits of the next transaction.
func (q *queue) take() []*commit {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, changes := 0, 0
	for n < len(q.waiting) && (n == 0 || changes+len(q.waiting[n].changes) <= transactionChanges) {
		changes += len(q.waiting[n].changes)
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// commit runs one transaction for all of them. One whose conditions do not hold,
// or whose time is over, changes nothing and keeps no other from it.
func (s *Store) commit(batch []*commit) {
	if len(batch) == 0 {
		return
	}
	err := s.run(context.Background(), "commit", s.db.Update, func(tx *bbolt.Tx) error {
		b := bucketsOf(tx)
		now := batch[0].now
		for _, c := range batch {
			if c.err = c.ctx.Err(); c.err == nil {
				c.err = b.apply(c.changes)
			}
			if c.err != nil && !errors.Is(c.err, store.ErrConflict) && c.ctx.Err() == nil {
				return c.err
			}
			if c.now.After(now) {
				now = c.now
			}
		}
		return b.forget(now)
	})
	for _, c := range batch {
		switch {
		case err != nil:
			c.err = err
		case c.err != nil:
			c.err = fmt.Errorf("bolt:%s: commit: %w", s.path, c.err)
		}
		close(c.done)
	}
}

// apply makes the changes if all their conditions hold.
func (b buckets) apply(changes []store.Change) error {
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
	return nil
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

package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"tocsin/pkg/store"
)

const (
	// expiredPerCommit is how many expired items one transaction drops at most.
	expiredPerCommit = 100
	// maxBatchChanges is how many changes a transaction takes before the
	// remaining commits are left to the next one.
	maxBatchChanges = 10_000
)

// pendingCommit is a Commit that waits for its transaction.
type pendingCommit struct {
	ctx     context.Context
	now     time.Time
	changes []store.Change
	reserve bool          // it may use the reserve
	done    chan struct{} // closed after the transaction
	err     error         // of the commit, once done is closed
}

// commitQueue batches commits: those that arrive while a transaction is being
// written share the next one, and with it one fsync.
type commitQueue struct {
	writer chan struct{} // a semaphore of one: its holder runs transactions

	mu      sync.Mutex
	waiting []*pendingCommit
}

// Commit applies all changes or none. A version is the number of the commit.
func (s *Store) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if err := store.CheckChanges(changes); err != nil {
		return err
	}
	c := &pendingCommit{ctx: ctx, now: now, changes: changes, reserve: store.MayUseReserve(ctx, changes), done: make(chan struct{})}
	s.queue.mu.Lock()
	s.queue.waiting = append(s.queue.waiting, c)
	s.queue.mu.Unlock()
	for {
		select {
		case <-c.done:
			return c.err
		case s.queue.writer <- struct{}{}:
			s.runBatch(s.queue.take())
			<-s.queue.writer
		}
	}
}

// take removes and returns the commits of the next transaction. Those that may use the
// reserve and those that may not are in different ones.
func (q *commitQueue) take() (batch []*pendingCommit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	changes := 0
	q.waiting = slices.DeleteFunc(q.waiting, func(c *pendingCommit) bool {
		if len(batch) > 0 && (c.reserve != batch[0].reserve || changes+len(c.changes) > maxBatchChanges) {
			return false
		}
		changes += len(c.changes)
		batch = append(batch, c)
		return true
	})
	return batch
}

// runBatch commits the batch. If there is no room for all of it, each commit has a
// transaction of its own.
func (s *Store) runBatch(batch []*pendingCommit) {
	if len(batch) == 0 {
		return
	}
	var err error
	if !batch[0].reserve {
		err = s.keepReserve(batch)
	}
	if err == nil {
		if err = s.applyBatch(batch); errors.Is(err, store.ErrFull) && len(batch) > 1 {
			for _, c := range batch {
				s.runBatch([]*pendingCommit{c})
			}
			return
		}
	}
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

// applyBatch applies the commits in one transaction and sets their errors. A commit whose
// condition does not hold or whose context is done changes nothing and does not affect the
// others; any other error is that of the whole batch.
func (s *Store) applyBatch(batch []*pendingCommit) error {
	return s.inTransaction(context.Background(), "commit", s.db.Update, func(tx *bbolt.Tx) error {
		s.size = int(tx.Size())
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
		return b.dropExpired(now)
	})
}

// apply makes the changes if all their conditions hold, and returns an error that
// wraps store.ErrConflict otherwise.
func (b buckets) apply(changes []store.Change) error {
	old := make([]item, len(changes))
	for i, c := range changes {
		if raw := b.items.Get([]byte(c.Key)); raw != nil {
			old[i] = existing(raw)
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
		if read := c.If.Due(); !read.Equal(old[i].due) { // its entry is another one; see Condition.Due
			if err := moveEntry(b.due, dueEntry(c.Key, read), nil); err != nil {
				return err
			}
		}
		switch {
		case c.Delete:
			err = b.remove(c.Key, old[i])
		case c.KeepsStored():
			err = moveEntry(b.due, dueEntry(c.Key, old[i].due), dueEntry(c.Key, c.Due))
		default:
			err = b.put(c.Key, old[i], item{version: version, due: c.Due, expires: c.Expires, value: c.Value})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// put replaces the item of a key, old, by it.
func (b buckets) put(key string, old, it item) error {
	return errors.Join(
		b.items.Put([]byte(key), it.encode()),
		moveEntry(b.due, dueEntry(key, old.due), dueEntry(key, it.due)),
		moveEntry(b.expires, expiresEntry(key, old.expires), expiresEntry(key, it.expires)),
	)
}

// remove removes a key, whose item is it, from all buckets.
func (b buckets) remove(key string, it item) error {
	return errors.Join(
		b.items.Delete([]byte(key)),
		moveEntry(b.due, dueEntry(key, it.due), nil),
		moveEntry(b.expires, expiresEntry(key, it.expires), nil),
	)
}

// moveEntry replaces an entry of an index by another. Either may be nil for none.
func moveEntry(index *bbolt.Bucket, from, to []byte) (err error) {
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

// dropExpired removes up to expiredPerCommit items that have expired.
func (b buckets) dropExpired(now time.Time) error {
	var entries [][]byte
	c := b.expires.Cursor()
	for entry, _ := c.First(); entry != nil && len(entries) < expiredPerCommit; entry, _ = c.Next() {
		at, _, ok := parseEntry("", entry)
		// Stored times are rounded down to the millisecond; wait for the next one
		// so that no item goes early.
		if ok && at.Add(time.Millisecond).After(now) {
			break
		}
		entries = append(entries, bytes.Clone(entry))
	}
	for _, entry := range entries {
		if err := b.expires.Delete(entry); err != nil {
			return err
		}
		at, key, _ := parseEntry("", entry)
		raw := b.items.Get([]byte(key))
		if raw == nil {
			continue
		}
		it, err := decode(raw)
		if err == nil && !it.expires.Equal(at) {
			continue // the entry is damaged
		}
		if err := b.remove(key, existing(raw)); err != nil {
			return err
		}
	}
	return nil
}

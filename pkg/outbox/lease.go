package outbox

import (
	"context"
	"errors"
	"time"

	"tocsin/pkg/store"
)

const (
	// leaseTime is how long a lease holds: longer than any delivery takes. Then
	// another instance takes over.
	leaseTime = 3 * time.Minute
	// leaseBatch is the number of due entries that are leased at a time.
	leaseBatch = 500
	// unreadableRetry is how long an entry that cannot be read is put off.
	unreadableRetry = 10 * time.Minute
	// pageSize is the number of items that are read at a time.
	pageSize = 1000
)

// leaseChange returns the change that stores the entry with an attempt started and
// its lease held. e stays as it is until refreshVersions: e.Attempting then reports
// whether an earlier attempt was interrupted.
func (e *Entry) leaseChange(now time.Time) (store.Change, error) {
	leased := *e
	leased.Attempting = true
	leased.Attempts++
	c, err := store.Encode(e.item.Key, leased)
	c.Due = now.Add(leaseTime)
	return c, err
}

// enqueueChange returns the change that stores the entry due now, without a lease.
func (e *Entry) enqueueChange(now time.Time) (store.Change, error) {
	c, err := store.Encode(e.item.Key, *e)
	c.Due = now
	return c, err
}

// leasedAt reports whether the entry, read from the item, is leased at now.
func (e *Entry) leasedAt(now time.Time, it store.Item) bool {
	return e.Attempting && it.Due.After(now)
}

// leaseDue leases up to leaseBatch entries that are due at now.
func (o *Outbox) leaseDue(ctx context.Context, now time.Time) ([]*Entry, error) {
	var leased []*Entry
	err := store.RetryOnConflict(ctx, func() error {
		due, err := o.store.Due(ctx, Queue, now, leaseBatch)
		if err != nil || len(due) == 0 {
			leased = nil
			return err
		}
		leased = leased[:0]
		changes := make([]store.Change, len(due))
		for i, it := range due {
			e := &Entry{item: it}
			if _, err := store.Decode(it, e); err != nil {
				// A newer version may have written it and can deliver it.
				o.log.Error("cannot read a pending notification; it is retried later", "key", it.Key, "err", err)
				changes[i] = store.Reschedule(it, now.Add(unreadableRetry))
				continue
			}
			if changes[i], err = e.leaseChange(now); err != nil {
				return err
			}
			changes[i].If = store.Unchanged(it)
			leased = append(leased, e)
		}
		return o.store.Commit(ctx, now, changes...)
	})
	return leased, err
}

// refreshVersions reads the versions of entries whose leases were just committed,
// so that later changes are conditional on them, and counts the attempt.
func (o *Outbox) refreshVersions(ctx context.Context, leased []*Entry) error {
	keys := make([]string, len(leased))
	for i, e := range leased {
		keys[i] = e.item.Key
	}
	items, err := o.store.Get(ctx, keys...)
	if err != nil {
		return err
	}
	for i, e := range leased {
		e.item = items[i]
		e.Attempts++
	}
	return nil
}

// unlease gives an entry back that was not attempted, due at a time. If an earlier
// attempt was interrupted, it stays known.
func (o *Outbox) unlease(ctx context.Context, now time.Time, e *Entry, due time.Time) error {
	e.Attempts--
	return o.requeue(ctx, now, e, due)
}

// requeue gives an entry back, due at a time.
func (o *Outbox) requeue(ctx context.Context, now time.Time, e *Entry, due time.Time) error {
	c, err := store.Encode(e.item.Key, *e)
	if err != nil {
		return err
	}
	c.Due, c.If = due, store.Unchanged(e.item)
	return o.commitResult(ctx, now, e, c)
}

// giveBack gives back entries that were not attempted, due now, in one commit. If it
// fails, or the lease of one has expired, they become due when their leases expire.
func (o *Outbox) giveBack(ctx context.Context, now time.Time, entries []*Entry) error {
	changes := make([]store.Change, len(entries))
	for i, e := range entries {
		e.Attempts--
		var err error
		if changes[i], err = e.enqueueChange(now); err != nil {
			return err
		}
		changes[i].If = store.Unchanged(e.item)
	}
	if err := o.store.Commit(ctx, now, changes...); !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil
}

// holdsLease reports whether the entry is stored as it was leased: no other instance
// has taken over.
func (o *Outbox) holdsLease(ctx context.Context, e *Entry) (bool, error) {
	items, err := o.store.Get(ctx, e.item.Key)
	if err != nil {
		return false, err
	}
	if items[0].Version != e.item.Version {
		o.log.Warn("lease expired before delivery; another instance sends the notification", "id", e.ID, "receiver", e.Receiver)
		return false, nil
	}
	return true, nil
}

// commitResult commits the result of an attempt. If the lease has expired and
// another instance has taken over, the result is dropped.
func (o *Outbox) commitResult(ctx context.Context, now time.Time, e *Entry, changes ...store.Change) error {
	err := o.store.Commit(ctx, now, changes...)
	if errors.Is(err, store.ErrConflict) {
		o.log.Warn("lease expired during delivery; another instance may send the notification again", "id", e.ID, "receiver", e.Receiver)
		return nil
	}
	return err
}

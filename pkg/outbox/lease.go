package outbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// leaseTime is how long a lease holds after it was taken or renewed. Then another
	// instance may take over. It is longer than the clocks of instances differ.
	leaseTime = 25 * time.Second
	// renewInterval is how often the lease of an attempt under way is renewed.
	renewInterval = 8 * time.Second
	// leaseMargin is the part of a lease in which nothing is sent any more.
	leaseMargin = 5 * time.Second
	// unreadableRetry is how long an entry that cannot be read is put off.
	unreadableRetry = 10 * time.Minute
	// pageSize is the number of items that are read at a time.
	pageSize = 1000
)

// leaseChange returns the change that stores the entry leased by this instance, with
// an attempt started: channels that are at most once have that marked by markAttempt,
// right before they send. e stays as it is until confirmLeases: e.Attempting then
// reports whether an earlier attempt was interrupted.
func (o *Outbox) leaseChange(now time.Time, e *Entry) (store.Change, error) {
	leased := *e
	leased.Holder = o.instance
	leased.Attempts++
	if in, ok := o.integration(e); !ok || !in.Kind.AtMostOnce {
		leased.Attempting = true
	}
	c, err := store.Encode(e.item.Key, leased)
	c.Due = now.Add(leaseTime)
	e.item.Value = c.Value
	return c, err
}

// enqueueChange returns the change that stores the entry due at a time, without a lease.
func (e *Entry) enqueueChange(due time.Time) (store.Change, error) {
	c, err := store.Encode(e.item.Key, *e)
	c.Due = due
	return c, err
}

// leasedAt reports whether the entry, read from the item, is leased at now.
func (e *Entry) leasedAt(now time.Time, it store.Item) bool {
	return (e.Holder != "" || e.Attempting) && it.Due.After(now) // earlier versions stored no holder
}

// entryHead is the part of a stored entry by which it is scheduled.
type entryHead struct {
	Receiver  string    `json:"receiver"`
	Kind      string    `json:"kind"`
	Index     int       `json:"index"`
	Holder    string    `json:"holder"`
	Scheduled time.Time `json:"scheduled"`
}

// readHead decodes the head of a stored entry.
func readHead(it store.Item) (h entryHead, err error) {
	_, err = store.DecodeWith(it, func(value []byte) error {
		line, _, found := bytes.Cut(value, []byte{'\n'})
		if !found {
			return errAlertsMissing
		}
		return json.Unmarshal(line, &h)
	})
	return h, err
}

// putOff returns the change that makes a due entry, which is not leased, due later.
func putOff(it store.Item, h entryHead, due time.Time) (store.Change, error) {
	if h.Holder == "" {
		return store.Reschedule(it, due), nil
	}
	var e Entry // whose lease has expired
	if _, err := store.Decode(it, &e); err != nil {
		return store.Change{}, err
	}
	e.Holder = ""
	c, err := store.Encode(it.Key, e)
	c.Due, c.If = due, store.Unchanged(it)
	return c, err
}

// confirmLeases reads the versions of entries whose leases were just committed, so
// that later changes are conditional on them, and counts their attempts. It returns
// those that this instance still holds. began is when the commit of the leases began.
func (o *Outbox) confirmLeases(ctx context.Context, began time.Time, leased []*Entry) ([]*Entry, error) {
	if len(leased) == 0 {
		return nil, nil
	}
	keys := make([]string, len(leased))
	for i, e := range leased {
		keys[i] = e.item.Key
	}
	items, err := o.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	held := leased[:0]
	for i, e := range leased {
		if !bytes.Equal(items[i].Value, e.item.Value) {
			o.logLost(e)
			continue
		}
		e.item, e.heldUntil = items[i], began.Add(leaseTime-leaseMargin)
		e.Attempts++
		held = append(held, e)
	}
	return held, nil
}

// lost reports whether the lease of the entry may have expired. An instance that was
// frozen must not send what another one has taken over.
func (e *Entry) lost() bool { return wallClock().After(e.heldUntil) }

// wallClock returns the time by the wall clock, which goes on while a process is
// frozen.
func wallClock() time.Time { return time.Now().Round(0) }

// restore writes the leased entry again, with the lease renewed at now and changed by
// change. It reports whether this instance still holds the lease.
func (o *Outbox) restore(ctx context.Context, now time.Time, e *Entry, value []byte) (held bool, err error) {
	began := wallClock()
	c := store.Change{Key: e.item.Key, Value: value, Due: now.Add(leaseTime), If: store.Unchanged(e.item)}
	if err := o.store.Commit(ctx, now, c); errors.Is(err, store.ErrConflict) {
		o.logLost(e)
		return false, nil
	} else if err != nil {
		return false, err
	}
	items, err := o.store.Get(ctx, e.item.Key)
	if err != nil {
		return false, err
	}
	if !bytes.Equal(items[0].Value, value) {
		o.logLost(e)
		return false, nil
	}
	e.item, e.heldUntil = items[0], began.Add(leaseTime-leaseMargin)
	return true, nil
}

// renew renews the lease of an entry.
func (o *Outbox) renew(ctx context.Context, now time.Time, e *Entry) (held bool, err error) {
	return o.restore(ctx, now, e, e.item.Value)
}

// markAttempt stores that an attempt at the entry is under way. Without that mark
// nothing is sent to a channel that is at most once.
func (o *Outbox) markAttempt(ctx context.Context, now time.Time, e *Entry) (held bool, err error) {
	marked := *e
	marked.Holder, marked.Attempting = o.instance, true
	c, err := store.Encode(e.item.Key, marked)
	if err != nil {
		return false, err
	}
	return o.restore(ctx, now, e, c.Value)
}

// unlease returns the change that gives back an entry that was not attempted, due at
// a time.
func (e *Entry) unlease(due time.Time) (store.Change, error) {
	back := *e // e.Attempting is that of an interrupted attempt before
	back.Attempts--
	c, err := store.Encode(e.item.Key, back)
	c.Due, c.If = due, store.Unchanged(e.item)
	return c, err
}

// requeue gives an entry back that was attempted, due at a time.
func (o *Outbox) requeue(ctx context.Context, now time.Time, e *Entry, due time.Time) error {
	e.Attempting = false
	c, err := store.Encode(e.item.Key, *e)
	if err != nil {
		return err
	}
	c.Due, c.If = due, store.Unchanged(e.item)
	return o.commitResult(ctx, now, e, c)
}

// commitResult commits the result of an attempt. If the lease has expired and
// another instance has taken over, the result is dropped.
func (o *Outbox) commitResult(ctx context.Context, now time.Time, e *Entry, changes ...store.Change) error {
	err := o.store.Commit(ctx, now, changes...)
	if errors.Is(err, store.ErrConflict) {
		o.logLost(e)
		return nil
	}
	return err
}

func (o *Outbox) logLost(e *Entry) {
	o.log.Warn("lease expired during delivery; another instance may send the notification again", "id", e.ID, "receiver", e.Receiver)
}

// ReleaseLeases makes all leased entries due at now. It is for a store that no other
// instance has open: whoever leased them is gone.
func (o *Outbox) ReleaseLeases(ctx context.Context, now time.Time) error {
	for page, err := range store.Pages(ctx, o.store, keyspace.Outbox, pageSize) {
		if err != nil {
			return err
		}
		var changes []store.Change
		for _, it := range page {
			var e Entry
			if _, err := store.Decode(it, &e); err == nil && e.leasedAt(now, it) {
				changes = append(changes, store.Reschedule(it, now))
			}
		}
		if err := store.CommitEach(ctx, o.store, now, changes); err != nil {
			return err
		}
	}
	return nil
}

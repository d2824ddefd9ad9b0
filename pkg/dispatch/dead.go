package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

const kindDead = "dead"

// ErrNoDeadLetter is returned for an id that no dead letter has.
var ErrNoDeadLetter = errors.New("there is no such dead letter")

// DeadLetter is a notification that nobody could take.
type DeadLetter struct {
	alert.Notification
	// Channel is the kind of channel that it was for.
	Channel string
	// Since is when it was first owed, Cause why it was given up.
	Since time.Time
	Cause string
}

// DeadLetters returns what nobody could take, oldest first. It is kept for 30
// days.
func (e *Engine) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	var all []DeadLetter
	for after := ""; ; {
		page, err := e.store.List(ctx, kindDead+"/", after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, it := range page {
			after = it.Key
			var d outboxEntry
			if _, err := read(it, &d); err != nil {
				e.log.Error("cannot read a dead letter; it is not shown", "key", it.Key, "err", err)
				continue
			}
			all = append(all, DeadLetter{Notification: d.Notification, Channel: d.Kind, Since: d.Since, Cause: d.LastError})
		}
		if len(page) < pageSize {
			slices.SortStableFunc(all, func(a, b DeadLetter) int { return a.Since.Compare(b.Since) })
			return all, nil
		}
	}
}

// Resend owes a dead letter again from now on. Who has got it already does not
// get it twice.
func (e *Engine) Resend(ctx context.Context, now time.Time, id string) error {
	return retryOnConflict(ctx, func() error {
		items, err := e.store.Get(ctx, kindDead+"/"+id)
		if err != nil {
			return err
		}
		var d outboxEntry
		if ok, err := read(items[0], &d); err != nil {
			return err
		} else if !ok {
			return ErrNoDeadLetter
		}
		d.AcceptedUnits = slices.DeleteFunc(d.AcceptedUnits, func(unit string) bool { _, failed := d.Failed[unit]; return failed })
		d.Failed, d.Attempts, d.Attempting, d.Since, d.LastError, d.Fault = nil, 0, false, now, "", ""
		again, err := put(kindPending+"/"+id, d)
		if err != nil {
			return err
		}
		again.Due = now
		return e.store.Commit(ctx, now, again, store.Change{Key: items[0].Key, Delete: true, If: store.Unchanged(items[0])})
	})
}

package outbox

import (
	"context"
	"errors"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// maxDelay is longer than an entry waits between two attempts, except on a vendor's
// demand.
const maxDelay = time.Hour

// CorrectDue makes the entries due that are due at the time ahead of a clock that was
// ahead, or later than any retry: now, or, if they are leased, when a lease that is
// taken now would expire.
func (o *Outbox) CorrectDue(ctx context.Context, now, ahead time.Time) error {
	latest := now.Add(maxDelay)
	if ahead.Before(latest) {
		latest = ahead
	}
	for page, err := range store.Pages(ctx, o.store, keyspace.Outbox, pageSize) {
		if err != nil {
			return err
		}
		for _, it := range page {
			if it.Due.After(latest) {
				if err := o.correctEntry(ctx, now, it); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (o *Outbox) correctEntry(ctx context.Context, now time.Time, it store.Item) error {
	c := store.Reschedule(it, now)
	var e Entry
	if _, err := store.Decode(it, &e); err == nil {
		if e.Since.After(now) {
			e.Since = now
		}
		encoded, err := store.Encode(it.Key, e)
		if err != nil {
			return err
		}
		if c.Value = encoded.Value; e.leasedAt(now, it) {
			c.Due = now.Add(leaseTime)
		}
	}
	err := o.store.Commit(ctx, now, c)
	if errors.Is(err, store.ErrConflict) { // it is being delivered
		return nil
	}
	return err
}

package outbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// attemptedAgain reports whether a notification that its receiver has refused is
// attempted again at the next flush of its group, unless a fallback accepts it:
// while an alert of it fires, and for giveUpAfter.
func (o *Outbox) attemptedAgain(now time.Time, e *Entry) bool {
	if _, configured := o.integration(e); !configured || e.Interval <= 0 || e.Accepted {
		return false
	}
	firing := func(a *alert.Alert) bool { return !a.ResolvedAt(now) }
	return now.Before(e.Since.Add(giveUpAfter)) || slices.ContainsFunc(e.Alerts, firing) || slices.ContainsFunc(e.muted, firing)
}

// atNextFlush returns the change that stores a refused notification of these alerts
// as new, due at the next flush of its group, or deletes it if there are none. That
// flush replaces it if it has anything to notify of.
func (e *Entry) atNextFlush(now time.Time, alerts []*alert.Alert) (store.Change, error) {
	if len(alerts) == 0 {
		return store.Change{Key: e.item.Key, Delete: true, If: store.Unchanged(e.item)}, nil
	}
	next := *e
	next.Alerts, next.muted, next.LetterID = alerts, nil, e.letterID()
	next.Failed, next.AcceptedUnits, next.Accepted, next.Attempts, next.Attempting = nil, nil, false, 0, false
	c, err := store.Encode(e.item.Key, next)
	flushes := now.Sub(e.Scheduled)/e.Interval + 1
	c.Due, c.If = e.Scheduled.Add(flushes*e.Interval), store.Unchanged(e.item)
	return c, err
}

// mutedPart returns the entry that waits for the muted alerts of e if the others are
// refused again.
func (e *Entry) mutedPart(now time.Time) *Entry {
	part := *e
	part.LetterID = e.letterID()
	part.ID = fmt.Sprintf("%s-%d", e.ID, now.UnixMilli())
	part.item = store.Item{Key: keyspace.Outbox + part.ID}
	return &part
}

// letterID returns the ID of the entry's dead letter.
func (e *Entry) letterID() string {
	if e.LetterID != "" {
		return e.LetterID
	}
	return e.ID
}

// updateRefused replaces the alerts of refused notifications by their present state
// before another attempt. It returns the queue without those of which there is
// nothing to notify now: they wait while alerts of them are muted.
func (o *Outbox) updateRefused(ctx context.Context, now time.Time, in Integration, queue []*Entry) (rest []*Entry, err error) {
	var refused []*alert.Notification
	for _, e := range queue {
		if e.refused() {
			refused = append(refused, &e.Notification)
		}
	}
	if len(refused) == 0 || o.current == nil {
		return queue, nil
	}
	muted, err := o.current(ctx, now, refused)
	if err != nil {
		return nil, err
	}
	for _, e := range queue {
		if e.refused() {
			e.At, e.muted, muted = now, muted[0], muted[1:]
			e.Alerts = in.AlertsOf(&e.Notification)
		}
		if len(e.Alerts) > 0 {
			rest = append(rest, e)
			continue
		}
		waiting := e.muted
		if !o.attemptedAgain(now, e) {
			waiting = nil
		}
		c, err := e.atNextFlush(now, waiting)
		if err != nil {
			return nil, err
		}
		if err := o.commitResult(ctx, now, e, c); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

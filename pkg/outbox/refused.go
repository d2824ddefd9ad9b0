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

// reasonOf returns the reason of a notification that replaces e, of which nothing was
// accepted. The reason of e is the first notification if, and only if, the receiver
// does not know any alert as firing.
func (e *Entry) reasonOf(n *alert.Notification) string {
	switch {
	case len(n.Firing()) == 0:
		return n.Reason
	case e.Reason == alert.ReasonFirst:
		return alert.ReasonFirst
	case e.Reason == alert.ReasonNewAlerts, n.Reason == alert.ReasonFirst:
		return alert.ReasonNewAlerts
	}
	return n.Reason
}

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
	c.Due, c.If = e.lastFlush(now).Add(e.Interval), store.Unchanged(e.item)
	return c, err
}

// lastFlush returns the time of the last flush of the group that was scheduled for now
// or before.
func (e *Entry) lastFlush(now time.Time) time.Time {
	return e.Scheduled.Add(now.Sub(e.Scheduled) / e.Interval * e.Interval)
}

// reportAccepted calls Config.Accepted for a notification of a group that is accepted
// by another attempt.
func (o *Outbox) reportAccepted(ctx context.Context, now time.Time, e *Entry) error {
	in, configured := o.integration(e)
	if o.config.Accepted == nil || !configured || e.Group == "" || !e.refused() {
		return nil
	}
	n := e.Notification
	if n.At = e.lastFlush(now); n.At.Equal(e.Scheduled) && len(e.muted) == 0 {
		return nil // the flush itself
	}
	return o.config.Accepted(ctx, now, e.Group, in, n, e.muted)
}

// resolvedAt returns the alerts that have resolved at now.
func resolvedAt(now time.Time, alerts []*alert.Alert) (resolved []*alert.Alert) {
	for _, a := range alerts {
		if a.ResolvedAt(now) {
			resolved = append(resolved, a)
		}
	}
	return resolved
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
	if len(refused) == 0 || o.config.Current == nil {
		return queue, nil
	}
	muted, err := o.config.Current(ctx, now, refused)
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

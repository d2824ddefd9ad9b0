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

// Request describes a notification to enqueue.
type Request struct {
	// Notification is complete except for its ID.
	alert.Notification
	Integration Integration
	// Group identifies the group that is notified, in any form. Pending
	// notifications of the same group to the same integration are coalesced.
	Group string
	// Scheduled is when the flush was due. A request for the same group,
	// integration and time has the same ID.
	Scheduled time.Time
	// Interval is the time between two flushes of the group. If no receiver accepts
	// the notification, it is attempted again at the next flush. Zero means that it
	// is not.
	Interval time.Duration
}

// Enqueue returns the changes that add a notification to the outbox, due at now. The
// caller commits them together with whatever made it necessary.
//
// The notification replaces pending ones of the same group and integration, except
// those that are being sent, and lists the alerts which only they contain: an alert
// that fired and resolved while its receiver could not be reached is notified once.
func (o *Outbox) Enqueue(ctx context.Context, now time.Time, r Request) ([]store.Change, error) {
	queue := keyspace.Hash(r.Group, r.Receiver, r.Integration.Name())
	n := r.Notification
	n.ID = fmt.Sprintf("%s-%d", queue, r.Scheduled.UnixMilli())
	since, letter, changes, err := o.coalesce(ctx, now, queue, &n)
	if err != nil {
		return nil, err
	}
	e := newEntry(n, r.Integration, since)
	e.Group, e.Scheduled, e.Interval, e.LetterID = r.Group, r.Scheduled, r.Interval, letter
	c, err := e.enqueueChange(now)
	return append(changes, c), err
}

// coalesce adds the alerts of the pending notifications of a queue to n. It returns
// when the oldest of them was enqueued, now if there is none, the ID of their dead
// letter if they have one, and the changes that delete them.
func (o *Outbox) coalesce(ctx context.Context, now time.Time, queue string, n *alert.Notification) (since time.Time, letter string, changes []store.Change, err error) {
	since = now
	items, err := o.store.List(ctx, keyspace.Outbox+queue+"-", "", pageSize)
	if err != nil || len(items) == 0 {
		return since, "", nil, err
	}
	latestFirst := [][]*alert.Alert{n.Alerts}
	for _, it := range slices.Backward(items) {
		var pending Entry
		if _, err := store.Decode(it, &pending); err != nil || pending.leasedAt(now, it) {
			continue
		}
		if pending.Since.Before(since) {
			since = pending.Since
		}
		if pending.refused() {
			letter = pending.LetterID
			if pending.announces() && len(n.Firing()) > 0 {
				n.Reason = pending.Reason // nothing of it was accepted
			}
		}
		latestFirst = append(latestFirst, pending.Alerts)
		changes = append(changes, store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)})
	}
	if merged := mergeAlerts(latestFirst...); len(merged) > len(n.Alerts) {
		alert.Sort(merged)
		n.Alerts = merged
	}
	return since, letter, changes, nil
}

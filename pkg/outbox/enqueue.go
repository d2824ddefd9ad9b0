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
// While another instance sends one of them, the notification is due when that lease
// expires: if the instance is dead, the older one is sent first.
func (o *Outbox) Enqueue(ctx context.Context, now time.Time, r Request) ([]store.Change, error) {
	queue := keyspace.Hash(r.Group, r.Receiver, r.Integration.Name())
	n := r.Notification
	n.ID = fmt.Sprintf("%s-%d", queue, r.Scheduled.UnixMilli())
	older, err := o.coalesce(ctx, now, queue, &n)
	if err != nil {
		return nil, err
	}
	e := newEntry(n, r.Integration, older.since)
	e.Group, e.Scheduled, e.Interval, e.LetterID = r.Group, r.Scheduled, r.Interval, older.letterID
	c, err := e.enqueueChange(older.leasedUntil)
	// One of the same time has the same key: c overwrites it.
	if i := slices.IndexFunc(older.deletions, func(d store.Change) bool { return d.Key == c.Key }); i >= 0 {
		c.If = older.deletions[i].If
		older.deletions = slices.Delete(older.deletions, i, i+1)
	}
	return append(older.deletions, c), err
}

// olderEntries describes the pending notifications of a group to an integration.
type olderEntries struct {
	since       time.Time      // when the oldest that is replaced was enqueued, now if there is none
	letterID    string         // of their dead letter, if they have one
	leasedUntil time.Time      // when the last lease of another instance expires, now if there is none
	deletions   []store.Change // of those that are replaced
}

// coalesce adds the alerts of the pending notifications of a queue to n, which replaces
// them unless they are leased.
func (o *Outbox) coalesce(ctx context.Context, now time.Time, queue string, n *alert.Notification) (olderEntries, error) {
	older := olderEntries{since: now, leasedUntil: now}
	items, err := o.store.List(ctx, keyspace.Outbox+queue+"-", "", pageSize)
	if err != nil || len(items) == 0 {
		return older, err
	}
	latestFirst := [][]*alert.Alert{n.Alerts}
	for _, it := range slices.Backward(items) {
		var pending Entry
		if _, err := store.Decode(it, &pending); err != nil {
			continue
		}
		if pending.leasedAt(now, it) {
			if pending.Holder != o.instance && it.Due.After(older.leasedUntil) {
				older.leasedUntil = it.Due
			}
			continue
		}
		if pending.Since.Before(older.since) {
			older.since = pending.Since
		}
		if pending.refused() {
			older.letterID = pending.LetterID
			n.Reason = pending.reasonOf(n)
		}
		latestFirst = append(latestFirst, pending.Alerts)
		older.deletions = append(older.deletions, store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)})
	}
	if merged := mergeAlerts(latestFirst...); len(merged) > len(n.Alerts) {
		alert.Sort(merged)
		n.Alerts = merged
	}
	return older, nil
}

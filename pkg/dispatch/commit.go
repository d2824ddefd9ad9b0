package dispatch

import (
	"context"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
)

// commitFlush commits a flush: the notifications, the logs, the removal of members,
// and the group's header with its next due time.
func (e *Engine) commitFlush(ctx context.Context, now time.Time, g *group, p flushPlan) error {
	if p.onlyDue {
		return e.store.Commit(ctx, now, store.Reschedule(g.item, p.due))
	}
	changes, err := removeMembers(now, g.id, p.remove, e.inhibitor)
	if err != nil {
		return err
	}
	logs, err := logChanges(now, g, p.logs)
	if err != nil {
		return err
	}
	for _, m := range p.markMuted {
		changes = append(changes, store.Change{Key: memberKey(g.id, m.fp), Value: []byte(memberMuted)})
	}
	header, err := store.Encode(g.item.Key, p.header)
	if err != nil {
		return err
	}
	header.Due = p.due
	if p.deleteGroup {
		header = store.Change{Key: g.item.Key, Delete: true}
	}
	header.If = store.Unchanged(g.item)
	enqueued, err := e.enqueue(ctx, now, g, p)
	if err != nil {
		return err
	}
	if err := e.store.Commit(ctx, now, slices.Concat(changes, logs, []store.Change{header}, enqueued)...); err != nil {
		return err
	}
	for reason, alerts := range p.suppressed {
		e.metrics.Suppressed(reason, alerts)
	}
	return nil
}

// maxSourceDeletions is how many sources of inhibition one flush deletes: two changes
// for each of maxRemovals members and one for as many muted ones are in the same commit.
const maxSourceDeletions = store.MaxChanges / 4

// removeMembers returns the changes that remove alerts from a group. They conflict
// with an update of an alert, after which the flush is decided again.
func removeMembers(now time.Time, id string, members []member, inhibitor *inhibit.Inhibitor) ([]store.Change, error) {
	changes := make([]store.Change, 0, 2*len(members))
	deletions := 0 // of sources
	for _, m := range members {
		rec := m.rec
		rec.Groups = slices.DeleteFunc(slices.Clone(rec.Groups), func(g string) bool { return g == id })
		c, err := store.Encode(m.item.Key, rec)
		if err != nil {
			return nil, err
		}
		c.If = store.Unchanged(m.item)
		if len(rec.Groups) == 0 && rec.ResolvedAt(now) {
			c.Expires = now.Add(resolvedRetention)
		}
		changes = append(changes, c, store.Change{Key: memberKey(id, m.fp), Delete: true})
		if rec.ResolvedAt(now) && deletions < maxSourceDeletions {
			sources, err := inhibitor.SourceChanges(rec.Alert, m.fp, now) // deletes them; the rest expire
			if err != nil {
				return nil, err
			}
			if deletions += len(sources); deletions <= maxSourceDeletions {
				changes = append(changes, sources...)
			}
		}
	}
	return changes, nil
}

// logChanges returns the changes that write logs. The log of an integration whose
// position or identity has changed moves to its new key.
func logChanges(now time.Time, g *group, logs []plannedLog) ([]store.Change, error) {
	var changes []store.Change
	for _, l := range logs {
		key := l.log.item.Key
		if !l.log.former {
			key = logKey(g.id, l.log.receiver, l.log.integration)
			l.entry.Position = position(l.log.receiver, l.log.integration)
		}
		if l.log.item.Key != "" && (l.log.item.Key != key || l.delete) {
			changes = append(changes, store.Change{Key: l.log.item.Key, Delete: true, If: store.Unchanged(l.log.item)})
		}
		if l.delete {
			continue
		}
		c, err := store.Encode(key, l.entry)
		if err != nil {
			return nil, err
		}
		c.Expires = now.Add(l.entry.retention(g.route))
		if l.log.item.Key == key {
			c.If = store.Unchanged(l.log.item)
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// enqueue returns the changes that add the planned notifications to the outbox.
func (e *Engine) enqueue(ctx context.Context, now time.Time, g *group, p flushPlan) (changes []store.Change, err error) {
	if len(p.notify) == 0 {
		return nil, nil
	}
	n := alert.Notification{GroupKey: g.header.Key, At: now, GroupLabels: g.header.Labels}
	if g.route != nil {
		withAll := n
		withAll.Receiver = g.route.Receiver
		for _, m := range g.members {
			if m.routed {
				withAll.Alerts = append(withAll.Alerts, m.rec.Alert)
			}
		}
		n.RouteLabels = g.route.RenderLabels(withAll, &e.style, e.log)
	}
	interval := route.DefaultGroupInterval
	if g.route != nil {
		interval = g.route.GroupInterval
	}
	for _, planned := range p.notify {
		n.Receiver, n.Reason, n.Alerts = planned.receiver, planned.reason, planned.alerts
		c, err := e.outbox.Enqueue(ctx, now, outbox.Request{
			Notification: n, Integration: planned.integration, Group: g.id, Scheduled: p.scheduled, Interval: interval,
		})
		if err != nil {
			return nil, err
		}
		changes = append(changes, c...)
	}
	return changes, nil
}

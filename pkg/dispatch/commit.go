package dispatch

import (
	"context"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/outbox"
	"tocsin/pkg/store"
)

// commitFlush commits a flush: the notifications with their leases, the logs, the
// removal of members, and the group's header with its next due time. It returns the
// notifications.
func (e *Engine) commitFlush(ctx context.Context, now time.Time, g *group, p flushPlan) ([]*outbox.Entry, error) {
	if p.onlyDue {
		return nil, e.store.Commit(ctx, now, store.Change{Key: g.item.Key, Value: g.item.Value, Due: p.due, If: store.Unchanged(g.item)})
	}
	changes, err := removeMembers(now, g.id, p.remove)
	if err != nil {
		return nil, err
	}
	for _, l := range p.logs {
		c, err := store.Encode(logKey(g.id, g.route.Receiver, l.integration), l.entry)
		if err != nil {
			return nil, err
		}
		c.Expires = now.Add(logRetention(g.route))
		changes = append(changes, c)
	}
	header, err := store.Encode(g.item.Key, p.header)
	if err != nil {
		return nil, err
	}
	header.Due = p.due
	if p.deleteGroup {
		header = store.Change{Key: g.item.Key, Delete: true}
	}
	header.If = store.Unchanged(g.item)
	enqueued, leased, err := e.enqueue(ctx, now, g, p)
	if err != nil {
		return nil, err
	}
	if err := e.store.Commit(ctx, now, slices.Concat(changes, []store.Change{header}, enqueued)...); err != nil {
		return nil, err
	}
	for reason, alerts := range p.suppressed {
		e.metrics.Suppressed(reason, alerts)
	}
	return leased, nil
}

// removeMembers returns the changes that remove alerts from a group. They conflict
// with an update of an alert, after which the flush is decided again.
func removeMembers(now time.Time, id string, members []member) ([]store.Change, error) {
	changes := make([]store.Change, 0, 2*len(members))
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
	}
	return changes, nil
}

// enqueue returns the changes that add the planned notifications to the outbox, and
// their entries.
func (e *Engine) enqueue(ctx context.Context, now time.Time, g *group, p flushPlan) (changes []store.Change, leased []*outbox.Entry, err error) {
	if len(p.notify) == 0 {
		return nil, nil, nil
	}
	n := alert.Notification{GroupKey: g.header.Key, Receiver: g.route.Receiver, At: now, GroupLabels: g.header.Labels}
	withAll := n
	for _, m := range g.members {
		if m.routed {
			withAll.Alerts = append(withAll.Alerts, m.rec.Alert)
		}
	}
	n.RouteLabels = g.route.RenderLabels(withAll, &e.style, e.log)
	for _, planned := range p.notify {
		n.Reason, n.Alerts = planned.reason, planned.alerts
		c, entries, err := e.outbox.Enqueue(ctx, now, outbox.Request{
			Notification: n, Integration: planned.integration, Group: g.id, Scheduled: p.scheduled,
		})
		if err != nil {
			return nil, nil, err
		}
		changes, leased = append(changes, c...), append(leased, entries...)
	}
	return changes, leased, nil
}

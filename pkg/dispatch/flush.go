package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/alert"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// dueBatch is the number of due groups that are read at a time.
	dueBatch = 64
	// maxConcurrentFlushes is how many groups are flushed at a time.
	maxConcurrentFlushes = 8
	// maxLeased is the number of leased notifications after which flushing pauses
	// until they are delivered, since leases expire.
	maxLeased = 500
	// maxConflicts is how many conflicts a run of flushes retries at once; after
	// that the groups are left to the next tick.
	maxConflicts = 16
	// pageSize is the number of items that are read at a time.
	pageSize = 1000
)

// flushDue flushes groups that are due at now, until there are none, the budget is
// spent, or maxLeased notifications wait for delivery; in the last case more is
// true. It returns the notifications to deliver, leased.
func (e *Engine) flushDue(ctx context.Context, b outbox.Budget, now time.Time) (leased []*outbox.Entry, more bool, err error) {
	var mutes *mutes
	conflicts := 0
	for !b.Spent() {
		due, err := e.store.Due(ctx, groupQueue, now, dueBatch)
		if err != nil || len(due) == 0 {
			return leased, false, err
		}
		if mutes == nil {
			if mutes, err = e.mutesAt(ctx, now); err != nil {
				return leased, false, err
			}
		}
		again := len(due) == dueBatch
		for _, r := range e.flushAll(ctx, b, now, due, mutes) {
			switch {
			case r.err == nil:
				leased = append(leased, r.leased...)
			case errors.Is(r.err, store.ErrConflict):
				// Another instance flushed the group, or an alert joined it. If it is
				// still due, the next read of the queue returns it.
				conflicts++
				again = again || conflicts < maxConflicts
			case errors.Is(r.err, store.ErrUnavailable), ctx.Err() != nil:
				return leased, false, r.err
			default:
				e.log.Error("cannot flush a group; it is deferred by one group_interval", "group", r.item.Key, "err", r.err)
				if err := e.deferGroup(ctx, now, r.item); err != nil {
					return leased, false, err
				}
			}
		}
		if !again {
			return leased, false, nil
		}
		if len(leased) >= maxLeased {
			return leased, true, nil
		}
	}
	return leased, false, nil
}

// flushResult is the result of the flush of one group.
type flushResult struct {
	item   store.Item
	leased []*outbox.Entry
	err    error
}

// flushAll flushes groups concurrently until the budget is spent, and returns the
// results in their order.
func (e *Engine) flushAll(ctx context.Context, b outbox.Budget, now time.Time, due []store.Item, mutes *mutes) []flushResult {
	results := make([]flushResult, len(due))
	started := 0
	var workers errgroup.Group
	workers.SetLimit(maxConcurrentFlushes)
	for i, it := range due {
		if b.Spent() {
			break
		}
		started++
		workers.Go(func() error {
			leased, err := e.flush(ctx, now, it, mutes)
			results[i] = flushResult{it, leased, err}
			return nil // an error is one group's
		})
	}
	_ = workers.Wait() // never an error
	return results[:started]
}

// flush flushes the group with this header and returns its notifications, leased.
func (e *Engine) flush(ctx context.Context, now time.Time, item store.Item, mutes *mutes) ([]*outbox.Entry, error) {
	g, err := e.loadGroup(ctx, now, item, mutes)
	if err != nil {
		return nil, err
	}
	return e.commitFlush(ctx, now, g, plan(g, now, e.upstream))
}

// commitFlush commits a flush: the notifications with their leases, the logs, the
// removal of members, and the group's header with its next due time. It returns the
// notifications.
func (e *Engine) commitFlush(ctx context.Context, now time.Time, g *group, p flushPlan) ([]*outbox.Entry, error) {
	if p.onlyDue {
		return nil, e.store.Commit(ctx, now, store.Change{Key: g.item.Key, Value: g.item.Value, Due: p.due, If: store.Unchanged(g.item)})
	}
	changes, leased, err := e.enqueue(ctx, now, g, p)
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
	removals, err := removeMembers(now, g.id, p.remove)
	if err != nil {
		return nil, err
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
	if err := e.store.Commit(ctx, now, slices.Concat(changes, removals, []store.Change{header})...); err != nil {
		return nil, err
	}
	for reason, alerts := range p.suppressed {
		e.metrics.Suppressed(reason, alerts)
	}
	return leased, nil
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

// deferGroup makes a group that cannot be flushed due later.
func (e *Engine) deferGroup(ctx context.Context, now time.Time, it store.Item) error {
	err := e.store.Commit(ctx, now, store.Change{Key: it.Key, Value: it.Value, Due: now.Add(route.DefaultGroupInterval), If: store.Unchanged(it)})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// restartBatch is the number of groups in one commit of Restart.
const restartBatch = 500

// Restart restarts the schedule of all groups, as Alertmanager does when its
// configuration is reloaded: each group is flushed at the next tick, and every
// group_interval from now on. Nothing is notified twice. A group that waits for its
// group_wait keeps its schedule.
func (e *Engine) Restart(ctx context.Context, now time.Time) error {
	for page, err := range store.Pages(ctx, e.store, keyspace.Group, restartBatch) {
		if err == nil {
			err = e.restartGroups(ctx, now, page)
		}
		if err != nil {
			return fmt.Errorf("restart the schedule of groups: %w", err)
		}
	}
	return nil
}

func (e *Engine) restartGroups(ctx context.Context, now time.Time, items []store.Item) error {
	var changes []store.Change
	for _, it := range items {
		var h header
		if _, err := store.Decode(it, &h); err != nil || !h.Flushed {
			continue // its flush logs the error
		}
		h.NextFlush = now
		c, err := store.Encode(it.Key, h)
		if err != nil {
			return err
		}
		c.Due, c.If = now, store.Unchanged(it)
		changes = append(changes, c)
	}
	err := e.store.Commit(ctx, now, changes...)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	// A group that conflicts is being flushed, or was restarted already.
	for _, c := range changes {
		if err := e.store.Commit(ctx, now, c); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

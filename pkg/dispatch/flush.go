package dispatch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

const (
	// dueBatch is how many groups are read from the queue at a time, and flushers
	// how many of them are flushed at the same time.
	dueBatch = 64
	flushers = 8
	// heldLimit is how much is gathered to be delivered before more groups are
	// flushed: leases do not hold for ever.
	maxLeased = 500
	// pageSize is how many members of a group are read at a time.
	pageSize = 1000
	// removalLimit bounds the alerts that one flush takes out of its group. What
	// is left over makes the group due again at once.
	removalLimit = 2000
)

// flushDue flushes groups that are due at now, until start is done or there is
// much to deliver, which more then tells. It returns what is to be delivered,
// with the leases held.
func (e *Engine) flushDue(ctx, start context.Context, now time.Time) (held []*leased, more bool, err error) {
	var quiet *mutes
	conflicts := 0
	for start.Err() == nil {
		due, err := e.store.Due(ctx, kindGroup, now, dueBatch)
		if err != nil {
			return held, false, err
		}
		if quiet == nil && len(due) > 0 {
			if quiet, err = e.mutesAt(ctx, now); err != nil {
				return held, false, err
			}
		}
		again := len(due) == dueBatch
		for _, f := range e.flushAll(ctx, start, now, due, quiet) {
			switch {
			case f.err == nil:
				held = append(held, f.owed...)
			case errors.Is(f.err, store.ErrConflict):
				// Another instance flushed the group, or an alert came in: the
				// queue is read again and tells.
				conflicts++
				again = again || conflicts < conflictTries
			case errors.Is(f.err, store.ErrUnavailable), ctx.Err() != nil:
				return held, false, f.err
			default:
				// What this version cannot read must not keep the others silent.
				e.log.Error("cannot flush a group; put off by one group_interval", "group", f.group.Key, "err", f.err)
				if err := e.deferGroup(ctx, now, f.group); err != nil {
					return held, false, err
				}
			}
		}
		if !again {
			return held, false, nil
		}
		if len(held) >= maxLeased {
			return held, true, nil
		}
	}
	return held, false, nil
}

// flushed is what came of a group's flush.
type flushed struct {
	group store.Item
	owed  []*leased
	err   error
}

// flushAll flushes groups, some at the same time, until start is done. It
// returns what came of them in their order.
func (e *Engine) flushAll(ctx, start context.Context, now time.Time, due []store.Item, quiet *mutes) []flushed {
	all := make([]flushed, len(due))
	var under sync.WaitGroup
	free := make(chan struct{}, flushers)
	for i, it := range due {
		if start.Err() != nil {
			all = all[:i]
			break
		}
		free <- struct{}{}
		under.Go(func() {
			defer func() { <-free }()
			owed, err := e.flush(ctx, now, it, quiet)
			all[i] = flushed{it, owed, err}
		})
	}
	under.Wait()
	return all
}

// putOff moves a group that cannot be flushed to a later time.
func (e *Engine) deferGroup(ctx context.Context, now time.Time, it store.Item) error {
	err := e.store.Commit(ctx, now, store.Change{Key: it.Key, Value: it.Value, Due: now.Add(defaultGroupInterval), If: store.Unchanged(it)})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// flush decides what a group's integrations must hear and commits, in one
// write, what they are told, what is owed to them, the group's next timer and
// the removal of what is over.
func (e *Engine) flush(ctx context.Context, now time.Time, it store.Item, quiet *mutes) ([]*leased, error) {
	gid := it.Key[len(kindGroup)+1:]
	members, lost, err := e.members(ctx, gid)
	if err != nil {
		return nil, err
	}
	var head header
	if _, err := read(it, &head); err != nil {
		found := false
		if head, found = e.regroup(gid, members, now); !found && lost {
			return nil, err
		}
		e.log.Error("cannot read a group; it begins anew", "err", err)
	}
	route := e.route.find(head.RouteID)
	if route != nil && groupID(route.ID, route.groupKey(head.Labels)) != gid {
		route = nil
	}
	if moved, err := e.reroute(ctx, now, route, members); err != nil {
		return nil, err
	} else if moved {
		if members, lost, err = e.members(ctx, gid); err != nil {
			return nil, err
		}
	}

	var say groupDiff
	var leaving []member
	for _, m := range members {
		over, routed := m.rec.ResolvedAt(now), e.routed(m, route)
		if over || !routed {
			leaving = append(leaving, m)
		}
		if !routed {
			continue
		}
		q, err := quiet.status(ctx, m.rec.Labels, route)
		if err != nil {
			return nil, err
		}
		say.add(m, over, q)
	}
	say.sort()

	var changes []store.Change
	var owed []*leased
	due := now.Add(defaultGroupInterval) // of a group without a route that cannot be removed yet
	if route != nil {
		// The store knows the time to the millisecond: by a finer one the group
		// could be due and not due, over and over.
		head.NextFlush = head.NextFlush.Truncate(time.Millisecond)
		// A late flush is that of the last of the times it was due at.
		early := now.Before(head.NextFlush)
		if !early {
			head.NextFlush, head.Flushed = nextDue(head.NextFlush, route.GroupInterval, now), true
		}
		scheduled := head.NextFlush.Add(-route.GroupInterval)
		if early || len(route.RepeatSchedule) > 0 {
			scheduled = now
		}
		due = head.NextFlush
		if step := route.nextRepeat(say.alerts, now); !step.IsZero() && step.Before(due) {
			due = step
		}
		if early && len(say.firing) > 0 && len(route.RepeatSchedule) == 0 {
			// It was woken because an alert ended, but others go on.
			return nil, e.store.Commit(ctx, now, store.Change{Key: it.Key, Value: it.Value, Due: due, If: store.Unchanged(it)})
		}
		n := alert.Notification{GroupKey: head.Key, Receiver: route.Receiver, At: now, GroupLabels: head.Labels, Alerts: say.all}
		if len(say.alerts) > 0 {
			n.RouteLabels = e.routeLabels(route, n)
		}
		n.Alerts = say.alerts
		var waiting []alert.Fingerprint
		if changes, owed, waiting, err = e.enqueue(ctx, now, gid, route, scheduled, n, say); err != nil {
			return nil, err
		}
		leaving = slices.DeleteFunc(leaving, func(m member) bool { return slices.Contains(waiting, m.fp) })
	}
	if len(leaving) > removalLimit {
		leaving, due = leaving[:removalLimit], now
	}
	removals, err := e.removeMembers(now, gid, leaving)
	if err != nil {
		return nil, err
	}
	self, err := put(it.Key, head)
	if err != nil {
		return nil, err
	}
	self.Due, self.If = due, store.Unchanged(it)
	if len(leaving) == len(members) && !lost {
		self = store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)}
	}
	if err := e.store.Commit(ctx, now, slices.Concat(changes, removals, []store.Change{self})...); err != nil {
		return nil, err
	}
	for reason, alerts := range say.suppressed {
		e.metrics.Suppressed(reason, alerts)
	}
	return owed, nil
}

// routed tells whether the configuration of today sends the member's alert to
// the group's route.
func (e *Engine) routed(m member, route *Route) bool {
	return route != nil && slices.Contains(e.route.Match(m.rec.Labels), route)
}

// rehome takes alerts that still fire, but whose route changed with the
// configuration, into the groups where they belong now. They leave this group
// only after that.
func (e *Engine) reroute(ctx context.Context, now time.Time, route *Route, members []member) (moved bool, err error) {
	var strays []*alert.Alert
	for _, m := range members {
		if !m.rec.ResolvedAt(now) && !e.routed(m, route) {
			strays = append(strays, m.rec.Alert)
		}
	}
	if len(strays) == 0 {
		return false, nil
	}
	return true, e.Ingest(ctx, now, strays)
}

// nextDue is the first time on the grid of scheduled times that lies after now:
// a late tick does not shift the grid.
func nextDue(due time.Time, interval time.Duration, now time.Time) time.Time {
	missed := now.Sub(due) / interval
	return due.Add((missed + 1) * interval)
}

package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

const (
	// dueBatch is how many groups are read from the queue at a time.
	dueBatch = 64
	// heldLimit is how much is gathered to be delivered before more groups are
	// flushed: leases do not hold for ever.
	heldLimit = 500
	// pageSize is how many members of a group are read at a time.
	pageSize = 1000
	// removalLimit bounds the alerts that one flush takes out of its group. What
	// is left over makes the group due again at once.
	removalLimit = 2000
)

// flushDue flushes groups that are due at now, until start is done or there is
// much to deliver, which more then tells. It returns what is to be delivered,
// with the leases held.
func (e *Engine) flushDue(ctx, start context.Context, now time.Time) (held []*claimed, more bool, err error) {
	var quiet *muter
	for start.Err() == nil {
		due, err := e.store.Due(ctx, kindGroup, now, dueBatch)
		if err != nil {
			return held, false, err
		}
		if quiet == nil && len(due) > 0 {
			if quiet, err = e.muter(ctx, now); err != nil {
				return held, false, err
			}
		}
		for _, it := range due {
			if start.Err() != nil {
				return held, false, nil
			}
			owed, err := e.flush(ctx, now, it, quiet)
			switch {
			case err == nil:
				held = append(held, owed...)
			case errors.Is(err, store.ErrConflict):
				// Another instance flushed the group, or an alert came in: the
				// queue is read again and tells.
			case errors.Is(err, store.ErrUnavailable), ctx.Err() != nil:
				return held, false, err
			default:
				// What this version cannot read must not keep the others silent.
				e.log.Error("cannot flush a group; put off by one group_interval", "group", it.Key, "err", err)
				if err := e.putOff(ctx, now, it); err != nil {
					return held, false, err
				}
			}
		}
		if len(due) < dueBatch {
			return held, false, nil
		}
		if len(held) >= heldLimit {
			return held, true, nil
		}
	}
	return held, false, nil
}

// putOff moves a group that cannot be flushed to a later time.
func (e *Engine) putOff(ctx context.Context, now time.Time, it store.Item) error {
	err := e.store.Commit(ctx, now, store.Change{Key: it.Key, Value: it.Value, Due: now.Add(defaultGroupInterval), If: store.Unchanged(it)})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// member is an alert as the flush of its group sees it.
type member struct {
	item store.Item
	rec  alertRecord
	fp   alert.Fingerprint
}

// flush decides what a group's integrations must hear and commits, in one
// write, what they are told, what is owed to them, the group's next timer and
// the removal of what is over.
func (e *Engine) flush(ctx context.Context, now time.Time, it store.Item, quiet *muter) ([]*claimed, error) {
	var head header
	if _, err := read(it, &head); err != nil {
		return nil, err
	}
	gid := it.Key[len(kindGroup)+1:]
	route := e.route.find(head.RouteID)
	if route != nil && groupID(route.ID, route.groupKey(head.Labels)) != gid {
		route = nil
	}
	members, err := e.members(ctx, gid)
	if err != nil {
		return nil, err
	}
	if moved, err := e.rehome(ctx, now, route, members); err != nil {
		return nil, err
	} else if moved {
		if members, err = e.members(ctx, gid); err != nil {
			return nil, err
		}
	}

	var say saying
	var leaving []member
	for _, m := range members {
		over := m.rec.ResolvedAt(now)
		if over || !e.routed(m, route) {
			leaving = append(leaving, m)
		}
		if !e.routed(m, route) {
			continue
		}
		q, err := quiet.why(ctx, m.rec.Labels, route)
		if err != nil {
			return nil, err
		}
		say.add(m, over, q.Muted())
	}
	say.sort()

	var changes []store.Change
	var owed []*claimed
	due := now
	if route != nil {
		// A late flush is that of the last of the times it was due at.
		early := now.Before(head.Grid)
		if !early {
			head.Grid, head.Flushed = nextDue(head.Grid, route.GroupInterval, now), true
		}
		scheduled := head.Grid.Add(-route.GroupInterval)
		if early || len(route.RepeatSchedule) > 0 {
			scheduled = now
		}
		due = head.Grid
		if step := route.nextStep(say.alerts, now); !step.IsZero() && step.Before(due) {
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
		if changes, owed, waiting, err = e.owe(ctx, now, gid, route, scheduled, n, say); err != nil {
			return nil, err
		}
		leaving = slices.DeleteFunc(leaving, func(m member) bool { return slices.Contains(waiting, m.fp) })
	}
	if len(leaving) > removalLimit {
		leaving, due = leaving[:removalLimit], now
	}
	removals, err := e.leave(now, gid, leaving)
	if err != nil {
		return nil, err
	}
	self, err := put(it.Key, head)
	if err != nil {
		return nil, err
	}
	self.Due, self.If = due, store.Unchanged(it)
	if len(leaving) == len(members) {
		self = store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)}
	}
	return owed, e.store.Commit(ctx, now, slices.Concat(changes, removals, []store.Change{self})...)
}

// routed tells whether the configuration of today sends the member's alert to
// the group's route.
func (e *Engine) routed(m member, route *Route) bool {
	return route != nil && slices.Contains(e.route.Match(m.rec.Labels), route)
}

// rehome takes alerts that still fire, but whose route changed with the
// configuration, into the groups where they belong now. They leave this group
// only after that.
func (e *Engine) rehome(ctx context.Context, now time.Time, route *Route, members []member) (moved bool, err error) {
	var strays []*alert.Alert
	for _, m := range members {
		if !e.routed(m, route) && !m.rec.ResolvedAt(now) {
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

// members reads the alerts of a group.
func (e *Engine) members(ctx context.Context, gid string) ([]member, error) {
	prefix := memberPrefix(gid)
	var all []member
	for after := ""; ; {
		page, err := e.store.List(ctx, prefix, after, pageSize)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return all, nil
		}
		after = page[len(page)-1].Key
		keys := make([]string, len(page))
		for i, it := range page {
			keys[i] = "alert/" + it.Key[len(prefix):]
		}
		items, err := e.store.Get(ctx, keys...)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			m := member{item: it}
			ok, err := read(it, &m.rec)
			if err != nil {
				return nil, err
			}
			if !ok || m.rec.Alert == nil {
				return nil, fmt.Errorf("the store holds %s%s but not the alert itself", prefix, it.Key)
			}
			m.fp = m.rec.Fingerprint()
			all = append(all, m)
		}
		if len(page) < pageSize {
			return all, nil
		}
	}
}

// saying is what a group has to say: its alerts, those of them that may be
// spoken of, and the fingerprints of these and of the ones that are kept quiet.
type saying struct {
	all, alerts                  []*alert.Alert
	firing, resolved, quietEnded []alert.Fingerprint
}

func (s *saying) add(m member, over, muted bool) {
	s.all = append(s.all, m.rec.Alert)
	switch {
	case muted && over:
		s.quietEnded = append(s.quietEnded, m.fp)
	case muted:
	case over:
		s.resolved = append(s.resolved, m.fp)
		s.alerts = append(s.alerts, m.rec.Alert)
	default:
		s.firing = append(s.firing, m.fp)
		s.alerts = append(s.alerts, m.rec.Alert)
	}
}

func (s *saying) sort() {
	alert.Sort(s.alerts)
	slices.Sort(s.firing)
	slices.Sort(s.resolved)
}

// owe returns the changes that write, for each integration of the route's
// receiver that must hear of the group now, what it is owed and that it counts
// as told. What is owed is written with the lease held, and returned. The alerts that wait must stay in the group: they ended while they
// were kept quiet, and those who heard of them will be told when that is over.
func (e *Engine) owe(ctx context.Context, now time.Time, gid string, route *Route, scheduled time.Time,
	n alert.Notification, say saying) (changes []store.Change, owed []*claimed, waiting []alert.Fingerprint, err error) {

	receiver := e.receivers[route.Receiver]
	keys := make([]string, len(receiver.Integrations))
	for i, in := range receiver.Integrations {
		keys[i] = logKey(gid, receiver.Name, in)
	}
	if len(keys) == 0 {
		return nil, nil, nil, nil
	}
	logs, err := e.store.Get(ctx, keys...)
	if err != nil {
		return nil, nil, nil, err
	}
	for i, in := range receiver.Integrations {
		last := &logEntry{At: scheduled}
		known, err := read(logs[i], last)
		if err != nil {
			return nil, nil, nil, err
		}
		if !e.upstream && known && last.end(say.quietEnded) {
			waiting = append(waiting, common(last.Ended, say.quietEnded)...)
		} else {
			known = false // nothing of it changed
		}
		reason, send := "none", false
		if len(say.alerts) > 0 {
			repeat := route.repeats(last.At, scheduled, now, say.alerts, e.upstream)
			reason, send = decide(say.firing, say.resolved, last, in.SendResolved, repeat)
		}
		if !send && !known {
			continue
		}
		if send {
			last = &logEntry{Firing: say.firing, Resolved: say.resolved, Ended: common(last.Ended, say.quietEnded), At: scheduled}
		}
		told, err := put(keys[i], last)
		if err != nil {
			return nil, nil, nil, err
		}
		told.Expires = now.Add(logRetention(route))
		changes = append(changes, told)
		if !send {
			continue
		}

		own := n
		own.Reason = reason
		if !in.SendResolved {
			if own.Alerts = n.Firing(); len(own.Alerts) == 0 {
				continue
			}
		}
		lane := digest(gid, receiver.Name, in.name())
		own.ID = fmt.Sprintf("%s-%d", lane, scheduled.UnixMilli())
		since, absorbed, err := e.absorb(ctx, now, lane, &own)
		if err != nil {
			return nil, nil, nil, err
		}
		changes = append(changes, absorbed...)
		for _, entry := range newEntries(own, in, since) {
			held, err := entry.held(now)
			if err != nil {
				return nil, nil, nil, err
			}
			changes, owed = append(changes, held), append(owed, entry)
		}
	}
	return changes, owed, waiting, nil
}

// logRetention is how long it is remembered what was told of a group. A group
// that is flushed writes no entry when it has nothing to say, so that an entry
// must outlive the longest silence between two repetitions.
func logRetention(r *Route) time.Duration {
	longest := r.RepeatInterval
	if n := len(r.RepeatSchedule); n > 0 {
		longest = r.RepeatSchedule[n-1] + scheduleRetention
	}
	return 2*longest + 2*r.GroupInterval + time.Hour
}

// scheduleRetention is how long after the last step of a repeat_schedule a group
// may go on without being said again.
const scheduleRetention = 90 * 24 * time.Hour

// leave returns the changes that take alerts out of a group. An alert that
// changed meanwhile stays: the commit fails and the flush is decided anew.
func (e *Engine) leave(now time.Time, gid string, members []member) ([]store.Change, error) {
	changes := make([]store.Change, 0, 2*len(members))
	for _, m := range members {
		rec := m.rec
		rec.Groups = slices.DeleteFunc(slices.Clone(rec.Groups), func(g string) bool { return g == gid })
		c, err := put(m.item.Key, rec)
		if err != nil {
			return nil, err
		}
		c.If = store.Unchanged(m.item)
		if len(rec.Groups) == 0 && rec.ResolvedAt(now) {
			c.Expires = now.Add(resolvedRetention)
		}
		changes = append(changes, c, store.Change{Key: memberKey(gid, m.fp), Delete: true})
	}
	return changes, nil
}

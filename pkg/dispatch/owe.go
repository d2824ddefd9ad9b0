package dispatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// saying is what a group has to say: its alerts, those of them that may be
// spoken of, and the fingerprints of these and of the ones that are kept quiet.
type groupDiff struct {
	all, alerts                     []*alert.Alert
	firing, resolved, mutedResolved []alert.Fingerprint
	suppressed                      map[string]int // those that are kept quiet, by reason
}

func (s *groupDiff) add(m member, over bool, q MuteStatus) {
	s.all = append(s.all, m.rec.Alert)
	muted := q.Muted()
	if muted {
		if s.suppressed == nil {
			s.suppressed = map[string]int{}
		}
		s.suppressed[q.reason()]++
	}
	switch {
	case muted && over:
		s.mutedResolved = append(s.mutedResolved, m.fp)
	case muted:
	case over:
		s.resolved = append(s.resolved, m.fp)
		s.alerts = append(s.alerts, m.rec.Alert)
	default:
		s.firing = append(s.firing, m.fp)
		s.alerts = append(s.alerts, m.rec.Alert)
	}
}

func (s *groupDiff) sort() {
	alert.Sort(s.alerts)
	slices.Sort(s.firing)
	slices.Sort(s.resolved)
}

// owe returns the changes that write, for each integration of the route's
// receiver that must hear of the group now, what it is owed and that it counts
// as told. What is owed is written with the lease held, and returned. The alerts
// that wait must stay in the group: they ended while they were kept quiet, and
// those who heard of them will be told when that is over.
func (e *Engine) enqueue(ctx context.Context, now time.Time, gid string, route *Route, scheduled time.Time,
	n alert.Notification, say groupDiff) (changes []store.Change, owed []*leased, waiting []alert.Fingerprint, err error) {

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
			e.log.Error("cannot read what an integration was told; it is told anew", "key", keys[i], "err", err)
			last = &logEntry{At: scheduled}
		}
		if !e.upstream && known && last.muteResolved(say.mutedResolved) {
			waiting = append(waiting, intersection(last.MutedResolved, say.mutedResolved)...)
		} else {
			known = false // nothing of it changed
		}
		reason, send := "none", false
		if len(say.alerts) > 0 {
			repeat := route.repeatDue(last.At, scheduled, now, say.alerts, e.upstream)
			reason, send = dedup(say.firing, say.resolved, last, in.SendResolved, repeat)
		}
		if !send && !known {
			continue
		}
		if send {
			last = &logEntry{Firing: say.firing, Resolved: say.resolved, MutedResolved: intersection(last.MutedResolved, say.mutedResolved), At: scheduled}
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
		since, absorbed, err := e.coalesce(ctx, now, lane, &own)
		if err != nil {
			return nil, nil, nil, err
		}
		changes = append(changes, absorbed...)
		for _, entry := range newEntries(own, in, since) {
			held, err := entry.lease(now)
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
func (e *Engine) removeMembers(now time.Time, gid string, members []member) ([]store.Change, error) {
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

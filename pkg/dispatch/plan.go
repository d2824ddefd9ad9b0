package dispatch

import (
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
)

// maxRemovals is the maximum number of alerts that one flush removes from its
// group. If there are more, the group is due again at once.
const maxRemovals = 2000

// flushPlan is the decision of a flush.
type flushPlan struct {
	// onlyDue means that nothing is written but the header's due time.
	onlyDue bool
	due     time.Time

	header    header
	scheduled time.Time // the time of this flush for repetitions and IDs
	notify    []plannedNotification
	logs      []plannedLog
	remove    []member
	markMuted []*member // they are muted and were never notified
	// deleteGroup means that no member is left.
	deleteGroup bool
	suppressed  map[string]int // muted alerts by reason
}

type plannedNotification struct {
	receiver    string
	integration outbox.Integration
	reason      string
	alerts      []*alert.Alert
}

type plannedLog struct {
	log    integrationLog
	entry  logEntry
	delete bool
}

// plan decides the flush of a group at now. It is pure: it reads and changes
// nothing but its result. upstream is Config.Upstream.
func plan(g *group, now time.Time, upstream bool) flushPlan {
	diff := diffGroup(g.members, now)
	p := flushPlan{header: g.header, due: now.Add(route.DefaultGroupInterval), scheduled: now, suppressed: diff.suppressed}
	p.markMuted = g.newlyMuted(diff.mutedFiring)
	if r := g.route; r != nil {
		early := p.schedule(r, diff.alerts, now)
		if early && len(diff.firing) > 0 && len(r.RepeatSchedule) == 0 {
			return planEarly(g, now, p.due)
		}
		if !early && !upstream && len(diff.firing) == 0 && len(diff.mutedFiring) > 0 && !g.wasNotified() {
			p.recheck(r, now)
		} else {
			p.header.MutedSince = time.Time{}
		}
	}
	kept := map[alert.Fingerprint]bool{}
	for _, l := range g.logs {
		var waiting []alert.Fingerprint
		if l.former {
			waiting = p.planFormer(l, diff, now)
		} else {
			waiting = p.planIntegration(g.route, l, diff, now, upstream)
		}
		for _, fp := range waiting {
			kept[fp] = true
		}
	}
	p.planRemovals(g, func(m *member) bool { return kept[m.fp] }, now)
	return p
}

// planEarly plans an early flush without notifications. An alert of a resolved_at_once
// route resolved while others still fire, or the last flush could not remove all alerts.
func planEarly(g *group, now, due time.Time) flushPlan {
	p := flushPlan{header: g.header, due: due}
	p.planRemovals(g, func(m *member) bool {
		waiting := func(l integrationLog) bool { return l.last != nil && l.last.includes(m.fp) }
		notified := func(l integrationLog) bool {
			if l.last == nil {
				return false
			}
			_, found := slices.BinarySearch(l.last.Resolved, m.fp)
			return found
		}
		return slices.ContainsFunc(g.logs, waiting) || !slices.ContainsFunc(g.logs, notified)
	}, now)
	p.onlyDue = len(p.remove) == 0
	return p
}

// schedule sets the header's next flush, the scheduled time of this one and the
// next due time. It reports whether this flush is early: before the next regular
// one, because of repeat_schedule or resolved_at_once.
func (p *flushPlan) schedule(r *route.Route, alerts []*alert.Alert, now time.Time) (early bool) {
	h := &p.header
	// The store keeps due times to the millisecond. A finer one would make the group
	// due in the store and early here, again and again.
	h.NextFlush = h.NextFlush.Truncate(time.Millisecond)
	if early = now.Before(h.NextFlush); !early {
		h.NextFlush, h.Flushed = nextFlush(h.NextFlush, r.GroupInterval, now), true
	}
	// A late flush counts as the last one that was due.
	p.scheduled = h.NextFlush.Add(-r.GroupInterval)
	if early || len(r.RepeatSchedule) > 0 {
		p.scheduled = now
	}
	p.due = h.NextFlush
	if t := nextRepeat(r, alerts, now); !t.IsZero() && t.Before(p.due) {
		p.due = t
	}
	return early
}

// minRecheck and maxRecheck bound the time between two flushes of a group that waits for
// its first notification because its alerts are muted, unless group_wait is longer. It
// grows with the time for which they have been.
const minRecheck, maxRecheck = time.Second, 5 * time.Second

// recheck makes the group due again after group_wait: all its alerts are muted, and
// none was ever notified. The store has no event for the end of a silence, an
// inhibition or an interval. group_interval starts with the first notification.
func (p *flushPlan) recheck(r *route.Route, now time.Time) {
	if p.header.MutedSince.IsZero() {
		p.header.MutedSince = now
	}
	wait := min(max(now.Sub(p.header.MutedSince)/2, minRecheck), maxRecheck)
	wait = min(max(wait, r.GroupWait), r.GroupInterval)
	p.header.NextFlush, p.header.Flushed = now.Add(wait).Truncate(time.Millisecond), false
	p.due, p.scheduled = p.header.NextFlush, now
	if len(p.markMuted) == 0 {
		p.suppressed = nil // counted before
	}
}

// wasNotified reports whether any integration was ever notified of the group.
func (g *group) wasNotified() bool {
	return slices.ContainsFunc(g.logs, func(l integrationLog) bool { return l.last != nil })
}

// newlyMuted returns those of the muted members that are not marked as such and that
// no integration was notified of, as many as one flush writes.
func (g *group) newlyMuted(muted []*member) (unmarked []*member) {
	for _, m := range muted {
		notified := func(l integrationLog) bool { return l.last != nil && l.last.includes(m.fp) }
		if !m.wasMuted && !slices.ContainsFunc(g.logs, notified) && len(unmarked) < maxRemovals {
			unmarked = append(unmarked, m)
		}
	}
	return unmarked
}

// planRemovals plans the removal of the members that have resolved or belong to
// other groups, except those that keep reports.
func (p *flushPlan) planRemovals(g *group, keep func(*member) bool, now time.Time) {
	for _, m := range g.members {
		if m.routed && !m.rec.ResolvedAt(now) || keep(&m) {
			continue
		}
		if len(p.remove) == maxRemovals {
			p.due = now
			return
		}
		p.remove = append(p.remove, m)
	}
	p.deleteGroup = len(p.remove) == len(g.members) && !g.incomplete
}

// nextFlush returns the first time after now of the schedule that continues due by
// interval.
func nextFlush(due time.Time, interval time.Duration, now time.Time) time.Time {
	missed := now.Sub(due) / interval
	return due.Add((missed + 1) * interval)
}

// nextRepeat returns the first time after now at which one of the alerts reaches an
// age of the route's schedule, or zero for never.
func nextRepeat(r *route.Route, alerts []*alert.Alert, now time.Time) (next time.Time) {
	for _, a := range alerts {
		if a.ResolvedAt(now) {
			continue
		}
		for _, age := range r.RepeatSchedule {
			if t := reachesAge(a, age); t.After(now) {
				if next.IsZero() || t.Before(next) {
					next = t
				}
				break
			}
		}
	}
	return next
}

// reachesAge returns when an alert reaches an age, to the millisecond, as the store
// keeps due times.
func reachesAge(a *alert.Alert, age time.Duration) time.Time {
	return a.StartsAt.Add(age).Truncate(time.Millisecond)
}

// groupDiff splits the members of a group that its route matches by what may be
// notified of them.
type groupDiff struct {
	alerts           []*alert.Alert      // not muted, in Alertmanager's order
	firing, resolved []alert.Fingerprint // of alerts, sorted
	mutedResolved    []alert.Fingerprint // muted and resolved
	mutedFiring      []*member           // muted and firing
	suppressed       map[string]int      // number of muted ones by reason

	members  map[alert.Fingerprint]*member // all
	departed map[alert.Fingerprint]*member // those that belong to other groups
}

func diffGroup(members []member, now time.Time) (d groupDiff) {
	d.suppressed = map[string]int{}
	d.members = make(map[alert.Fingerprint]*member, len(members))
	d.departed = map[alert.Fingerprint]*member{}
	for i := range members {
		m := &members[i]
		d.members[m.fp] = m
		if !m.routed {
			d.departed[m.fp] = m
			continue
		}
		resolved := m.rec.ResolvedAt(now)
		if m.mute.Muted() {
			d.suppressed[m.mute.reason()]++
			if resolved {
				d.mutedResolved = append(d.mutedResolved, m.fp)
			} else {
				d.mutedFiring = append(d.mutedFiring, m)
			}
			continue
		}
		d.alerts = append(d.alerts, m.rec.Alert)
		if resolved {
			d.resolved = append(d.resolved, m.fp)
		} else {
			d.firing = append(d.firing, m.fp)
		}
	}
	alert.Sort(d.alerts)
	slices.Sort(d.firing)
	slices.Sort(d.resolved)
	return d
}

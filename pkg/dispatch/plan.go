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
	// deleteGroup means that no member is left.
	deleteGroup bool
	suppressed  map[string]int // muted alerts by reason
}

type plannedNotification struct {
	integration outbox.Integration
	reason      string
	alerts      []*alert.Alert
}

type plannedLog struct {
	integration outbox.Integration
	entry       logEntry
}

// plan decides the flush of a group at now. It is pure: it reads and changes
// nothing but its result. upstream is Config.Upstream.
func plan(g *group, now time.Time, upstream bool) flushPlan {
	diff := diffGroup(g.members, now)
	// A group without a route that cannot be deleted yet is tried again later.
	p := flushPlan{header: g.header, due: now.Add(route.DefaultGroupInterval), suppressed: diff.suppressed}
	var waiting []alert.Fingerprint
	if r := g.route; r != nil {
		early := p.schedule(r, diff.alerts, now)
		if early && len(diff.firing) > 0 && len(r.RepeatSchedule) == 0 {
			// An alert of a resolved_at_once route resolved, but others still fire.
			return flushPlan{onlyDue: true, due: p.due}
		}
		for _, l := range g.logs {
			waiting = append(waiting, p.planIntegration(r, l, diff, now, upstream)...)
		}
	}
	p.planRemovals(g, waiting, now)
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

// planIntegration plans what an integration is notified of and what is logged. It
// returns the alerts that must stay in the group: they resolved while they were
// muted, and the integration is to be notified of that once they are not.
func (p *flushPlan) planIntegration(r *route.Route, l integrationLog, diff groupDiff, now time.Time, upstream bool) (waiting []alert.Fingerprint) {
	last := logEntry{At: p.scheduled}
	if l.last != nil {
		last = *l.last
		if !upstream {
			last, waiting = last.recordMutedResolved(diff.mutedResolved)
		}
	}
	reason := reasonNone
	if len(diff.alerts) > 0 {
		repeat := repeatDue(r, last.At, p.scheduled, now, diff.alerts, upstream)
		reason = dedup(diff.firing, diff.resolved, last, l.integration.SendResolved, repeat)
	}
	if reason == reasonNone {
		if len(waiting) > 0 {
			p.logs = append(p.logs, plannedLog{l.integration, last})
		}
		return waiting
	}
	p.logs = append(p.logs, plannedLog{l.integration, logEntry{
		Firing: diff.firing, Resolved: diff.resolved, MutedResolved: intersection(last.MutedResolved, diff.mutedResolved), At: p.scheduled,
	}})
	alerts := l.integration.AlertsOf(&alert.Notification{Alerts: diff.alerts, At: now})
	if len(alerts) > 0 {
		p.notify = append(p.notify, plannedNotification{l.integration, reason, alerts})
	}
	return waiting
}

// planRemovals plans the removal of the members that have resolved or belong to
// other groups, except those that wait.
func (p *flushPlan) planRemovals(g *group, waiting []alert.Fingerprint, now time.Time) {
	for _, m := range g.members {
		if m.routed && !m.rec.ResolvedAt(now) || slices.Contains(waiting, m.fp) {
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

// groupDiff splits the members of a group that its route matches by what may be
// notified of them.
type groupDiff struct {
	alerts           []*alert.Alert      // not muted, in Alertmanager's order
	firing, resolved []alert.Fingerprint // of alerts, sorted
	mutedResolved    []alert.Fingerprint // muted and resolved
	suppressed       map[string]int      // number of muted ones by reason
}

func diffGroup(members []member, now time.Time) (d groupDiff) {
	d.suppressed = map[string]int{}
	for _, m := range members {
		if !m.routed {
			continue
		}
		resolved := m.rec.ResolvedAt(now)
		if m.mute.Muted() {
			d.suppressed[m.mute.reason()]++
			if resolved {
				d.mutedResolved = append(d.mutedResolved, m.fp)
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

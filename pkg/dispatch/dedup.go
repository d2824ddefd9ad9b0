package dispatch

import (
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/route"
)

// Alertmanager's reasons for a notification besides those in package alert.
const (
	reasonNone         = "none" // no notification
	reasonAllResolved  = "all alerts resolved"
	reasonSomeResolved = "some alerts resolved"
	reasonRepeat       = "repeat interval elapsed"
)

// planIntegration plans the notification of an integration and its log entry. It
// returns the alerts that must stay in the group because the integration is still to
// be notified that they resolved: they resolved while they were muted, or fire and
// belong to groups that do not notify it.
func (p *flushPlan) planIntegration(r *route.Route, l integrationLog, diff groupDiff, now time.Time, upstream bool) (waiting []alert.Fingerprint) {
	last := logEntry{At: p.scheduled}
	var ended []*alert.Alert
	var departed []alert.Fingerprint
	wasAhead := l.last != nil && l.last.At.After(now) // it was written by a clock that was ahead
	if l.last != nil {
		last = *l.last
		if wasAhead {
			last.At = p.scheduled
		}
		ended, departed = l.ends(diff.departed, now)
		if len(ended)+len(departed) > 0 {
			last = last.without(diff.departed)
		}
		if upstream {
			last.Muted = nil
		} else {
			last, waiting = last.recordMutedResolved(diff.mutedResolved)
		}
	}
	reason := reasonNone
	if len(diff.alerts) > 0 {
		repeat := repeatDue(r, last.At, p.scheduled, now, diff.alerts, upstream)
		resolved := diff.resolved
		if !upstream {
			resolved = diff.withoutMuted(last)
		}
		reason = dedup(diff.firing, resolved, last, l.integration.SendResolved, repeat)
	}
	write := wasAhead || len(waiting)+len(departed)+len(ended) > 0
	waiting = append(waiting, departed...)
	next, alerts := last, ended
	switch {
	case reason != reasonNone:
		next = logEntry{Firing: diff.firing, Resolved: diff.resolved, At: p.scheduled}
		if !upstream {
			next.Muted = diff.mutedOf(last)
		}
		alerts = slices.Concat(diff.alerts, ended)
		alert.Sort(alerts)
	case len(ended) > 0 && len(diff.firing) > 0:
		reason = reasonSomeResolved
	case len(ended) > 0:
		reason = reasonAllResolved
	case !write:
		return waiting
	}
	next.Firing = slices.Concat(next.Firing, departed)
	slices.Sort(next.Firing)
	p.logs = append(p.logs, plannedLog{log: l, entry: next})
	p.notifyOf(l, reason, alerts, now)
	return waiting
}

// planFormer plans that a former integration is notified of the ends of alerts that
// it was notified of. It returns the alerts that must stay in the group for it.
func (p *flushPlan) planFormer(l integrationLog, diff groupDiff, now time.Time) (waiting []alert.Fingerprint) {
	ended, waiting := l.ends(diff.members, now)
	reason := reasonAllResolved
	if len(waiting) > 0 {
		reason = reasonSomeResolved
	}
	next := *l.last
	next.Firing, next.Muted = waiting, nil
	p.logs = append(p.logs, plannedLog{log: l, entry: next, delete: len(waiting) == 0})
	p.notifyOf(l, reason, ended, now)
	return waiting
}

// notifyOf plans a notification, if the integration is notified of any of the alerts.
func (p *flushPlan) notifyOf(l integrationLog, reason string, alerts []*alert.Alert, now time.Time) {
	alerts = l.integration.AlertsOf(&alert.Notification{Alerts: alerts, At: now})
	if len(alerts) > 0 {
		p.notify = append(p.notify, plannedNotification{l.receiver, l.integration, reason, alerts})
	}
}

// ends returns those of the members that were notified as firing and of whose end
// the integration is to be notified now, and, sorted, those for which that is still
// to come: they fire or are muted.
func (l integrationLog) ends(members map[alert.Fingerprint]*member, now time.Time) (ended []*alert.Alert, waiting []alert.Fingerprint) {
	if len(members) == 0 {
		return nil, nil
	}
	for _, fp := range slices.Concat(l.last.Firing, l.last.Muted) {
		m := members[fp]
		switch {
		case m == nil:
		case !m.rec.ResolvedAt(now) || m.mute.Muted():
			waiting = append(waiting, fp)
		default:
			ended = append(ended, m.rec.Alert)
		}
	}
	slices.Sort(waiting)
	alert.Sort(ended)
	return ended, waiting
}

// without returns the entry without these members.
func (l logEntry) without(members map[alert.Fingerprint]*member) logEntry {
	isMember := func(fp alert.Fingerprint) bool { return members[fp] != nil }
	l.Firing = slices.DeleteFunc(slices.Clone(l.Firing), isMember)
	l.Muted = slices.DeleteFunc(slices.Clone(l.Muted), isMember)
	return l
}

// withoutMuted returns the resolved alerts whose end is a reason for a notification:
// all but those that were muted at a flush and never notified as firing.
func (d groupDiff) withoutMuted(last logEntry) []alert.Fingerprint {
	return slices.DeleteFunc(slices.Clone(d.resolved), func(fp alert.Fingerprint) bool {
		return d.members[fp].wasMuted && !last.includes(fp)
	})
}

// mutedOf returns the muted alerts that the integration was notified of as firing.
func (d groupDiff) mutedOf(last logEntry) (muted []alert.Fingerprint) {
	muted = slices.Clone(d.mutedResolved)
	for _, m := range d.mutedFiring {
		muted = append(muted, m.fp)
	}
	muted = slices.DeleteFunc(muted, func(fp alert.Fingerprint) bool { return !last.includes(fp) })
	slices.Sort(muted)
	return muted
}

// includes reports whether the integration was notified that the alert fires.
func (l logEntry) includes(fp alert.Fingerprint) bool {
	return isSubset([]alert.Fingerprint{fp}, l.Firing) || isSubset([]alert.Fingerprint{fp}, l.Muted)
}

// dedup is Alertmanager's deduplication: it returns why an integration is notified,
// or reasonNone. firing and resolved are the group's alerts that are not muted,
// sorted; repeat is whether a repetition is due.
//
// Unlike Alertmanager's, it notifies that alerts have resolved which were muted at
// that time, as far as last has them.
func dedup(firing, resolved []alert.Fingerprint, last logEntry, sendResolved, repeat bool) (reason string) {
	unmutedResolved := len(intersection(last.Muted, resolved)) > 0
	switch {
	case !isSubset(firing, last.Firing):
		if len(last.Firing) == 0 {
			return alert.ReasonFirst
		}
		return alert.ReasonNewAlerts
	case len(firing) == 0 && len(last.Firing) == 0 && !unmutedResolved:
		return reasonNone
	case len(firing) == 0:
		return reasonAllResolved
	case sendResolved && !isSubset(resolved, last.Resolved):
		return reasonSomeResolved
	case repeat:
		return reasonRepeat
	default:
		return reasonNone
	}
}

// recordMutedResolved returns the entry after alerts have resolved while muted, and
// those of them that are still to be notified as resolved.
func (l logEntry) recordMutedResolved(muted []alert.Fingerprint) (next logEntry, waiting []alert.Fingerprint) {
	next = l
	next.Firing, next.Muted = slices.Clone(l.Firing), slices.Clone(l.Muted)
	for _, fp := range muted {
		if i, ok := slices.BinarySearch(next.Firing, fp); ok {
			next.Firing = slices.Delete(next.Firing, i, i+1)
			next.Muted = append(next.Muted, fp)
		}
	}
	slices.Sort(next.Muted)
	return next, intersection(next.Muted, muted)
}

// repeatScheduleRetention is how long a group may go on after the last age of a
// repeat_schedule without a notification.
const repeatScheduleRetention = 90 * 24 * time.Hour

// retention returns how long the entry is kept: logRetention, and longer while the end
// of an alert is still to be notified, so that it outlasts outages and a clock that is
// ahead for a while.
func (l logEntry) retention(r *route.Route) time.Duration {
	if len(l.Firing)+len(l.Muted) > 0 {
		return logRetention(r) + outageRetention
	}
	return logRetention(r)
}

// logRetention returns how long a log entry of the route is kept. A flush that does
// not notify does not write one, so that it must outlast the longest time between
// two repetitions. Without a route it outlasts the flushes of the group.
func logRetention(r *route.Route) time.Duration {
	if r == nil {
		return 2*route.DefaultGroupInterval + time.Hour
	}
	longest := r.RepeatInterval
	if n := len(r.RepeatSchedule); n > 0 {
		longest = r.RepeatSchedule[n-1] + repeatScheduleRetention
	}
	return 2*longest + 2*r.GroupInterval + time.Hour
}

// repeatDue reports whether the last notification of a route, scheduled for last,
// is to be repeated by the flush at now that was scheduled for scheduled.
//
// A repetition is due when repeat_interval has elapsed. Alertmanager requires more
// than that, so that it is one group_interval late whenever repeat_interval is a
// multiple of it; upstream restores this.
func repeatDue(r *route.Route, last, scheduled, now time.Time, alerts []*alert.Alert, upstream bool) bool {
	if len(r.RepeatSchedule) == 0 {
		age := scheduled.Sub(last)
		return age > r.RepeatInterval || age == r.RepeatInterval && !upstream
	}
	for _, a := range alerts {
		for _, age := range r.RepeatSchedule {
			if t := reachesAge(a, age); t.After(last) && !t.After(now) && !a.ResolvedAt(now) {
				return true
			}
		}
	}
	return false
}

// intersection returns the fingerprints of a that are in b, in the order of a.
func intersection(a, b []alert.Fingerprint) []alert.Fingerprint {
	if len(a) == 0 {
		return nil
	}
	inB := make(map[alert.Fingerprint]bool, len(b))
	for _, fp := range b {
		inB[fp] = true
	}
	var both []alert.Fingerprint
	for _, fp := range a {
		if inB[fp] {
			both = append(both, fp)
		}
	}
	return both
}

// isSubset reports whether whole, which is sorted, contains all of part.
func isSubset(part, whole []alert.Fingerprint) bool {
	for _, fp := range part {
		if _, ok := slices.BinarySearch(whole, fp); !ok {
			return false
		}
	}
	return true
}

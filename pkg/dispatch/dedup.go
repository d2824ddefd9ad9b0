package dispatch

import (
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/route"
)

// Alertmanager's reasons for a notification.
const (
	reasonNone         = "none" // no notification
	reasonFirst        = "first notification"
	reasonNewAlerts    = "new alerts added"
	reasonAllResolved  = "all alerts resolved"
	reasonSomeResolved = "some alerts resolved"
	reasonRepeat       = "repeat interval elapsed"
)

// logEntry records the last notification of a group to an integration:
// Alertmanager's notification log.
type logEntry struct {
	Firing   []alert.Fingerprint `json:"firing,omitempty"`
	Resolved []alert.Fingerprint `json:"resolved,omitempty"`
	// MutedResolved are alerts that were notified as firing and have resolved since,
	// while they were muted. They do not count as firing, so that they are notified
	// when they fire again, and are still to be notified as resolved.
	MutedResolved []alert.Fingerprint `json:"ended,omitempty"`
	// At is the scheduled time of the flush.
	At time.Time `json:"at"`
}

// planIntegration plans the notification of an integration and its log entry. It
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

// dedup is Alertmanager's deduplication: it returns why an integration is notified,
// or reasonNone. firing and resolved are the group's alerts that are not muted,
// sorted; repeat is whether a repetition is due.
//
// Unlike Alertmanager's, it notifies that alerts have resolved which were muted at
// that time, as far as last has them.
func dedup(firing, resolved []alert.Fingerprint, last logEntry, sendResolved, repeat bool) (reason string) {
	unmutedResolved := len(intersection(last.MutedResolved, resolved)) > 0
	switch {
	case !isSubset(firing, last.Firing):
		if len(last.Firing) == 0 {
			return reasonFirst
		}
		return reasonNewAlerts
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
	next.Firing, next.MutedResolved = slices.Clone(l.Firing), slices.Clone(l.MutedResolved)
	for _, fp := range muted {
		if i, ok := slices.BinarySearch(next.Firing, fp); ok {
			next.Firing = slices.Delete(next.Firing, i, i+1)
			next.MutedResolved = append(next.MutedResolved, fp)
		}
	}
	slices.Sort(next.MutedResolved)
	return next, intersection(next.MutedResolved, muted)
}

// repeatScheduleRetention is how long a group may go on after the last age of a
// repeat_schedule without a notification.
const repeatScheduleRetention = 90 * 24 * time.Hour

// logRetention returns how long a log entry of the route is kept. A flush that does
// not notify does not write one, so that it must outlast the longest time between
// two repetitions.
func logRetention(r *route.Route) time.Duration {
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

func intersection(a, b []alert.Fingerprint) []alert.Fingerprint {
	var both []alert.Fingerprint
	for _, fp := range a {
		if slices.Contains(b, fp) {
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

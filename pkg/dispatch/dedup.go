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

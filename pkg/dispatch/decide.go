package dispatch

import (
	"slices"
	"time"

	"tocsin/pkg/alert"
)

// decide is Alertmanager's de-duplication: whether an integration must hear of
// a group now, and why, in Alertmanager's words. firing and resolved are the
// group's alerts, sorted; last is what the integration heard before; repeat
// tells that it is time to say it again.
//
// One thing differs unless the log is kept as Alertmanager keeps it: an alert
// that ended while it was kept quiet is still to be announced as over.
func dedup(firing, resolved []alert.Fingerprint, last *logEntry, sendResolved, repeat bool) (reason string, send bool) {
	ended := len(intersection(last.MutedResolved, resolved)) > 0
	switch {
	case !isSubset(firing, last.Firing):
		if len(last.Firing) == 0 {
			return "first notification", true
		}
		return "new alerts added", true
	case len(firing) == 0 && len(last.Firing) == 0 && !ended:
		return "none", false
	case len(firing) == 0:
		return "all alerts resolved", true
	case sendResolved && !isSubset(resolved, last.Resolved):
		return "some alerts resolved", true
	case repeat:
		return "repeat interval elapsed", true
	default:
		return "none", false
	}
}

// repeats tells whether what a route's receiver was told at a time is to be said
// again at now, the flush that was scheduled for at.
//
// A repetition is due when repeat_interval has passed. Alertmanager wants it to
// have passed by more than nothing, and so comes one group_interval late whenever
// it is a multiple of that; upstream restores this.
func (r *Route) repeatDue(told, at, now time.Time, alerts []*alert.Alert, upstream bool) bool {
	if len(r.RepeatSchedule) == 0 {
		age := at.Sub(told)
		return age > r.RepeatInterval || age == r.RepeatInterval && !upstream
	}
	for _, a := range alerts {
		for _, age := range r.RepeatSchedule {
			if step := reachesAge(a, age); step.After(told) && !step.After(now) && !a.ResolvedAt(now) {
				return true
			}
		}
	}
	return false
}

// reaches is when an alert gets to an age, to the millisecond as the store knows
// it.
func reachesAge(a *alert.Alert, age time.Duration) time.Time {
	return a.StartsAt.Add(age).Truncate(time.Millisecond)
}

// nextStep is the first time after now at which an alert reaches an age of the
// route's schedule, zero for never.
func (r *Route) nextRepeat(alerts []*alert.Alert, now time.Time) (next time.Time) {
	for _, a := range alerts {
		for _, age := range r.RepeatSchedule {
			if step := reachesAge(a, age); step.After(now) && !a.ResolvedAt(now) {
				if next.IsZero() || step.Before(next) {
					next = step
				}
				break
			}
		}
	}
	return next
}

// logEntry is what an integration was last told of a group: Alertmanager's
// notification log.
type logEntry struct {
	Firing   []alert.Fingerprint `json:"firing,omitempty"`
	Resolved []alert.Fingerprint `json:"resolved,omitempty"`
	// Ended are alerts that were told as firing and have ended since, while they
	// were kept quiet. They do not count as firing, so that they are told when
	// they fire again, and are to be told as resolved when they may be.
	MutedResolved []alert.Fingerprint `json:"ended,omitempty"`
	// At is the scheduled time of the flush that told it.
	At time.Time `json:"at"`
}

// end notes that alerts ended unannounced, and tells whether that concerns the
// integration.
func (e *logEntry) muteResolved(quiet []alert.Fingerprint) bool {
	for _, fp := range quiet {
		if i, ok := slices.BinarySearch(e.Firing, fp); ok {
			e.Firing = slices.Delete(e.Firing, i, i+1)
			e.MutedResolved = append(e.MutedResolved, fp)
		}
	}
	slices.Sort(e.MutedResolved)
	return len(intersection(e.MutedResolved, quiet)) > 0
}

// common returns what is in both lists.
func intersection(a, b []alert.Fingerprint) []alert.Fingerprint {
	var both []alert.Fingerprint
	for _, fp := range a {
		if slices.Contains(b, fp) {
			both = append(both, fp)
		}
	}
	return both
}

func isSubset(part, whole []alert.Fingerprint) bool {
	for _, fp := range part {
		if _, ok := slices.BinarySearch(whole, fp); !ok {
			return false
		}
	}
	return true
}

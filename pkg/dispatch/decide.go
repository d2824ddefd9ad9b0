package dispatch

import (
	"slices"
	"time"

	"tocsin/pkg/alert"
)

// decide is Alertmanager's de-duplication: whether an integration must hear of
// a group now, and why, in Alertmanager's words. firing and resolved are the
// group's alerts, sorted; last is what the integration heard before; at is the
// flush's scheduled time.
//
// Two things differ unless upstream is set. A repetition is due when repeat has
// passed, where Alertmanager wants it to have passed by more than nothing and so
// comes one group_interval late whenever repeat is a multiple of it. And an alert
// that ended while it was kept quiet is still to be announced as over.
func decide(firing, resolved []alert.Fingerprint, last *logEntry, sendResolved bool, repeat time.Duration, at time.Time, upstream bool) (reason string, send bool) {
	ended := len(common(last.Ended, resolved)) > 0
	age := at.Sub(last.At)
	switch {
	case !subset(firing, last.Firing):
		if len(last.Firing) == 0 {
			return "first notification", true
		}
		return "new alerts added", true
	case len(firing) == 0 && len(last.Firing) == 0 && !ended:
		return "none", false
	case len(firing) == 0:
		return "all alerts resolved", true
	case sendResolved && !subset(resolved, last.Resolved):
		return "some alerts resolved", true
	case age > repeat, age == repeat && !upstream:
		return "repeat interval elapsed", true
	default:
		return "none", false
	}
}

// logEntry is what an integration was last told of a group: Alertmanager's
// notification log.
type logEntry struct {
	Firing   []alert.Fingerprint `json:"firing,omitempty"`
	Resolved []alert.Fingerprint `json:"resolved,omitempty"`
	// Ended are alerts that were told as firing and have ended since, while they
	// were kept quiet. They do not count as firing, so that they are told when
	// they fire again, and are to be told as resolved when they may be.
	Ended []alert.Fingerprint `json:"ended,omitempty"`
	// At is the scheduled time of the flush that told it.
	At time.Time `json:"at"`
}

// end notes that alerts ended unannounced, and tells whether that concerns the
// integration.
func (e *logEntry) end(quiet []alert.Fingerprint) bool {
	for _, fp := range quiet {
		if i, ok := slices.BinarySearch(e.Firing, fp); ok {
			e.Firing = slices.Delete(e.Firing, i, i+1)
			e.Ended = append(e.Ended, fp)
		}
	}
	slices.Sort(e.Ended)
	return len(common(e.Ended, quiet)) > 0
}

// common returns what is in both lists.
func common(a, b []alert.Fingerprint) []alert.Fingerprint {
	var both []alert.Fingerprint
	for _, fp := range a {
		if slices.Contains(b, fp) {
			both = append(both, fp)
		}
	}
	return both
}

func subset(part, whole []alert.Fingerprint) bool {
	for _, fp := range part {
		if _, ok := slices.BinarySearch(whole, fp); !ok {
			return false
		}
	}
	return true
}

package dispatch

import (
	"time"

	"tocsin/pkg/alert"
)

// decide is Alertmanager's de-duplication: whether an integration must hear of
// a group now, and why, in Alertmanager's words. firing and resolved are the
// group's alerts, sorted; last is what the integration heard before, nil for
// nothing; at is the flush's scheduled time.
//
// One thing differs on purpose: a repetition is due when repeat has passed, where
// Alertmanager wants it to have passed by more than nothing and so comes one
// group_interval late whenever repeat is a multiple of it.
func decide(firing, resolved []alert.Fingerprint, last *logEntry, sendResolved bool, repeat time.Duration, at time.Time) (reason string, send bool) {
	if last == nil {
		last = &logEntry{At: at}
	}
	switch {
	case !subset(firing, last.Firing):
		if len(last.Firing) == 0 {
			return "first notification", true
		}
		return "new alerts added", true
	case len(firing) == 0 && len(last.Firing) == 0:
		return "none", false
	case len(firing) == 0:
		return "all alerts resolved", true
	case sendResolved && !subset(resolved, last.Resolved):
		return "some alerts resolved", true
	case at.Sub(last.At) >= repeat:
		return "repeat interval elapsed", true
	default:
		return "none", false
	}
}

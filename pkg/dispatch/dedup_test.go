package dispatch

import (
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/route"
)

// set returns sorted fingerprints; the arguments are in order.
func set(fps ...alert.Fingerprint) []alert.Fingerprint { return fps }

// TestDedup has the rows of Alertmanager's deduplication in its order, and Tocsin's
// own for alerts that resolve while they are muted.
func TestDedup(t *testing.T) {
	const hour = time.Hour
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	last := func(age time.Duration, firing, resolved []alert.Fingerprint) logEntry {
		return logEntry{Firing: firing, Resolved: resolved, At: now.Add(-age)}
	}
	none := logEntry{At: now}
	for _, test := range []struct {
		name             string
		firing, resolved []alert.Fingerprint
		last             logEntry
		noResolved       bool // send_resolved: false
		upstream         bool
		want             string
	}{
		{"no log, firing", set(1), nil, none, false, false, "first notification"},
		{"no log, resolved", nil, set(1), none, false, false, "none"},
		{"nothing fired before", set(1), nil, last(1, nil, set(1)), false, false, "first notification"},
		{"one more fires", set(1, 2), nil, last(1, set(1), nil), false, false, "new alerts added"},
		{"another one fires", set(2), set(1), last(1, set(1), nil), false, false, "new alerts added"},
		{"all resolved", nil, set(1), last(1, set(1), nil), false, false, "all alerts resolved"},
		{"all resolved, send_resolved off", nil, set(1), last(1, set(1), nil), true, false, "all alerts resolved"},
		{"all resolved and notified", nil, set(1), last(2*hour, nil, set(1)), false, false, "none"},
		{"some resolved", set(1), set(2), last(1, set(1, 2), nil), false, false, "some alerts resolved"},
		{"some resolved, send_resolved off", set(1), set(2), last(1, set(1, 2), nil), true, false, "none"},
		{"some resolved and notified", set(1), set(2), last(1, set(1, 2), set(2, 3)), false, false, "none"},
		{"fewer fire, none resolved", set(1), nil, last(1, set(1, 2), nil), false, false, "none"},
		{"before repeat_interval", set(1), nil, last(hour-1, set(1), nil), false, false, "none"},
		{"at repeat_interval, Alertmanager", set(1), nil, last(hour, set(1), nil), false, true, "none"},
		{"after repeat_interval, Alertmanager", set(1), nil, last(hour+1, set(1), nil), false, true, "repeat interval elapsed"},
		{"at repeat_interval", set(1), nil, last(hour, set(1), nil), false, false, "repeat interval elapsed"},
		{"resolved while muted, not muted any more", nil, set(1), logEntry{Muted: set(1), At: now}, false, false, "all alerts resolved"},
		{"resolved while muted, fires again", set(1), nil, logEntry{Firing: set(2), Muted: set(1), At: now}, false, false, "new alerts added"},
	} {
		t.Run(test.name, func(t *testing.T) {
			repeat := repeatDue(&route.Route{RepeatInterval: hour}, test.last.At, now, now, nil, test.upstream)
			if got := dedup(test.firing, test.resolved, test.last, !test.noResolved, repeat); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

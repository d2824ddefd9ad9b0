package dispatch

import (
	"slices"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/route"
)

// The rows of Alertmanager's de-duplication, in its order and words.
func TestDecide(t *testing.T) {
	const hour = time.Hour
	set := func(fps ...alert.Fingerprint) []alert.Fingerprint { return slices.Sorted(slices.Values(fps)) }
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	told := func(age time.Duration, firing, resolved []alert.Fingerprint) *logEntry {
		return &logEntry{Firing: firing, Resolved: resolved, At: now.Add(-age)}
	}
	for _, tc := range []struct {
		name             string
		firing, resolved []alert.Fingerprint
		last             *logEntry
		noResolved       bool
		upstream         bool
		reason           string
		send             bool
	}{
		{"never told, firing", set(1), nil, nil, false, false, "first notification", true},
		{"never told, over", nil, set(1), nil, false, false, "none", false},
		{"told of nothing firing", set(1), nil, told(1, nil, set(1)), false, false, "first notification", true},
		{"one more", set(1, 2), nil, told(1, set(1), nil), false, false, "new alerts added", true},
		{"another", set(2), set(1), told(1, set(1), nil), false, false, "new alerts added", true},
		{"all over", nil, set(1), told(1, set(1), nil), false, false, "all alerts resolved", true},
		{"all over, ends not wanted", nil, set(1), told(1, set(1), nil), true, false, "all alerts resolved", true},
		{"over and told", nil, set(1), told(2*hour, nil, set(1)), false, false, "none", false},
		{"some over", set(1), set(2), told(1, set(1, 2), nil), false, false, "some alerts resolved", true},
		{"some over, ends not wanted", set(1), set(2), told(1, set(1, 2), nil), true, false, "none", false},
		{"some over and told", set(1), set(2), told(1, set(1, 2), set(2, 3)), false, false, "none", false},
		{"fewer, none over", set(1), nil, told(1, set(1, 2), nil), false, false, "none", false},
		{"too early to repeat", set(1), nil, told(hour-1, set(1), nil), false, false, "none", false},
		{"time to repeat, upstream", set(1), nil, told(hour, set(1), nil), false, true, "none", false},
		{"past time to repeat, upstream", set(1), nil, told(hour+1, set(1), nil), false, true, "repeat interval elapsed", true},
		{"ended unannounced, and may be told", nil, set(1), &logEntry{MutedResolved: set(1), At: now}, false, false, "all alerts resolved", true},
		{"ended unannounced, fires again", set(1), nil, &logEntry{Firing: set(2), MutedResolved: set(1), At: now}, false, false, "new alerts added", true},
		{"time to repeat", set(1), nil, told(hour, set(1), nil), false, false, "repeat interval elapsed", true},
	} {
		if tc.last == nil {
			tc.last = &logEntry{At: now}
		}
		repeat := repeatDue(&route.Route{RepeatInterval: hour}, tc.last.At, now, now, nil, tc.upstream)
		reason := dedup(tc.firing, tc.resolved, *tc.last, !tc.noResolved, repeat)
		send := reason != reasonNone
		if reason != tc.reason || send != tc.send {
			t.Errorf("%s: %q, %v; want %q, %v", tc.name, reason, send, tc.reason, tc.send)
		}
	}
}

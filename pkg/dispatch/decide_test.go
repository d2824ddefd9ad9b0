package dispatch

import (
	"slices"
	"testing"
	"time"

	"tocsin/pkg/alert"
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
		repeat := (&Route{RepeatInterval: hour}).repeatDue(tc.last.At, now, now, nil, tc.upstream)
		reason, send := dedup(tc.firing, tc.resolved, tc.last, !tc.noResolved, repeat)
		if reason != tc.reason || send != tc.send {
			t.Errorf("%s: %q, %v; want %q, %v", tc.name, reason, send, tc.reason, tc.send)
		}
	}
}

// Waits double from half a second, and none is longer than 5 min and a fifth.
func TestBackoff(t *testing.T) {
	for attempts, want := range map[int]time.Duration{
		1: 500 * time.Millisecond, 2: time.Second, 3: 2 * time.Second, 10: 256 * time.Second, 11: 5 * time.Minute, 50: 5 * time.Minute,
	} {
		got := backoff("id", attempts)
		if got < want || got > want+want/5 {
			t.Errorf("after attempt %d: %v, want %v and up to a fifth more", attempts, got, want)
		}
	}
	if backoff("id", 3) == backoff("other", 3) {
		t.Error("two notifications come back at the same moment")
	}
}

// Group keys are printed as Alertmanager prints them.
func TestGroupKey(t *testing.T) {
	root, err := newRoute(&RouteConfig{Receiver: "r", GroupBy: []string{"b", "alertname", "absent"}, Routes: []*RouteConfig{
		{Matchers: []string{`severity=~"crit.*"`, `team="x y"`}, Routes: []*RouteConfig{{Matchers: []string{`a!="b"`}}}},
		{Matchers: []string{`severity=~"crit.*"`, `team="x y"`}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	labels := alert.Labels{"alertname": "A", "b": "it's \"quoted\"", "c": "d"}
	for _, tc := range []struct {
		route   *Route
		id, key string
	}{
		{root, `{}`, `{}:{alertname="A", b="it's \"quoted\""}`},
		{root.routes[0], `{}/{severity=~"crit.*",team="x y"}/0`, `{}/{severity=~"crit.*",team="x y"}:{alertname="A", b="it's \"quoted\""}`},
		{root.routes[1], `{}/{severity=~"crit.*",team="x y"}/1`, `{}/{severity=~"crit.*",team="x y"}:{alertname="A", b="it's \"quoted\""}`},
		{root.routes[0].routes[0], `{}/{severity=~"crit.*",team="x y"}/0/{a!="b"}/0`,
			`{}/{severity=~"crit.*",team="x y"}/{a!="b"}:{alertname="A", b="it's \"quoted\""}`},
	} {
		if got := tc.route.groupKey(tc.route.groupLabels(labels)); tc.route.ID != tc.id || got != tc.key {
			t.Errorf("ID %s, group key %s; want %s, %s", tc.route.ID, got, tc.id, tc.key)
		}
		if root.find(tc.id) != tc.route {
			t.Errorf("%s is not found", tc.id)
		}
	}
}

// What is owed fits the store's values, however many alerts it holds, and no
// alert is lost between the pieces.
func TestChunk(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 3000 {
		alerts = append(alerts, &alert.Alert{Labels: alert.Labels{"n": string(rune('一' + i))}, Annotations: alert.Labels{"text": string(make([]byte, 1000))}})
	}
	var n int
	for _, piece := range chunk(alerts) {
		size := 0
		for _, a := range piece {
			if a != alerts[n] {
				t.Fatal("out of order")
			}
			size += textSize(a)
			n++
		}
		if size > entrySize {
			t.Errorf("a piece of %d bytes", size)
		}
	}
	if n != len(alerts) {
		t.Errorf("%d alerts in the pieces, want %d", n, len(alerts))
	}
	if got := chunk(nil); len(got) != 1 {
		t.Errorf("no alerts: %d pieces, want 1", len(got))
	}
}

package route

import (
	"testing"

	"tocsin/pkg/alert"
)

// Group keys are printed as Alertmanager prints them.
func TestGroupKey(t *testing.T) {
	root, err := New(&Config{Receiver: "r", GroupBy: []string{"b", "alertname", "absent"}, Routes: []*Config{
		{Matchers: []string{`severity=~"crit.*"`, `team="x y"`}, Routes: []*Config{{Matchers: []string{`a!="b"`}}}},
		{Matchers: []string{`severity=~"crit.*"`, `team="x y"`}},
	}}, nil)
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
		if got := tc.route.GroupFor(labels).Key; tc.route.ID != tc.id || got != tc.key {
			t.Errorf("ID %s, group key %s; want %s, %s", tc.route.ID, got, tc.id, tc.key)
		}
		if root.Find(tc.id) != tc.route {
			t.Errorf("%s is not found", tc.id)
		}
	}
}

package route_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
)

func newRoute(t *testing.T, c *route.Config) *route.Route {
	t.Helper()
	root, err := route.New(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func duration(d time.Duration) *setting.Duration {
	s := setting.Duration(d)
	return &s
}

// TestGroupFor checks that IDs and group keys are printed as Alertmanager's.
func TestGroupFor(t *testing.T) {
	root := newRoute(t, &route.Config{Receiver: "r", GroupBy: []string{"b", "alertname", "absent"}, Routes: []*route.Config{
		{Matchers: []string{`severity=~"crit.*"`, `team="x y"`}, Routes: []*route.Config{{Matchers: []string{`a!="b"`}}}},
		{Matchers: []string{`severity=~"crit.*"`, `team="x y"`}},
	}})
	labels := alert.Labels{"alertname": "A", "b": "it's \"quoted\"", "c": "d"}
	const group = `:{alertname="A", b="it's \"quoted\""}`
	ids := map[string]bool{}
	for _, test := range []struct{ name, id, key string }{
		{"root", `{}`, `{}`},
		{"first child", `{}/{"severity"=~"crit.*","team"="x y"}`, `{}/{severity=~"crit.*",team="x y"}`},
		{"sibling with the same matchers", `{}/{"severity"=~"crit.*","team"="x y"}#2`, `{}/{severity=~"crit.*",team="x y"}`},
		{"grandchild", `{}/{"severity"=~"crit.*","team"="x y"}/{"a"!="b"}`, `{}/{severity=~"crit.*",team="x y"}/{a!="b"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r *route.Route
			for node := range root.All() {
				if node.ID == test.id {
					r = node
				}
			}
			if r == nil {
				t.Fatalf("got no route with the ID %s", test.id)
			}
			g := r.GroupFor(labels)
			if want := test.key + group; g.Key != want {
				t.Errorf("got the key %s, want %s", g.Key, want)
			}
			if want := (alert.Labels{"alertname": "A", "b": "it's \"quoted\""}); !maps.Equal(g.Labels, want) {
				t.Errorf("got the labels %v, want %v", g.Labels, want)
			}
			if ids[g.ID] {
				t.Errorf("got the ID %s for two routes", g.ID)
			}
			ids[g.ID] = true
		})
	}
}

func TestGroupByAll(t *testing.T) {
	root := newRoute(t, &route.Config{Receiver: "r", GroupBy: []string{"..."}})
	if got, want := root.GroupFor(alert.Labels{"a": "1", "b": "2"}).Key, `{}:{a="1", b="2"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMatch(t *testing.T) {
	root := newRoute(t, &route.Config{Receiver: "root", Routes: []*route.Config{
		{Receiver: "first", Matchers: []string{"a=1"}, Continue: true},
		{Receiver: "second", Matchers: []string{"a=~1|2"}, Routes: []*route.Config{{Receiver: "child", Matchers: []string{"b=1"}}, {Receiver: "first", Matchers: []string{"b=2"}}}},
		{Receiver: "third", Matchers: []string{"a=1"}},
	}})
	for _, test := range []struct {
		name   string
		labels alert.Labels
		want   []string // receivers
	}{
		{"no child matches", alert.Labels{"a": "3"}, []string{"root"}},
		{"a match with continue, one without", alert.Labels{"a": "1"}, []string{"first", "second"}},
		{"a child replaces its parent", alert.Labels{"a": "2", "b": "1"}, []string{"child"}},
		{"a receiver of two routes is listed once", alert.Labels{"a": "1", "b": "2"}, []string{"first"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := root.Receivers(test.labels); fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestInheritance(t *testing.T) {
	root := newRoute(t, &route.Config{Receiver: "root", GroupWait: duration(time.Second), Labels: alert.Labels{"a": "1", "b": "1"}, RepeatSchedule: []setting.Duration{*duration(time.Hour)}, Routes: []*route.Config{
		{Matchers: []string{"x=1"}, Labels: alert.Labels{"b": "2"}, Routes: []*route.Config{{Receiver: "deep", GroupInterval: duration(time.Minute), RepeatInterval: duration(2 * time.Hour)}}},
	}})
	got := root.Match(alert.Labels{"x": "1"})[0]
	if got.Receiver != "deep" || got.GroupWait != time.Second || got.GroupInterval != time.Minute {
		t.Errorf("got receiver %s, group_wait %v, group_interval %v; want deep, 1s, 1m0s", got.Receiver, got.GroupWait, got.GroupInterval)
	}
	if want := (alert.Labels{"a": "1", "b": "2"}); !maps.Equal(got.Labels, want) {
		t.Errorf("got labels %v, want %v", got.Labels, want)
	}
	if got.RepeatInterval != 2*time.Hour || len(got.RepeatSchedule) != 0 {
		t.Errorf("got repeat_interval %v and repeat_schedule %v, want 2h0m0s, which replaces the parent's schedule", got.RepeatInterval, got.RepeatSchedule)
	}
	if root.GroupInterval != route.DefaultGroupInterval || len(root.RepeatSchedule) != 1 {
		t.Errorf("got group_interval %v and repeat_schedule %v of the root, want %v and one age", root.GroupInterval, root.RepeatSchedule, route.DefaultGroupInterval)
	}
}

// TestRenderLabels checks that labels are templates of the group which may refer to
// each other, and that one whose template fails is left out with those that refer
// to it.
func TestRenderLabels(t *testing.T) {
	root := newRoute(t, &route.Config{Receiver: "ops", Labels: alert.Labels{
		"plain":    "{ }",
		"template": `{{ .CommonLabels.alertname | toLower }} {{ .GroupLabels.alertname }} {{ len .Alerts }} {{ .Receiver }} {{ .NotificationReason }} {{ .ExternalURL }}`,
		"other":    `<{{ routeLabels "plain" }}{{ routeLabels "b" }}{{ routeLabels "absent" }}>`,
		"b":        `b{{ routeLabels "plain" }}`,
		"raw":      `{{ .RouteLabels.b }}`,
		"fails":    `{{ index .Alerts 7 }}`,
		"follows":  `{{ routeLabels "fails" }}`,
		"x":        `{{ routeLabels "y" }}`,
		"y":        `{{ routeLabels "x" }}`,
	}})
	var log bytes.Buffer
	got := root.RenderLabels(alert.Notification{GroupLabels: alert.Labels{"alertname": "Lag"}, Alerts: []*alert.Alert{
		{Labels: alert.Labels{"alertname": "Lag", "topic": "b"}}, {Labels: alert.Labels{"alertname": "Lag", "topic": "a"}},
	}}, &render.Style{ExternalURL: "https://alerts.example.com"}, slog.New(slog.NewTextHandler(&log, nil)))
	want := alert.Labels{
		"plain": "{ }", "template": "lag Lag 2 ops unknown https://alerts.example.com",
		"other": "<{ }b{ }>", "b": "b{ }", "raw": `b{{ routeLabels "plain" }}`,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, name := range []string{"fails", "follows", "x", "y"} {
		if !strings.Contains(log.String(), "label="+name) {
			t.Errorf("got the log\n%s\nwant an error of the label %s", &log, name)
		}
	}
}

func TestBadTemplate(t *testing.T) {
	c := &route.Config{Receiver: "ops", Routes: []*route.Config{{Matchers: []string{"a=b"}, Labels: alert.Labels{"team": "{{ if }}"}}}}
	if _, err := route.New(c, nil); err == nil || !strings.Contains(err.Error(), `route {}/{a="b"}: its label "team"`) {
		t.Errorf("got %v, want an error that names the label", err)
	}
	var faults setting.Faults
	c.ValidateTemplates(&faults, nil)
	if got := faults.List(); len(got) != 1 || fmt.Sprint(got[0].Path) != "[routes 0 labels team]" {
		t.Errorf("got %v, want a fault at the label", got)
	}
}

func TestMuting(t *testing.T) {
	intervals := route.NewIntervals([]route.TimeInterval{
		{Name: "nov", TimeIntervals: []route.TimesConfig{{Months: []string{"11"}}}},
		{Name: "dec", TimeIntervals: []route.TimesConfig{{Months: []string{"12"}}}},
		{Name: "dawn", TimeIntervals: []route.TimesConfig{{Times: []route.TimeRangeConfig{{StartTime: "06:00", EndTime: "06:02"}}, Location: "Asia/Shanghai"}}},
	})
	now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC) // 06:00 in Shanghai
	for _, test := range []struct {
		name         string
		mute, active []string
		want         []string
		inactive     bool
	}{
		{"no intervals", nil, nil, nil, false},
		{"in a mute interval", []string{"dec", "nov"}, nil, []string{"nov"}, false},
		{"outside of all mute intervals", []string{"dec"}, nil, nil, false},
		{"in an active interval", nil, []string{"dec", "nov"}, nil, false},
		{"outside of all active intervals", nil, []string{"dec"}, []string{"dec"}, true},
		{"active and muted", []string{"dawn"}, []string{"nov"}, []string{"dawn"}, false},
		{"inactive and muted", []string{"dawn"}, []string{"dec"}, []string{"dec"}, true},
		{"unknown interval", []string{"unknown"}, nil, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRoute(t, &route.Config{Receiver: "r", MuteTimeIntervals: test.mute, ActiveTimeIntervals: test.active})
			got, inactive := intervals.Muting(r, now)
			if fmt.Sprint(got) != fmt.Sprint(test.want) || inactive != test.inactive {
				t.Errorf("got %v and inactive %v, want %v and %v", got, inactive, test.want, test.inactive)
			}
		})
	}
}

// TestValidate has the faults that pkg/config's tests do not reach through a file.
func TestValidate(t *testing.T) {
	var faults setting.Faults
	c := &route.Config{Continue: true, Matchers: []string{"a=b"}, MuteTimeIntervals: []string{"x"}, Routes: []*route.Config{nil, {Receiver: "opps"}}}
	c.Validate(&faults, route.Names{Receivers: []string{"ops"}, TimeIntervals: []string{"y"}})
	got := map[string]bool{}
	for _, f := range faults.List() {
		got[fmt.Sprint(f.Path)] = true
	}
	for _, want := range []string{"[receiver]", "[matchers]", "[mute_time_intervals]", "[mute_time_intervals 0]", "[continue]", "[routes 0]", "[routes 1 receiver]"} {
		if !got[want] {
			t.Errorf("got faults at %v, want one at %s", got, want)
		}
	}
}

// TestID holds that the identity of a route, and of its groups, follows from what
// it matches and not from how or where that is written.
func TestID(t *testing.T) {
	target := &route.Config{Matchers: []string{`team="x"`, `zone=~"eu-.*"`}}
	for _, tc := range []struct {
		name   string
		routes []*route.Config // the last one is compared
	}{
		{"a route above", []*route.Config{{Matchers: []string{"a=b"}}, target}},
		{"spaces and quotes", []*route.Config{{Matchers: []string{` team = x `, `zone=~eu-.*`}}}},
		{"another order", []*route.Config{{Matchers: []string{`zone=~"eu-.*"`, `team="x"`}}}},
		{"one text", []*route.Config{{Matchers: []string{`{team="x",zone=~"eu-.*"}`}}}},
		{"match and match_re", []*route.Config{{Match: map[string]string{"team": "x"}, MatchRE: map[string]setting.Pattern{"zone": pattern(t, "eu-.*")}}}},
		{"another receiver and other timers", []*route.Config{{Receiver: "s", Matchers: target.Matchers, Continue: true}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			group := func(routes ...*route.Config) string {
				var last *route.Route
				for last = range newRoute(t, &route.Config{Receiver: "r", GroupBy: []string{"alertname"}, Routes: routes}).All() {
				}
				return last.GroupFor(alert.Labels{"alertname": "A"}).ID
			}
			if got, want := group(tc.routes...), group(target); got != want {
				t.Errorf("got group %s, want %s", got, want)
			}
		})
	}
}

func pattern(t *testing.T, text string) (p setting.Pattern) {
	t.Helper()
	if err := p.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return p
}

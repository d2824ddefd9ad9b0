package dispatch_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
)

// Labels of a route are templates of the group, and may ask for each other. What
// fails is left out, and keeps back nothing but what asks for it.
func TestRouteLabels(t *testing.T) {
	c := &channel{}
	r := newRouteConfig("0s", "1m", "1h")
	r.Labels = alert.Labels{
		"plain":    "{ }",
		"template": `{{ .CommonLabels.alertname | toLower }} {{ .GroupLabels.alertname }} {{ len .Alerts }} {{ .Receiver }} {{ .NotificationReason }} {{ .ExternalURL }}`,
		"other":    `<{{ routeLabels "plain" }}{{ routeLabels "b" }}{{ routeLabels "absent" }}>`,
		"b":        `b{{ routeLabels "plain" }}`,
		"raw":      `{{ .RouteLabels.b }}`,
		"fails":    `{{ index .Alerts 7 }}`,
		"follows":  `{{ routeLabels "fails" }}`,
		"x":        `{{ routeLabels "y" }}`,
		"y":        `{{ routeLabels "x" }}`,
	}
	w := newWorld(t, r, oneReceiver(c))
	w.config.ExternalURL = "https://alerts.example.com"
	w.restart(r)
	w.silence(at(0), topicSilence("b", 0, 1000))
	w.fire(at(0), "a", "b")
	w.tick(at(0))
	want := alert.Labels{
		"plain": "{ }", "template": "lag Lag 2 ops unknown https://alerts.example.com", // the silenced alert counts
		"other": "<{ }b{ }>", "b": "b{ }", "raw": `b{{ routeLabels "plain" }}`,
	}
	if len(c.said) != 1 || !maps.Equal(c.said[0].RouteLabels, want) {
		t.Fatalf("said %+v, want the labels %v", c.said, want)
	}
	groups, err := w.engine.Groups(t.Context(), at(1))
	if err != nil || len(groups) != 1 || !maps.Equal(groups[0].RouteLabels, want) {
		t.Errorf("groups %+v, %v", groups, err)
	}
}

func TestBadRouteLabel(t *testing.T) {
	r := newRouteConfig("0s", "1m", "1h")
	r.Routes = []*route.Config{{Matchers: []string{"a=b"}, Labels: alert.Labels{"team": "{{ if }}"}}}
	config := dispatch.Config{Route: &r, Receivers: []*outbox.Receiver{oneReceiver(&channel{})}}
	if _, err := dispatch.New(nil, config, nil); err == nil || !strings.Contains(err.Error(), `route {}/{a="b"}/0: its label "team"`) {
		t.Errorf("%v, want an error that names the label", err)
	}
	var f setting.Faults
	r.ValidateTemplates(&f, nil)
	if faults := f.List(); len(faults) != 1 || fmt.Sprint(faults[0].Path) != "[routes 0 labels team]" {
		t.Errorf("%v, want a fault at the label", faults)
	}
}

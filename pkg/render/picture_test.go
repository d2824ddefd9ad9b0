package render

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
)

const history = "1795187400/60:0,900,,2500,2600,2700"

func withHistory(a *alert.Alert, history string) *alert.Alert {
	a.Annotations["lag_history"] = history
	return a
}

// titles are what pictures are of.
func titles(pictures []Chart) []string {
	var out []string
	for _, p := range pictures {
		out = append(out, p.Title)
	}
	return out
}

// Those that fire have pictures, the worst first.
func TestPictures(t *testing.T) {
	alerts := []*alert.Alert{
		withHistory(lagAlert("small", "3000"), history),
		withHistory(lagAlert("large", "9000"), history),
		lagAlert("unwatched", "99999"),
		withHistory(lagAlert("spoiled", "88888"), "1795187400/60:x"),
		withHistory(lagAlert("hardly known", "77777"), "1795187400/60:,,5,5,5,5"),
		withHistory(ended(lagAlert("over", "66666")), history),
		withHistory(lagAlert("middle", "5000"), history),
	}
	doc := document("zh", alerts...)
	for most, want := range [][]string{nil, {"g / large"}, {"g / large", "g / middle"}, {"g / large", "g / middle", "g / small"}, {"g / large", "g / middle", "g / small"}} {
		if got := titles(doc.Charts(most)); !slices.Equal(got, want) {
			t.Errorf("%d: %q, want %q", most, got, want)
		}
	}
	p := doc.Charts(1)[0]
	if len(p.Values) != 6 || p.Threshold != 2000 || !p.From.Equal(at.Add(-5*time.Minute)) || !p.To.IsZero() || p.Zone != doc.draft.zone {
		t.Errorf("%+v", p)
	}
	if p.Alt != "g / large 最近 5 分钟的积压曲线" {
		t.Errorf("%q", p.Alt)
	}
	if en := document("en", alerts...).Charts(1)[0].Alt; en != "Lag of g / large over the last 5m" {
		t.Errorf("%q", en)
	}
	// Another rule's alert: no topic, no threshold.
	odd := &alert.Alert{Labels: alert.Labels{"alertname": "Slow"}, Annotations: alert.Labels{"threshold": "10m"}, StartsAt: at}
	if p := document("zh", withHistory(odd, history)).Charts(1)[0]; p.Title != "Slow" || !math.IsNaN(p.Threshold) {
		t.Errorf("%+v", p)
	}
}

// The history is in no text, whatever the alert is about, and in no template's
// data, whatever prints it.
func TestHistoryIsNotText(t *testing.T) {
	about := map[string]func() *alert.Alert{
		"lag": func() *alert.Alert { return lagAlert("a", "5000") },
		"poll": func() *alert.Alert {
			return &alert.Alert{Labels: alert.Labels{"alertname": "TocsinPollFailed", "cluster": "c"}, StartsAt: at}
		},
		"host": func() *alert.Alert {
			return &alert.Alert{Labels: alert.Labels{"alertname": "HostOffline", "host": "h"}, StartsAt: at}
		},
		"other": func() *alert.Alert { return &alert.Alert{Labels: alert.Labels{"alertname": "X"}, StartsAt: at} },
	}
	for name, make := range about {
		for _, count := range []int{1, 2, 6} {
			for _, over := range []bool{false, true} {
				n := &alert.Notification{At: at}
				for i := range count {
					a := make()
					a.Labels["n"] = fmt.Sprint(i)
					if a.Annotations == nil {
						a.Annotations = alert.Labels{}
					}
					if withHistory(a, history); over {
						a = ended(a)
					}
					n.Alerts = append(n.Alerts, a)
				}
				texts := NewDocument(n, env("zh")).texts()
				for _, src := range []string{
					`{{ template "__text_alert_list" .Alerts }}`, `{{ template "email.default.html" . }}`, `{{ template "wechat.default.message" . }}`,
					`{{ .CommonAnnotations }}{{ .Alerts }}`,
				} {
					text, err := (*Templates)(nil).CompileText(src)
					if err != nil {
						t.Fatal(err)
					}
					view := NewView(n, env("zh"))
					for _, v := range []*View{view, view.Escape(strings.ToUpper, strings.ToUpper)} {
						said, err := text.Execute(v)
						if err != nil {
							t.Fatal(err)
						}
						texts = append(texts, said)
					}
				}
				for _, s := range texts {
					if strings.Contains(strings.ToLower(s), "lag_history") || strings.Contains(s, "1795187400") {
						t.Errorf("%d of %s, over %v: it is in %q", count, name, over, s)
					}
				}
				if got := n.Alerts[0].Annotations["lag_history"]; got != history {
					t.Errorf("the alert itself has lost it: %q", got)
				}
			}
		}
	}
}

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
	if a.Annotations == nil {
		a.Annotations = alert.Labels{}
	}
	a.Annotations["lag_history"] = history
	return a
}

// TestCharts checks that the worst firing alerts with a usable history have charts.
func TestCharts(t *testing.T) {
	alerts := []*alert.Alert{
		withHistory(lagAlert("small", "3000"), history),
		withHistory(lagAlert("large", "9000"), history),
		lagAlert("no history", "99999"),
		withHistory(lagAlert("invalid history", "88888"), "1795187400/60:x"),
		withHistory(lagAlert("four known values", "77777"), "1795187400/60:,,5,5,5,5"),
		withHistory(resolved(lagAlert("resolved", "66666")), history),
		withHistory(lagAlert("middle", "5000"), history),
	}
	doc := newDocument("zh", alerts...)
	for limit, want := range [][]string{nil, {"g / large"}, {"g / large", "g / middle"}, {"g / large", "g / middle", "g / small"}, {"g / large", "g / middle", "g / small"}} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			var got []string
			for _, c := range doc.Charts(limit) {
				got = append(got, c.Title)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	c := doc.Charts(1)[0]
	if len(c.Values) != 6 || c.Threshold != 2000 || !c.From.Equal(at.Add(-5*time.Minute)) || !c.To.IsZero() || c.Zone != doc.draft.zone {
		t.Errorf("got %+v, want 6 values, threshold 2000, from five minutes ago without an end", c)
	}
	if want := "g / large 最近 5 分钟的积压曲线"; c.Alt != want {
		t.Errorf("alternative text, zh: got %q, want %q", c.Alt, want)
	}
	if got, want := newDocument("en", alerts...).Charts(1)[0].Alt, "Lag of g / large over the last 5m"; got != want {
		t.Errorf("alternative text, en: got %q, want %q", got, want)
	}
}

func TestChartWithoutTopicAndThreshold(t *testing.T) {
	a := &alert.Alert{Labels: alert.Labels{"alertname": "Slow"}, Annotations: alert.Labels{"threshold": "10m"}, StartsAt: at}
	if c := newDocument("zh", withHistory(a, history)).Charts(1)[0]; c.Title != "Slow" || !math.IsNaN(c.Threshold) {
		t.Errorf("got title %q and threshold %v, want Slow and NaN", c.Title, c.Threshold)
	}
}

// TestHistoryIsNotText checks that the lag history is in no text of a document and
// in no template's output, for alerts of every kind.
func TestHistoryIsNotText(t *testing.T) {
	kinds := map[string]func() *alert.Alert{
		"lag":          func() *alert.Alert { return lagAlert("a", "5000") },
		"poll failed":  func() *alert.Alert { return newAlert(alert.Labels{"alertname": "TocsinPollFailed", "cluster": "c"}) },
		"host offline": func() *alert.Alert { return newAlert(alert.Labels{"alertname": "HostOffline", "host": "h"}) },
		"generic":      func() *alert.Alert { return newAlert(alert.Labels{"alertname": "X"}) },
	}
	for name, build := range kinds {
		for _, count := range []int{1, 2, 6} {
			for _, isResolved := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %d, resolved %v", name, count, isResolved), func(t *testing.T) {
					n := &alert.Notification{At: at}
					for i := range count {
						a := withHistory(build(), history)
						a.Labels["n"] = fmt.Sprint(i)
						if isResolved {
							a = resolved(a)
						}
						n.Alerts = append(n.Alerts, a)
					}
					for _, s := range append(NewDocument(n, newStyle("zh")).texts(), templateOutputs(t, n)...) {
						if strings.Contains(strings.ToLower(s), "lag_history") || strings.Contains(s, "1795187400") {
							t.Errorf("got %q, want it without the history", s)
						}
					}
					if got := n.Alerts[0].Annotations["lag_history"]; got != history {
						t.Errorf("annotation of the alert itself: got %q, want %q", got, history)
					}
				})
			}
		}
	}
}

// templateOutputs executes templates that print all annotations.
func templateOutputs(t *testing.T, n *alert.Notification) []string {
	t.Helper()
	var out []string
	for _, src := range []string{
		`{{ template "__text_alert_list" .Alerts }}`, `{{ template "email.default.html" . }}`, `{{ template "wechat.default.message" . }}`,
		`{{ .CommonAnnotations }}{{ .Alerts }}`,
	} {
		text, err := (*Templates)(nil).CompileText(src)
		if err != nil {
			t.Fatal(err)
		}
		view := NewView(n, newStyle("zh"))
		for _, v := range []*View{view, view.Escape(strings.ToUpper, strings.ToUpper)} {
			s, err := text.Execute(v)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
	}
	return out
}

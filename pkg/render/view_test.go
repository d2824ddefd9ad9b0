package render

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	amtemplate "github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
)

var (
	zone = time.FixedZone("CST", 8*3600)
	at   = time.Date(2026, 11, 20, 23, 10, 10, 0, zone)
)

func newStyle(language string) *Style {
	return &Style{Language: language, Location: zone}
}

func labelSet(l alert.Labels) model.LabelSet {
	out := model.LabelSet{}
	for k, v := range l {
		out[model.LabelName(k)] = model.LabelValue(v)
	}
	return out
}

// TestData compares with Alertmanager's own code on the same alerts.
func TestData(t *testing.T) {
	tests := []struct {
		name   string
		alerts []*alert.Alert
	}{
		{"none", nil},
		{"one firing", []*alert.Alert{
			{Labels: alert.Labels{"alertname": "A", "x": "1"}, Annotations: alert.Labels{"s": "t"}, StartsAt: at.Add(-time.Hour), GeneratorURL: "http://p/g"},
		}},
		{"all resolved", []*alert.Alert{
			{Labels: alert.Labels{"alertname": "A"}, StartsAt: at.Add(-time.Hour), EndsAt: at.Add(-time.Minute)},
		}},
		{"common labels and annotations", []*alert.Alert{
			{Labels: alert.Labels{"alertname": "A", "x": "1", "y": "same"}, Annotations: alert.Labels{"s": "t", "u": "v"}, StartsAt: at.Add(-time.Hour)},
			{Labels: alert.Labels{"alertname": "A", "x": "2", "y": "same"}, Annotations: alert.Labels{"s": "t"}, StartsAt: at.Add(-time.Hour), EndsAt: at.Add(-time.Minute)},
			{Labels: alert.Labels{"alertname": "A", "y": "same"}, Annotations: alert.Labels{"s": "t"}, StartsAt: at.Add(-time.Hour)},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &alert.Notification{
				Receiver: "ops.mail", Reason: "first notification", At: at,
				GroupLabels: alert.Labels{"alertname": "A"}, RouteLabels: alert.Labels{"team": "x"}, Alerts: tt.alerts,
			}
			upstream, err := amtemplate.FromGlobs(nil)
			if err != nil {
				t.Fatal(err)
			}
			upstream.ExternalURL, _ = url.Parse("https://alerts.example.com")
			var upstreamAlerts []*amalert.Alert
			for _, a := range tt.alerts {
				upstreamAlerts = append(upstreamAlerts, &amalert.Alert{Alert: model.Alert{
					Labels: labelSet(a.Labels), Annotations: labelSet(a.Annotations),
					StartsAt: a.StartsAt, EndsAt: a.EndsAt, GeneratorURL: a.GeneratorURL,
				}})
			}
			want, _ := json.MarshalIndent(upstream.Data("ops.mail", labelSet(n.GroupLabels), labelSet(n.RouteLabels), n.Reason, upstreamAlerts...), "", " ")
			got, _ := json.MarshalIndent(Data(n, "https://alerts.example.com"), "", " ")
			if string(got) != string(want) {
				t.Errorf("got %s\nwant, as Alertmanager: %s", got, want)
			}
		})
	}
}

// TestDataFutureEnd checks that an alert fires without an end until its end.
func TestDataFutureEnd(t *testing.T) {
	end := at.Add(time.Second)
	for name, tt := range map[string]struct {
		at      time.Time
		status  string
		wantEnd time.Time
	}{
		"before the end": {at, "firing", time.Time{}},
		"at the end":     {end, "resolved", end},
	} {
		t.Run(name, func(t *testing.T) {
			d := Data(&alert.Notification{At: tt.at, Alerts: []*alert.Alert{{Labels: alert.Labels{"a": "b"}, EndsAt: end}}}, "")
			if d.Status != tt.status || d.Alerts[0].Status != tt.status || !d.Alerts[0].EndsAt.Equal(tt.wantEnd) {
				t.Errorf("got status %s and alert %+v, want %s and end %v", d.Status, d.Alerts[0], tt.status, tt.wantEnd)
			}
		})
	}
}

func TestViewEscape(t *testing.T) {
	n := &alert.Notification{
		At: at, GroupLabels: alert.Labels{"g": "<"}, RouteLabels: alert.Labels{"r": "<"},
		Alerts: []*alert.Alert{{Labels: alert.Labels{"a": "<"}, Annotations: alert.Labels{"<": "b"}, GeneratorURL: "http://x/)"}},
	}
	v := NewView(n, newStyle("zh"))
	escaped := v.Escape(func(s string) string {
		if s == "<" {
			return "＜"
		}
		return s
	}, func(s string) string { return s + "!" })
	d := escaped.Data()
	for what, got := range map[string]string{
		"group": d.GroupLabels["g"], "route": d.RouteLabels["r"], "common": d.CommonLabels["a"], "alert": d.Alerts[0].Labels["a"],
	} {
		if want := "＜"; got != want {
			t.Errorf("%s label: got %q, want %q", what, got, want)
		}
	}
	if d.CommonAnnotations["＜"] != "b" || d.Alerts[0].Annotations["＜"] != "b" || d.Alerts[0].GeneratorURL != "http://x/)!" {
		t.Errorf("got annotations %v and link %s, want them escaped", d.Alerts[0].Annotations, d.Alerts[0].GeneratorURL)
	}
	if got, want := v.Data().Alerts[0].Labels["a"], "<"; got != want {
		t.Errorf("label of the original view: got %q, want %q", got, want)
	}
}

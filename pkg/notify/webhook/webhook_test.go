package webhook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/render"
)

// at is the time of the notifications of these tests.
var at = notifytest.At.UTC()

func newEnv() *notify.Env {
	return &notify.Env{Style: render.Style{Language: "zh", Location: time.UTC, ExternalURL: "https://alerts.example.com"}, Now: func() time.Time { return at }}
}

// diskFull returns a notification of a firing and a resolved alert.
func diskFull() *alert.Notification {
	one := func(instance string) *alert.Alert {
		return &alert.Alert{
			Labels:       alert.Labels{"alertname": "DiskFull", "instance": instance, "severity": "critical"},
			Annotations:  alert.Labels{"summary": "<96%> & \"rising\"", "dashboard": instance},
			GeneratorURL: "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1",
			StartsAt:     at.Add(-26 * time.Hour),
		}
	}
	first, second := one("10.0.0.8:9100"), one("10.0.0.9:9100")
	first.EndsAt = at.Add(time.Minute) // its lease: it fires
	second.EndsAt = at.Add(-10 * time.Second)
	return &alert.Notification{
		ID: "0a1b-1.5", GroupKey: `{}:{alertname="DiskFull"}`, Receiver: "ops.night", Reason: "some alerts resolved", At: at,
		GroupLabels: alert.Labels{"alertname": "DiskFull"}, RouteLabels: alert.Labels{"team": "storage"},
		Alerts: []*alert.Alert{first, second},
	}
}

// version4 is Alertmanager 0.34's body of diskFull(), written by hand from its
// documentation: the receiver is quoted as a regular expression, firing alerts have
// no end, and fingerprints are FNV-1a of the labels.
const version4 = `{
	"receiver": "ops\\.night",
	"status": "firing",
	"alerts": [
		{"status": "firing", "labels": {"alertname": "DiskFull", "instance": "10.0.0.8:9100", "severity": "critical"},
		 "annotations": {"summary": "<96%> & \"rising\"", "dashboard": "10.0.0.8:9100"},
		 "startsAt": "2026-11-19T13:10:10Z", "endsAt": "0001-01-01T00:00:00Z",
		 "generatorURL": "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1", "fingerprint": "05ebf322836da3b0"},
		{"status": "resolved", "labels": {"alertname": "DiskFull", "instance": "10.0.0.9:9100", "severity": "critical"},
		 "annotations": {"summary": "<96%> & \"rising\"", "dashboard": "10.0.0.9:9100"},
		 "startsAt": "2026-11-19T13:10:10Z", "endsAt": "2026-11-20T15:10:00Z",
		 "generatorURL": "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1", "fingerprint": "4486b901c62df8c7"}
	],
	"notification_reason": "some alerts resolved",
	"groupLabels": {"alertname": "DiskFull"},
	"commonLabels": {"alertname": "DiskFull", "severity": "critical"},
	"commonAnnotations": {"summary": "<96%> & \"rising\""},
	"routeLabels": {"team": "storage"},
	"externalURL": "https://alerts.example.com",
	"version": "4",
	"groupKey": "{}:{alertname=\"DiskFull\"}",
	"truncatedAlerts": 0
}`

func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

// message returns the only message of n.
func message(t *testing.T, c *Config, n *alert.Notification, files ...string) notify.Message {
	t.Helper()
	if c.URL == "" {
		c.URL = "https://hooks.example.com/alerts"
	}
	messages, err := notifytest.New(t, c, newEnv(), files...).Messages(n)
	if err != nil || len(messages) != 1 {
		t.Fatalf("got %d messages and error %v, want one message", len(messages), err)
	}
	return messages[0]
}

func TestBody(t *testing.T) {
	m := message(t, &Config{}, diskFull())
	if got, want := decode(t, m.Text), decode(t, version4); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if strings.Contains(m.Text, `\u00`) {
		t.Errorf("got HTML escapes, want none: %s", m.Text)
	}
	// printf %s https://hooks.example.com/alerts | sha256sum
	if got, want := m.Target, "webhook/hooks.example.com/042d74ee"; got != want {
		t.Errorf("got target %q, want %q", got, want)
	}
	if got, want := m.Units, []string{"1/1"}; !slices.Equal(got, want) {
		t.Errorf("got units %q, want %q", got, want)
	}
}

// Receivers index into these without a check: they are never null.
func TestMappingsAreNeverNull(t *testing.T) {
	got := decode(t, message(t, &Config{}, &alert.Notification{At: at, Alerts: []*alert.Alert{{Labels: alert.Labels{"alertname": "A"}}}}).Text)
	for _, name := range []string{"groupLabels", "commonLabels", "commonAnnotations", "routeLabels"} {
		if _, ok := got[name].(map[string]any); !ok {
			t.Errorf("got %s %v, want a mapping", name, got[name])
		}
	}
	if _, ok := got["alerts"].([]any)[0].(map[string]any)["annotations"].(map[string]any); !ok {
		t.Errorf("got alerts %v, want annotations of each", got["alerts"])
	}
}

// Common labels are those of the remaining alerts.
func TestMaxAlerts(t *testing.T) {
	for limit, want := range map[uint64]struct {
		alerts, truncated int
		common            string
	}{0: {2, 0, ""}, 1: {1, 1, "10.0.0.8:9100"}, 2: {2, 0, ""}, 3: {2, 0, ""}} {
		n := diskFull()
		got := decode(t, message(t, &Config{MaxAlerts: limit}, n).Text)
		common, _ := got["commonLabels"].(map[string]any)["instance"].(string)
		if len(got["alerts"].([]any)) != want.alerts || got["truncatedAlerts"] != float64(want.truncated) || common != want.common {
			t.Errorf("max_alerts %d: got %v, want %+v", limit, got, want)
		}
		if len(n.Alerts) != 2 {
			t.Errorf("got %d alerts left in the notification, want it unchanged", len(n.Alerts))
		}
	}
}

func TestManyAlertsAreOneMessage(t *testing.T) {
	n := diskFull()
	n.Alerts = slices.Repeat(n.Alerts, 2000)
	n.HalfSize, n.Merged = true, 3
	if got := decode(t, message(t, &Config{}, n).Text); len(got["alerts"].([]any)) != 4000 {
		t.Errorf("got %d alerts, want 4000", len(got["alerts"].([]any)))
	}
}

func TestPayload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.tmpl")
	if err := os.WriteFile(file, []byte(`{{ define "short" }}{{ .Status }} {{ .CommonLabels.alertname }}{{ end }}`), 0o644); err != nil {
		t.Fatal(err)
	}
	c := &Config{Payload: map[string]any{
		"{{ .Status }}": "now",
		"text":          `{{ template "short" . }}`,
		"summary":       "{{ .CommonAnnotations.summary }}",
		"count":         "{{ len .Alerts }}",
		"labels":        "{{ .CommonLabels | toJson }}",
		"constant":      7,
		"on":            true,
		"none":          nil,
		"list":          []any{"{{ .Receiver }}", map[any]any{"x": 1.5, 2: "dropped"}},
	}}
	got := decode(t, message(t, c, diskFull(), file).Text)
	want := decode(t, `{"firing": "now", "text": "firing DiskFull", "summary": "<96%> & \"rising\"", "count": 2,
		"labels": {"alertname": "DiskFull", "severity": "critical"}, "constant": 7, "on": true, "none": null,
		"list": ["ops\\.night", {"x": 1.5}]}`)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestNewNamesTheKeyInErrors(t *testing.T) {
	for want, c := range map[string]Config{
		"payload.a[0]: ": {Payload: map[string]any{"a": []any{"{{"}}},
		"payload.{{ template \"x\" . }}: template \"x\" is not defined": {Payload: map[string]any{`{{ template "x" . }}`: 1}},
		"url: the template is wrong":                                    {URL: "https://h/?key=" + key + "{{ nope }}"},
		"secret: does not begin with whsec_: write ":                    {Secret: key},
	} {
		if c.URL == "" {
			c.URL = "https://h/"
		}
		_, err := c.New(newEnv(), nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), key) {
			t.Errorf("got error %v, want %q without the key", err, want)
		}
	}
}

package api_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/intake"
	"tocsin/pkg/setting"
)

const form = "application/x-www-form-urlencoded"

// hook posts a body of a media type.
func (w *testAPI) hook(path, media, body string) (int, string) {
	w.t.Helper()
	return w.read(w.request(http.MethodPost, path, strings.NewReader(body), "Content-Type", media))
}

// shown is what API v2 shows of an alert.
type shown struct {
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
}

func (w *testAPI) alerts() []shown {
	w.t.Helper()
	var all []shown
	_, body := w.get("/api/v2/alerts")
	decode(w.t, body, &all)
	return all
}

// grafana is a message with alerts, each given by its labels as JSON.
func grafana(labels ...string) string {
	var alerts []string
	for _, l := range labels {
		alerts = append(alerts, `{"status":"firing","labels":`+l+`}`)
	}
	return `{"version":"1","alerts":[` + strings.Join(alerts, ",") + `]}`
}

// Every system's own messages are allowed, answered, and shown.
func TestHooks(t *testing.T) {
	for _, tt := range []struct {
		path, media, file string
		answer            string
	}{
		{"alertmanager", "application/json", "alertmanager/firing-and-resolved.json", `{"alerts":2,"status":"ok"}`},
		{"grafana", "application/json; charset=UTF-8", "grafana/firing.json", `{"alerts":2,"status":"ok"}`},
		{"tencent-monitor", "application/json", "tencent-monitor/metric.json", `{"alerts":1,"retCode":0,"sessionId":"s-1","status":"ok"}`},
		{"tencent-monitor", "application/json", "tencent-monitor/event.json", `{"alerts":1,"retCode":0,"sessionId":"s-2","status":"ok"}`},
		{"zabbix", "application/json", "zabbix/problem.json", `{"alerts":1,"status":"ok"}`},
		{"aliyun", form, "aliyun/threshold.form", `{"alerts":1,"status":"ok"}`},
		{"aliyun", "application/json", "aliyun/event.json", `{"alerts":1,"status":"ok"}`},
		{"sns", "text/plain; charset=UTF-8", "sns/raw-alarm.json", `{"alerts":1,"status":"ok"}`},
		{"open-falcon/im", form, "open-falcon/im.form", `{"alerts":1,"status":"ok"}`},
		{"open-falcon/sms", form, "open-falcon/sms-merged.form", `{"alerts":1,"status":"ok"}`},
		{"open-falcon/mail", form, "open-falcon/mail.form", `{"alerts":2,"status":"ok"}`},
	} {
		t.Run(tt.file, func(t *testing.T) {
			w := newTestAPI(t)
			body, err := os.ReadFile("../intake/testdata/" + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			status, answer := w.hook("/hooks/"+tt.path+"?label=from:"+tt.path, tt.media, strings.TrimSpace(string(body)))
			if status != 200 || answer != tt.answer {
				t.Fatalf("%d %s, want %s", status, answer, tt.answer)
			}
			all := w.alerts()
			if len(all) == 0 || w.flushes != 1 {
				t.Fatalf("%d alerts are shown, woken %d times", len(all), w.flushes)
			}
			for _, a := range all {
				if a.Labels["from"] != tt.path || a.Labels["alertname"] == "" {
					t.Errorf("%v", a.Labels)
				}
			}
		})
	}
	w := newTestAPI(t)
	if status, answer := w.get("/hooks/open-falcon/callback?metric=m&status=PROBLEM&priority=1&endpoint=e&tags=b:2,a:1&label=x:y"); status != 200 {
		t.Errorf("callback: %d %s", status, answer)
	}
	if all := w.alerts(); len(all) != 1 || !maps.Equal(all[0].Labels, map[string]string{"alertname": "m", "endpoint": "e", "priority": "P1", "severity": "critical", "a": "1", "b": "2", "x": "y"}) {
		t.Errorf("%v", all)
	}
}

// What fires and what is over meet in one alert, whose start is the first word's.
func TestHookPairs(t *testing.T) {
	falcon := func(status, step, at string) string {
		return url.Values{"tos": {"u1"}, "content": {"[P1][" + status + "][db-1][][disk all(#3) df.free mount=/ " + step + "<10][O" + step + " 2026-11-20 " + at + "]"}}.Encode()
	}
	zabbix := func(value, recovery string) string {
		return `{"event_id":"5","event_value":` + value + `,"event_name":"n","host_name":"h","event_date":"2026.11.20","event_time":"21:00:00"` + recovery + `}`
	}
	for _, tt := range []struct {
		path, media  string
		firing, over []string
		starts       string
	}{
		{"open-falcon/im", form, []string{falcon("PROBLEM", "1", "21:00:00"), falcon("PROBLEM", "2", "21:05:00"), falcon("PROBLEM", "3", "21:10:00")}, []string{falcon("OK", "1", "21:20:00")}, "21:00"},
		{"zabbix", "application/json", []string{zabbix("1", ""), zabbix("1", `,"event_update_status":"1","event_update_message":"seen"`)}, []string{zabbix("0", `,"event_recovery_date":"2026.11.20","event_recovery_time":"21:30:00"`)}, "21:00"},
		{"aliyun", form, []string{"alertName=a&alertState=ALERT&curValue=97&triggerLevel=CRITICAL&timestamp=1795208400000&dimensions=%7Bid%3Di-1%7D"}, []string{"alertName=a&alertState=OK&curValue=1&triggerLevel=OK&timestamp=1795209000000&dimensions=%7Bid%3Di-1%7D"}, "21:00"},
		{"grafana", "application/json", []string{`{"alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-11-20T21:00:00Z","endsAt":"0001-01-01T00:00:00Z"}]}`}, []string{`{"alerts":[{"status":"resolved","labels":{"alertname":"A"},"startsAt":"2026-11-20T21:00:00Z","endsAt":"2026-11-20T21:40:00Z"}]}`}, "21:00"},
		{"sns", "text/plain", []string{cloudWatch("ALARM", "21:00:00")}, []string{cloudWatch("OK", "21:20:00")}, "21:00"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			w := newTestAPI(t)
			for i, body := range tt.firing {
				if status, answer := w.hook("/hooks/"+tt.path, tt.media, body); status != 200 {
					t.Fatalf("%d %s", status, answer)
				}
				all := w.alerts()
				if len(all) != 1 || all[0].StartsAt.UTC().Format("15:04") != tt.starts || !all[0].EndsAt.IsZero() {
					t.Fatalf("after word %d: %+v", i, all)
				}
				w.now = w.now.Add(10 * time.Hour) // nobody says it again, and it stays
			}
			for _, body := range tt.over {
				if status, answer := w.hook("/hooks/"+tt.path, tt.media, body); status != 200 {
					t.Fatalf("%d %s", status, answer)
				}
			}
			if all := w.alerts(); len(all) != 0 {
				t.Errorf("it is over, and still there: %+v", all)
			}
		})
	}
}

func cloudWatch(state, at string) string {
	return `{"AlarmName":"A","NewStateValue":"` + state + `","StateChangeTime":"2026-11-20T` + at + `.000+0000"}`
}

// An event that nobody will end, and an alert without a status, end by themselves.
func TestHookTimeout(t *testing.T) {
	w := newTestAPI(t, func(o *api.Options) { o.ResolveTimeout = time.Minute })
	if status, answer := w.hook("/hooks/aliyun", "application/json", `{"product":"ECS","name":"Reboot"}`); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if n := len(w.alerts()); n != 1 {
		t.Fatalf("%d alerts", n)
	}
	w.now = w.now.Add(time.Minute)
	if n := len(w.alerts()); n != 0 {
		t.Errorf("%d alerts after resolve_timeout", n)
	}
}

// Packed bodies are read, and so are those that name no type.
func TestHookPacked(t *testing.T) {
	w := newTestAPI(t)
	body := gzipped(t, grafana(`{"alertname":"A"}`))
	if status, answer := w.read(w.request(http.MethodPut, "/hooks/grafana", strings.NewReader(body), "Content-Encoding", "gzip")); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	if n := len(w.alerts()); n != 1 {
		t.Errorf("%d alerts", n)
	}
}

// A label of the query does not take the place of the alert's own.
func TestAddedLabels(t *testing.T) {
	w := newTestAPI(t)
	path := "/hooks/grafana?label=team:db&label=zone:a%3Ab&label=alertname:B"
	if status, answer := w.hook(path, "application/json", grafana(`{"alertname":"A"}`)); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if got, want := w.alerts()[0].Labels, map[string]string{"alertname": "A", "team": "db", "zone": "a:b"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Text of strangers is kept as it is: it is data here, and cleaned where it is
// shown.
func TestHookUntrustedText(t *testing.T) {
	w := newTestAPI(t, withGeneric)
	texts := []string{`<@all>`, `[x](javascript:alert(1))`, "a\r\nBcc: b@example.com", `{{ .Body }}`, `{{ template "x" }}`, `","severity":"none`, `${HOME}`}
	for _, text := range texts {
		body := `{"job":` + quote(text) + `}`
		if status, answer := w.hook("/hooks/generic/ci", "application/json", body); status != 200 {
			t.Errorf("%q: %d %s", text, status, answer)
		}
	}
	found := map[string]bool{}
	for _, a := range w.alerts() {
		if len(a.Labels) != 1 {
			t.Errorf("%v", a.Labels)
		}
		found[a.Labels["alertname"]] = true
	}
	for _, text := range texts {
		if !found[text] {
			t.Errorf("%q is not among the alerts", text)
		}
	}
}

func quote(s string) string {
	return strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
}

func withGeneric(o *api.Options) {
	o.Webhook.Generic = []intake.GenericConfig{
		{Name: "ci", Alerts: `{"labels": {"alertname": {{ .Body.job | toJson }}}, "annotations": {}, "status": "firing"}`},
		{Name: "echo", Alerts: `{"labels": {"alertname": "A"}, "annotations": {"header": {{ .Header | toJson }}, "query": {{ .Query | toJson }}}, "status": "firing"}`},
		{Name: "broken", Alerts: `{{`}, // Validate tells
	}
}

// A template sees a request without what authenticates it.
func TestGenericSeesNoToken(t *testing.T) {
	w := newTestAPI(t, withTokens, withGeneric)
	r := w.request(http.MethodPost, "/hooks/generic/echo?token="+hooksToken+"&x=1&label=a:b", strings.NewReader("{}"),
		"Content-Type", "application/json", "Cookie", "c="+hooksToken, "Authorization", "Bearer "+hooksToken, "X-Job", "nightly")
	if status, answer := w.read(r); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	_, body := w.read(w.request(http.MethodGet, "/api/v2/alerts", nil, "Authorization", "Bearer "+prometheusToken))
	if strings.Contains(body, hooksToken) || !strings.Contains(body, "nightly") || !strings.Contains(body, `{\"x\":[\"1\"]}`) {
		t.Error(body)
	}
	if strings.Contains(w.logs.String(), hooksToken) {
		t.Error("the log shows the token")
	}
}

// What is due at once is said before the answer; that it cannot be said is no
// fault of the message.
func TestFlush(t *testing.T) {
	var flushed int
	var w *testAPI
	ctx, leave := context.WithCancel(t.Context())
	w = newTestAPI(t, func(o *api.Options) {
		o.Flush = func(ctx context.Context) error {
			if leave(); ctx.Err() != nil {
				t.Error("the sender has left, and so nothing is said")
			}
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 3*time.Second {
				t.Errorf("the deadline is %v", deadline)
			}
			if alerts, err := w.engine.Alerts(ctx, w.now); err != nil || len(alerts) == 0 {
				t.Errorf("%d alerts are there, %v", len(alerts), err)
			}
			flushed++
			return errors.New("no route to the robot")
		}
	})
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/hooks/grafana", strings.NewReader(grafana(`{"alertname":"A"}`)))
	if status, answer := w.read(w.serve(r)); status != 200 || answer != `{"alerts":1,"status":"ok"}` {
		t.Errorf("%d %s", status, answer)
	}
	w.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"B"}}]`)
	if status, _ := w.hook("/hooks/grafana", "application/json", `{"alerts":[]}`); status != 200 {
		t.Errorf("%d", status)
	}
	if flushed != 2 || w.flushes != 0 || !strings.Contains(w.logs.String(), "no route to the robot") {
		t.Errorf("flushed %d times, woken %d times:\n%s", flushed, w.flushes, w.logs.String())
	}
}

func TestWebhookConfig(t *testing.T) {
	var f setting.Faults
	c := api.WebhookConfig{
		Auth: api.AuthConfig{Tokens: []api.TokenConfig{{}}}, MaxBody: 33 << 20, RateLimit: -1,
		SNS:     intake.SNSConfig{Topics: []string{"x"}},
		Generic: []intake.GenericConfig{{Name: "a", Alerts: "[]"}, {Name: "a", Alerts: "[]"}},
	}
	c.Validate(&f)
	var got []string
	for _, fault := range f.List() {
		got = append(got, strings.Trim(fmt.Sprint(fault.Path), "[]"))
	}
	want := "auth tokens 0 name, auth tokens 0 token, sns topics 0, max_body, rate_limit, generic 1 name"
	if strings.Join(got, ", ") != want {
		t.Errorf("%s, want %s", strings.Join(got, ", "), want)
	}
	f = setting.Faults{}
	if (&api.WebhookConfig{}).Validate(&f); len(f.List()) > 0 {
		t.Errorf("nothing configured: %v", f.List())
	}
}

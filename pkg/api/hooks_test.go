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

// grafana returns a message with firing alerts, each given by its labels as JSON.
func grafana(labels ...string) string {
	var alerts []string
	for _, l := range labels {
		alerts = append(alerts, `{"status":"firing","labels":`+l+`}`)
	}
	return `{"version":"1","alerts":[` + strings.Join(alerts, ",") + `]}`
}

// unsignedSNS accepts unsigned messages of Amazon SNS.
func unsignedSNS(o *api.Options) { o.Webhook.SNS.Verify = new(bool) }

// TestHooks posts a message of each system.
func TestHooks(t *testing.T) {
	for _, tt := range []struct {
		path, media, file string
		response          string
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
			a := newTestAPI(t, unsignedSNS)
			body, err := os.ReadFile("../intake/testdata/" + tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.mustHook("/hooks/"+tt.path+"?label=from:"+tt.path, tt.media, strings.TrimSpace(string(body))); got != tt.response {
				t.Fatalf("response: got %s, want %s", got, tt.response)
			}
			a.expectFlushes(1)
			all := a.alerts()
			if len(all) == 0 {
				t.Fatal("got no firing alerts")
			}
			for _, alert := range all {
				if alert.Labels["from"] != tt.path || alert.Labels["alertname"] == "" {
					t.Errorf("labels: got %v, want from=%s and an alertname", alert.Labels, tt.path)
				}
			}
		})
	}
}

func TestCallbackHook(t *testing.T) {
	a := newTestAPI(t)
	if status, response := a.get("/hooks/open-falcon/callback?metric=m&status=PROBLEM&priority=1&endpoint=e&tags=b:2,a:1&label=x:y"); status != 200 {
		t.Errorf("got %d %s, want 200", status, response)
	}
	want := map[string]string{"alertname": "m", "endpoint": "e", "priority": "P1", "severity": "critical", "a": "1", "b": "2", "x": "y"}
	if got := a.expectAlerts(1)[0].Labels; !maps.Equal(got, want) {
		t.Errorf("labels: got %v, want %v", got, want)
	}
}

// TestHookResolves checks that the messages about an alert update one alert with the
// start of the first message, and that the last one resolves it.
func TestHookResolves(t *testing.T) {
	falcon := func(status, step, at string) string {
		return url.Values{"tos": {"u1"}, "content": {"[P1][" + status + "][db-1][][disk all(#3) df.free mount=/ " + step + "<10][O" + step + " 2026-11-20 " + at + "]"}}.Encode()
	}
	zabbix := func(value, recovery string) string {
		return `{"event_id":"5","event_value":` + value + `,"event_name":"n","host_name":"h","event_date":"2026.11.20","event_time":"21:00:00"` + recovery + `}`
	}
	for _, tt := range []struct {
		path, media      string
		firing, resolved []string
		starts           string
	}{
		{"open-falcon/im", form, []string{falcon("PROBLEM", "1", "21:00:00"), falcon("PROBLEM", "2", "21:05:00"), falcon("PROBLEM", "3", "21:10:00")}, []string{falcon("OK", "1", "21:20:00")}, "21:00"},
		{"zabbix", "application/json", []string{zabbix("1", ""), zabbix("1", `,"event_update_status":"1","event_update_message":"seen"`)}, []string{zabbix("0", `,"event_recovery_date":"2026.11.20","event_recovery_time":"21:30:00"`)}, "21:00"},
		{"aliyun", form, []string{"alertName=a&alertState=ALERT&curValue=97&triggerLevel=CRITICAL&timestamp=1795208400000&dimensions=%7Bid%3Di-1%7D"}, []string{"alertName=a&alertState=OK&curValue=1&triggerLevel=OK&timestamp=1795209000000&dimensions=%7Bid%3Di-1%7D"}, "21:00"},
		{"grafana", "application/json", []string{`{"alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-11-20T21:00:00Z","endsAt":"0001-01-01T00:00:00Z"}]}`}, []string{`{"alerts":[{"status":"resolved","labels":{"alertname":"A"},"startsAt":"2026-11-20T21:00:00Z","endsAt":"2026-11-20T21:40:00Z"}]}`}, "21:00"},
		{"sns", "text/plain", []string{cloudWatch("ALARM", "21:00:00")}, []string{cloudWatch("OK", "21:20:00")}, "21:00"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			a := newTestAPI(t, unsignedSNS)
			for i, body := range tt.firing {
				a.mustHook("/hooks/"+tt.path, tt.media, body)
				if got := a.expectAlerts(1)[0]; got.StartsAt.UTC().Format("15:04") != tt.starts || !got.EndsAt.IsZero() {
					t.Fatalf("after message %d: got %+v, want a start at %s and no end", i, got, tt.starts)
				}
				a.now = a.now.Add(10 * time.Hour) // it fires until its source resolves it
			}
			for _, body := range tt.resolved {
				a.mustHook("/hooks/"+tt.path, tt.media, body)
			}
			a.expectAlerts(0)
		})
	}
}

// cloudWatch returns the message of an alarm that changed its state at a time of day.
func cloudWatch(state, at string) string {
	return `{"AlarmName":"A","NewStateValue":"` + state + `","StateChangeTime":"2026-11-20T` + at + `.000+0000"}`
}

// TestHookVariants posts messages in the ways of senders that are less strict.
func TestHookVariants(t *testing.T) {
	metric := `{"sessionId":"s","alarmStatus":"1","alarmPolicyInfo":{"conditions":{"metricName":"m"}}}`
	threshold := "alertName=a&alertState=ALERT"
	for _, tt := range []struct {
		name, path, media, body string
		alerts                  int
		response                string
	}{
		{"a slash at the end", "/hooks/grafana/", "application/json", grafana(`{"alertname":"A"}`), 1, `{"alerts":1,"status":"ok"}`},
		{"a slash and a token parameter", "/hooks/open-falcon/im/?token=x", form, "content=%5BP3%5D%5BPROBLEM%5D+2+m.++e.g.+h.+detail+in+email", 1, `{"alerts":1,"status":"ok"}`},
		{"a byte order mark", "/hooks/grafana", "application/json", "\ufeff" + grafana(`{"alertname":"A"}`), 1, `{"alerts":1,"status":"ok"}`},
		{"a byte order mark before a form", "/hooks/aliyun", form, "\ufeff" + threshold, 1, `{"alerts":1,"status":"ok"}`},
		{"JSON as text", "/hooks/tencent-monitor", "text/plain", metric, 1, `{"alerts":1,"retCode":0,"sessionId":"s","status":"ok"}`},
		{"JSON as a form", "/hooks/tencent-monitor", form, metric, 1, `{"alerts":1,"retCode":0,"sessionId":"s","status":"ok"}`},
		{"JSON as a form, where forms are accepted", "/hooks/aliyun", form, `{"alertName":"a","alertState":"ALERT"}`, 1, `{"alerts":1,"status":"ok"}`},
		{"a form as text", "/hooks/aliyun", "text/plain", threshold, 1, `{"alerts":1,"status":"ok"}`},
		{"a form without a media type", "/hooks/aliyun", "", threshold, 1, `{"alerts":1,"status":"ok"}`},
		{"a verification without a body", "/hooks/tencent-monitor", "application/json", "", 0, `{"alerts":0,"retCode":0,"status":"ok"}`},
		{"a verification of an empty object", "/hooks/tencent-monitor", "application/json", "{}", 0, `{"alerts":0,"retCode":0,"sessionId":"","status":"ok"}`},
		{"a verification with a sessionId", "/hooks/tencent-monitor", "application/json", `{"sessionId":"s"}`, 0, `{"alerts":0,"retCode":0,"sessionId":"s","status":"ok"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newTestAPI(t)
			if got := a.mustHook(tt.path, tt.media, tt.body); got != tt.response {
				t.Errorf("response: got %s, want %s", got, tt.response)
			}
			a.expectAlerts(tt.alerts)
		})
	}
}

// TestHookTimeout checks that an event, which has no recovery, expires.
func TestHookTimeout(t *testing.T) {
	a := newTestAPI(t, func(o *api.Options) { o.ResolveTimeout = time.Minute })
	a.mustHook("/hooks/aliyun", "application/json", `{"product":"ECS","name":"Reboot"}`)
	a.expectAlerts(1)
	a.now = a.now.Add(time.Minute)
	a.expectAlerts(0)
}

// TestHookGzip posts a compressed body without a media type.
func TestHookGzip(t *testing.T) {
	a := newTestAPI(t)
	a.expect(a.request(http.MethodPut, "/hooks/grafana", strings.NewReader(gzipped(t, grafana(`{"alertname":"A"}`))), "Content-Encoding", "gzip"), 200, "")
	a.expectAlerts(1)
}

// TestQueryLabels checks that labels of the query do not replace an alert's own.
func TestQueryLabels(t *testing.T) {
	a := newTestAPI(t)
	a.mustHook("/hooks/grafana?label=team:db&label=zone:a%3Ab&label=alertname:B", "application/json", grafana(`{"alertname":"A"}`))
	if got, want := a.expectAlerts(1)[0].Labels, map[string]string{"alertname": "A", "team": "db", "zone": "a:b"}; !maps.Equal(got, want) {
		t.Errorf("labels: got %v, want %v", got, want)
	}
}

// TestHookUntrustedText checks that text is stored unchanged; it is cleaned where it is
// displayed.
func TestHookUntrustedText(t *testing.T) {
	a := newTestAPI(t, withGeneric)
	texts := []string{`<@all>`, `[x](javascript:alert(1))`, "a\r\nBcc: b@example.com", `{{ .Body }}`, `{{ template "x" }}`, `","severity":"none`, `${HOME}`}
	for _, text := range texts {
		body := `{"job":` + quote(text) + `}`
		a.mustHook("/hooks/generic/ci", "application/json", body)
	}
	found := map[string]bool{}
	for _, alert := range a.alerts() {
		if len(alert.Labels) != 1 {
			t.Errorf("labels: got %v, want the alertname only", alert.Labels)
		}
		found[alert.Labels["alertname"]] = true
	}
	for _, text := range texts {
		if !found[text] {
			t.Errorf("no alert is named %q", text)
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
		{Name: "broken", Alerts: `{{`}, // Validate reports it
	}
}

// TestGenericTemplateInput checks that a template gets the request without credentials.
func TestGenericTemplateInput(t *testing.T) {
	a := newTestAPI(t, withTokens, withGeneric)
	r := a.request(http.MethodPost, "/hooks/generic/echo?token="+hooksToken+"&x=1&label=a:b", strings.NewReader("{}"),
		"Content-Type", "application/json", "Cookie", "c="+hooksToken, "Authorization", "Bearer "+hooksToken, "X-Job", "nightly")
	a.expect(r, 200, "")
	_, body := a.read(a.request(http.MethodGet, "/api/v2/alerts", nil, "Authorization", "Bearer "+prometheusToken))
	if strings.Contains(body, hooksToken) || !strings.Contains(body, "nightly") || !strings.Contains(body, `{\"x\":[\"1\"]}`) {
		t.Errorf("got alerts %s, want the header and the query without the token", body)
	}
	if strings.Contains(a.logs.String(), hooksToken) {
		t.Error("the log contains the token")
	}
}

// TestFlush checks that a flush precedes the response, outlives the client, and that its
// error does not change the response.
func TestFlush(t *testing.T) {
	var flushed int
	var a *testAPI
	ctx, disconnect := context.WithCancel(t.Context())
	a = newTestAPI(t, func(o *api.Options) {
		o.Flush = func(ctx context.Context) error {
			if disconnect(); ctx.Err() != nil {
				t.Error("the context ended with the client's connection")
			}
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 3*time.Second {
				t.Errorf("deadline: got %v, want at most 3s", deadline)
			}
			if alerts, err := a.engine.Alerts(ctx, a.now); err != nil || len(alerts) == 0 {
				t.Errorf("stored alerts: got %d, %v, want them before the flush", len(alerts), err)
			}
			flushed++
			return errors.New("no route to the robot")
		}
	})
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/hooks/grafana", strings.NewReader(grafana(`{"alertname":"A"}`)))
	a.expect(a.serve(r), 200, `{"alerts":1,"status":"ok"}`)
	a.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"B"}}]`)
	a.mustHook("/hooks/grafana", "application/json", `{"alerts":[]}`)
	if flushed != 2 || !strings.Contains(a.logs.String(), "no route to the robot") {
		t.Errorf("got %d flushes and the log\n%s\nwant 2 and the error", flushed, a.logs.String())
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
		t.Errorf("faults: got %s, want %s", strings.Join(got, ", "), want)
	}
	f = setting.Faults{}
	if (&api.WebhookConfig{}).Validate(&f); len(f.List()) > 0 {
		t.Errorf("faults of an empty configuration: got %v, want none", f.List())
	}
}

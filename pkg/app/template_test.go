package app_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/app"
	"tocsin/pkg/config"
	"tocsin/pkg/metrics"
)

// A template that fails is replaced by the built-in text with a note, and counted in
// /metrics.
func TestFailingTemplate(t *testing.T) {
	ta := newTestApp(t)
	text := strings.Replace(configuration, `key=robot-secret-key"}]`, `key=robot-secret-key", message: "{{ (index .Alerts 9).Labels.nothing }}"}]`, 1)
	cfg, _, err := config.Parse("tocsin.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	registry := new(metrics.Registry)
	a, err := app.New(t.Context(), cfg, app.Options{
		Transport: app.Transport{Dial: ta.cloud.Network.DialContext, RootCAs: ta.cloud.Network.RootCAs()}, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(ta.logs, nil)), Store: "memory:", Metrics: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	h, err := app.Handler(a, api.Options{Now: time.Now, Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "http://127.0.0.1/api/v2/alerts", strings.NewReader(`[{"labels": {"alertname": "DiskFull", "host": "db-1"}}]`))
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if _, err := a.Dispatch(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	got := ta.cloud.WeCom.Inbox()
	if len(got) != 1 || !strings.Contains(got[0].Content, "DiskFull") || !strings.Contains(got[0].Content, "db-1") || !strings.Contains(got[0].Content, "模板") {
		t.Errorf("got %+v, want one message with DiskFull, db-1 and a note on the template\n%s", got, ta.logs)
	}
	page := httptest.NewRecorder()
	h.ServeHTTP(page, httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil))
	if body := page.Body.String(); strings.Contains(body, `tocsin_template_failures_total{integration="wecom_robot"} 0`) ||
		!strings.Contains(body, `tocsin_template_failures_total{integration="wecom_robot"} `) ||
		!strings.Contains(body, `tocsin_template_failures_total{integration="sms"} 0`) {
		t.Errorf("got metrics\n%s\nwant a template failure of wecom_robot and none of sms", body)
	}
}

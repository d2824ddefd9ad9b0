package api_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
	"tocsin/pkg/metrics"
	"tocsin/pkg/store"
)

func (w *testAPI) metrics() []string {
	w.t.Helper()
	r := w.request("GET", "/metrics", nil)
	status, body := w.read(r)
	if status != 200 || r.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		w.t.Fatalf("%d %s", status, r.Header.Get("Content-Type"))
	}
	return strings.Split(body, "\n")
}

func TestMetrics(t *testing.T) {
	registry := &metrics.Registry{}
	api.RecordReload(registry, time.UnixMilli(1_795_000_000_500), true)
	w := newTestAPI(t, func(o *api.Options) { o.Metrics, o.Version.Revision = registry, "v1.2.3" })
	expect := func(lines ...string) {
		t.Helper()
		got := w.metrics()
		for _, line := range lines {
			if !slices.Contains(got, line) {
				t.Errorf("%s is missing in\n%s", line, strings.Join(got, "\n"))
			}
		}
	}
	expect(
		`alertmanager_alerts_received_total{status="firing",version="v2"} 0`,
		`alertmanager_alerts_received_total{status="resolved",version="v2"} 0`,
		`alertmanager_alerts_invalid_total{version="v2"} 0`,
		`alertmanager_alerts{state="active"} 0`,
		`alertmanager_silences{state="active"} 0`,
		`alertmanager_config_last_reload_successful 1`,
		`alertmanager_config_last_reload_success_timestamp_seconds 1.7950000005e+09`,
		`alertmanager_receivers 3`,
		`tocsin_dead_letters 0`,
		`tocsin_store_up 1`,
	)
	w.mustPost("/api/v2/alerts", scene)
	w.silence(silence(`{"name":"alertname","value":"C","isRegex":false}`))
	w.silence(silence(`{"name":"alertname","value":"D","isRegex":false}`, `"startsAt":"2027-01-01"`))
	w.post("/api/v2/alerts", `[{"labels":{"alertname":"E"}},{"labels":{}},{"labels":{"":"x"},"endsAt":"2026-01-01"}]`)
	api.RecordReload(registry, t0, false)
	expect(
		`alertmanager_alerts_received_total{status="firing",version="v2"} 7`, // invalid ones too, as in Alertmanager
		`alertmanager_alerts_received_total{status="resolved",version="v2"} 2`,
		`alertmanager_alerts_invalid_total{version="v2"} 2`,
		`alertmanager_alerts{state="active"} 4`,
		`alertmanager_alerts{state="suppressed"} 2`,
		`alertmanager_alerts{state="unprocessed"} 0`,
		`alertmanager_silences{state="active"} 1`,
		`alertmanager_silences{state="expired"} 0`,
		`alertmanager_silences{state="pending"} 1`,
		`alertmanager_config_last_reload_successful 0`,
		`alertmanager_config_last_reload_success_timestamp_seconds 1.7950000005e+09`,
	)
	if !slices.ContainsFunc(w.metrics(), func(l string) bool {
		return strings.HasPrefix(l, "alertmanager_build_info{") && strings.Contains(l, `revision="v1.2.3",version="0.34.2"} 1`)
	}) {
		t.Error("build info is missing")
	}

	// A handler built after a reload counts on.
	w = newTestAPI(t, func(o *api.Options) { o.Metrics = registry })
	w.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A"}}]`)
	expect(`alertmanager_alerts_received_total{status="firing",version="v2"} 8`)
}

// What was counted is told when the store is away; how things stand is not known.
func TestMetricsWithoutStore(t *testing.T) {
	w := newTestAPI(t)
	w.store.err = store.ErrUnavailable
	got := w.metrics()
	if !slices.Contains(got, "tocsin_store_up 0") || !slices.Contains(got, `alertmanager_alerts_invalid_total{version="v2"} 0`) {
		t.Errorf("%q", got)
	}
	for _, line := range got {
		if strings.HasPrefix(line, "alertmanager_alerts{") || strings.HasPrefix(line, "alertmanager_silences{") || strings.HasPrefix(line, "tocsin_dead_letters ") {
			t.Errorf("%s is not known", line)
		}
	}
}

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

// metrics returns the lines of /metrics.
func (a *testAPI) metrics() []string {
	a.t.Helper()
	r := a.request("GET", "/metrics", nil)
	status, body := a.read(r)
	if status != 200 || r.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		a.t.Fatalf("got %d with Content-Type %q, want 200 and text", status, r.Header.Get("Content-Type"))
	}
	return strings.Split(body, "\n")
}

func TestMetrics(t *testing.T) {
	registry := &metrics.Registry{}
	api.RecordReload(registry, time.UnixMilli(1_795_000_000_500), true)
	a := newTestAPI(t, func(o *api.Options) { o.Metrics, o.Version.Revision = registry, "v1.2.3" })
	expect := func(lines ...string) {
		t.Helper()
		got := a.metrics()
		for _, line := range lines {
			if !slices.Contains(got, line) {
				t.Errorf("got\n%s\nwant the line %s", strings.Join(got, "\n"), line)
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
	a.mustPost("/api/v2/alerts", scene)
	a.silence(silence(`{"name":"alertname","value":"C","isRegex":false}`))
	a.silence(silence(`{"name":"alertname","value":"D","isRegex":false}`, `"startsAt":"2027-01-01"`))
	a.post("/api/v2/alerts", `[{"labels":{"alertname":"E"}},{"labels":{}},{"labels":{"":"x"},"endsAt":"2026-01-01"}]`)
	api.RecordReload(registry, t0, false)
	expect(
		`alertmanager_alerts_received_total{status="firing",version="v2"} 7`, // including invalid ones, as in Alertmanager
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
	if !slices.ContainsFunc(a.metrics(), func(l string) bool {
		return strings.HasPrefix(l, "alertmanager_build_info{") && strings.Contains(l, `revision="v1.2.3",version="0.34.2"} 1`)
	}) {
		t.Error("got no alertmanager_build_info with the revision and the version")
	}

	// Counters continue in the API of the next configuration.
	a = newTestAPI(t, func(o *api.Options) { o.Metrics = registry })
	a.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A"}}]`)
	expect(`alertmanager_alerts_received_total{status="firing",version="v2"} 8`)
}

// TestMetricsWithoutStore checks that counters are exported without the store, and gauges
// of its content are not.
func TestMetricsWithoutStore(t *testing.T) {
	a := newTestAPI(t)
	a.store.err = store.ErrUnavailable
	got := a.metrics()
	if !slices.Contains(got, "tocsin_store_up 0") || !slices.Contains(got, `alertmanager_alerts_invalid_total{version="v2"} 0`) {
		t.Errorf("got %q, want tocsin_store_up 0 and the counters", got)
	}
	for _, line := range got {
		if strings.HasPrefix(line, "alertmanager_alerts{") || strings.HasPrefix(line, "alertmanager_silences{") || strings.HasPrefix(line, "tocsin_dead_letters ") {
			t.Errorf("got %s, want no such metric", line)
		}
	}
}

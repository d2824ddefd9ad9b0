package api_test

import (
	"context"
	"slices"
	"strings"
	"testing"

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
		`alertmanager_receivers 3`,
		`alertmanager_integrations 0`,
		`alertmanager_inhibition_rules 1`,
		`alertmanager_dispatcher_aggregation_groups 0`,
		`alertmanager_cluster_enabled 0`,
		`tocsin_dead_letters 0`,
		`tocsin_store_up 1`,
	)
	a.mustPost("/api/v2/alerts", scene)
	a.silence(silence(`{"name":"alertname","value":"C","isRegex":false}`))
	a.silence(silence(`{"name":"alertname","value":"D","isRegex":false}`, `"startsAt":"2027-01-01"`))
	a.post("/api/v2/alerts", `[{"labels":{"alertname":"E"}},{"labels":{}},{"labels":{"":"x"},"endsAt":"2026-01-01"}]`)
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
		`alertmanager_dispatcher_aggregation_groups 7`, // of A, B, C, later and E, and of the A of team db on its two other routes
	)
	if !slices.ContainsFunc(a.metrics(), func(l string) bool {
		return strings.HasPrefix(l, "alertmanager_build_info{") && strings.Contains(l, `revision="v1.2.3",tags="unknown",version="0.34.2"} 1`)
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

// TestClusterMetrics checks that the instances on the store are counted, also while the
// store is out of reach.
func TestClusterMetrics(t *testing.T) {
	a := newTestAPI(t, func(o *api.Options) {
		o.Name = "one"
		o.Peers = func(context.Context) []api.Peer { return []api.Peer{{Name: "one"}, {Name: "two"}} }
	})
	a.store.err = store.ErrUnavailable
	got := a.metrics()
	for _, want := range []string{"alertmanager_cluster_enabled 1", "alertmanager_cluster_members 2", "alertmanager_cluster_failed_peers 0", `alertmanager_cluster_peer_info{peer="one"} 1`} {
		if !slices.Contains(got, want) {
			t.Errorf("got\n%s\nwant the line %s", strings.Join(got, "\n"), want)
		}
	}
}

// TestHookMetrics checks that requests to hooks are counted by status, whoever refused
// them, and that other paths make no series.
func TestHookMetrics(t *testing.T) {
	a := newTestAPI(t, func(o *api.Options) {
		o.RoutePrefix = "/tocsin"
		o.Webhook.Auth.Tokens = []api.TokenConfig{{Name: "t", Token: "secret-hook-token"}}
	})
	hook := func(path, token, body string) {
		a.request("POST", "/tocsin/hooks/"+path+"?token="+token, strings.NewReader(body), "Content-Type", "application/json")
	}
	hook("alertmanager", "secret-hook-token", `{"version":"4","alerts":[{"labels":{"alertname":"A"},"status":"firing"}]}`)
	hook("alertmanager", "secret-hook-token", "nonsense")
	hook("alertmanager", "wrong", "{}")
	hook("no-such-hook", "secret-hook-token", "{}")
	a.store.panic = "broken"
	hook("alertmanager", "secret-hook-token", `{"version":"4","alerts":[{"labels":{"alertname":"B"},"status":"firing"}]}`)
	a.store.panic = ""
	var got []string
	_, text := a.read(a.request("GET", "/tocsin/metrics", nil, "Authorization", "Bearer secret-hook-token"))
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "tocsin_hook_requests_total{") && !strings.HasSuffix(line, " 0\n") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{
		`tocsin_hook_requests_total{hook="alertmanager",code="200"} 1`,
		`tocsin_hook_requests_total{hook="alertmanager",code="400"} 1`,
		`tocsin_hook_requests_total{hook="alertmanager",code="401"} 1`,
		`tocsin_hook_requests_total{hook="alertmanager",code="500"} 1`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestHostMetrics checks that hosts are counted by state.
func TestHostMetrics(t *testing.T) {
	a, _ := newAgentAPI(t)
	a.requestAs(hostToken, "POST", "/agents/web-1/report", cpuReport)
	_, text := a.read(a.requestAs(prometheusToken, "GET", "/metrics", ""))
	for _, want := range []string{`tocsin_hosts{state="online"} 1`, `tocsin_hosts{state="offline"} 0`, `tocsin_hosts{state="never"} 2`, `tocsin_hosts{state="inactive"} 0`} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("got\n%s\nwant the line %s", text, want)
		}
	}
}

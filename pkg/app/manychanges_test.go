package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/app"
	"tocsin/pkg/localcloud/tencentcloud"
)

// manyChanges has 5 routes that continue, each with a group for every alert, and 9
// inhibition rules that have every alert as a source. So one alert takes 20 changes of
// the store: itself, 5 times a group and a member, and 9 sources.
func manyChanges() string {
	var b strings.Builder
	b.WriteString(`
global: {tencent_secret_id: AKIDexample, tencent_secret_key: cloud-secret-key}
lag: {clusters: [{name: orders, ckafka: {instance_id: ckafka-1, region: ap-guangzhou}}], rules: [{alert: Lag, max_lag: 2000}]}
receivers: [{name: w, webhook_configs: [{url: "https://hooks.example.com/"}]}]
route:
  receiver: w
  group_by: ["..."]
  group_wait: 1h
  routes:
`)
	for i := range 5 {
		fmt.Fprintf(&b, "    - {matchers: ['route%d=\"\"'], continue: true}\n", i)
	}
	b.WriteString("inhibit_rules:\n")
	for i := range 9 {
		fmt.Fprintf(&b, "  - {source_matchers: ['rule%d=\"\"'], target_matchers: ['severity=\"none\"']}\n", i)
	}
	b.WriteString("hosts:\n  hosts:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "    - {id: host-%d}\n", i)
	}
	return b.String()
}

// TestThousandAlertsWithManyChanges takes in 1,000 alerts at once from each source. They
// change twice as many keys as a commit of the store may.
func TestThousandAlertsWithManyChanges(t *testing.T) {
	const alerts, groups = 1000, 5 * 1000
	for _, source := range []struct {
		name string
		take func(t *testing.T, ta *testApp, a *app.App, h http.Handler)
	}{
		{"API v2", func(t *testing.T, _ *testApp, _ *app.App, h http.Handler) {
			var list []any
			for i := range alerts {
				list = append(list, map[string]any{"labels": map[string]string{"alertname": "Down", "n": fmt.Sprint(i)}})
			}
			if w := postAlerts(t, h, list...); w.Code != http.StatusOK {
				t.Fatalf("got %d %.200s, want 200", w.Code, w.Body)
			}
		}},
		{"lag", func(t *testing.T, ta *testApp, a *app.App, _ http.Handler) {
			topics := make([]tencentcloud.Topic, alerts)
			for i := range topics {
				topics[i] = tencentcloud.Topic{Name: fmt.Sprint("topic-", i), Partitions: []tencentcloud.Partition{{Committed: 1, End: 5001}}}
			}
			ta.cloud.Tencent.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.StaticGroups{"worker": topics}})
			if got, err := a.Lag(t.Context(), time.Now()); err != nil || got.Alerts != alerts {
				t.Fatalf("got %d alerts and %v, want %d", got.Alerts, err, alerts)
			}
		}},
		{"hosts", func(t *testing.T, _ *testApp, a *app.App, h http.Handler) {
			for i := range alerts {
				body := fmt.Sprintf(`{"client_id": "host-%d", "service_name": "s", "data": {}}`, i)
				r := httptest.NewRequest("POST", fmt.Sprintf("http://127.0.0.1/agents/host-%d/report", i), strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusOK {
					t.Fatalf("report: got %d %.200s, want 200", w.Code, w.Body)
				}
			}
			if got, err := a.Hosts(t.Context(), time.Now().Add(2*time.Minute)); err != nil || got.Alerts != alerts {
				t.Fatalf("got %d alerts and %v, want %d", got.Alerts, err, alerts)
			}
		}},
	} {
		t.Run(source.name, func(t *testing.T) {
			ta := newTestApp(t)
			a, h := ta.webhookApp(manyChanges())
			source.take(t, ta, a, h)
			for path, want := range map[string]int{"alerts": alerts, "alerts/groups": groups} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/api/v2/"+path, nil))
				var got []json.RawMessage
				if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got) != want {
					t.Errorf("%s: got %d and %v, want %d", path, len(got), err, want)
				}
			}
		})
	}
}

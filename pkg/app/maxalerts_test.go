package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestMaxAlertsOfALargeGroup checks that a webhook receives one request about a group
// that is several times larger than a stored value, with the number of alerts left out.
func TestMaxAlertsOfALargeGroup(t *testing.T) {
	ta := newTestApp(t)
	type body struct {
		Alerts          []any
		TruncatedAlerts int
	}
	var got []body
	if _, err := ta.cloud.Network.ServeHTTPS("hooks.example.com", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b body
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			t.Error(err)
		}
		got = append(got, b)
	})); err != nil {
		t.Fatal(err)
	}
	a, h := ta.webhookApp("route: {receiver: w, group_by: [alertname], group_wait: 1m}\n" +
		"receivers: [{name: w, webhook_configs: [{url: \"https://hooks.example.com/\", max_alerts: 5}]}]\n")
	description := strings.Repeat("x", 600)
	for i := range 6 {
		var alerts []any
		for j := range 1000 {
			alerts = append(alerts, map[string]any{"labels": map[string]string{"alertname": "Down", "n": fmt.Sprint(i, j)},
				"annotations": map[string]string{"description": description}})
		}
		if w := postAlerts(t, h, alerts...); w.Code != http.StatusOK {
			t.Fatalf("got %d %.200s, want 200", w.Code, w.Body)
		}
	}
	if _, err := a.Dispatch(t.Context(), time.Now().Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if len(got) != 1 || len(got[0].Alerts) != 5 || got[0].TruncatedAlerts != 5995 {
		t.Errorf("got %d requests, want one with 5 alerts and 5995 left out", len(got))
		for _, b := range got {
			t.Logf("%d alerts, %d left out", len(b.Alerts), b.TruncatedAlerts)
		}
	}
}

package intake_test

import (
	"fmt"
	"time"

	"tocsin/pkg/intake"
)

// Decoding the body of an Alertmanager webhook.
func ExampleAlertmanager() {
	now := time.Date(2026, 11, 20, 14, 30, 0, 0, time.UTC)
	body := `{
		"version": "4",
		"alerts": [
			{
				"status": "firing",
				"labels": {"alertname": "DiskFull", "instance": "10.0.0.8:9100"},
				"annotations": {"summary": "/data is full"},
				"startsAt": "2026-11-20T14:00:00Z",
				"endsAt": "0001-01-01T00:00:00Z"
			},
			{
				"status": "resolved",
				"labels": {"alertname": "DiskFull", "instance": "10.0.0.9:9100"},
				"startsAt": "2026-11-20T13:00:00Z",
				"endsAt": "2026-11-20T14:20:00Z"
			}
		]
	}`
	out, err := intake.Alertmanager(intake.Input{Body: []byte(body), Media: intake.JSON, Now: now})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range out.Alerts {
		fmt.Println(a.Name(), a.Labels["instance"], a.ResolvedAt(now))
	}

	_, err = intake.Alertmanager(intake.Input{Body: []byte(`{"version": "4", "alerts": [{"labels": {}}]}`), Now: now})
	fmt.Println(err)
	// Output:
	// DiskFull 10.0.0.8:9100 false
	// DiskFull 10.0.0.9:9100 true
	// alerts[0].status: is missing
}

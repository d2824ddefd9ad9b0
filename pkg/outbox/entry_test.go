package outbox

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
)

func TestBackoff(t *testing.T) {
	for _, test := range []struct {
		attempts int
		want     time.Duration
	}{
		{1, 500 * time.Millisecond}, {2, time.Second}, {3, 2 * time.Second}, {10, 256 * time.Second}, {11, 5 * time.Minute}, {50, 5 * time.Minute},
	} {
		t.Run(fmt.Sprint(test.attempts), func(t *testing.T) {
			if got := backoff("id", test.attempts); got < test.want || got > test.want+test.want/5 {
				t.Errorf("got %v, want %v and up to a fifth more", got, test.want)
			}
		})
	}
	t.Run("notifications have different jitter", func(t *testing.T) {
		if a, b := backoff("id", 3), backoff("other", 3); a == b {
			t.Errorf("got %v for both, want different times", a)
		}
	})
}

// TestMemoryOfReading checks that reading a notification back takes memory in
// proportion to its size, however many alerts it has.
func TestMemoryOfReading(t *testing.T) {
	for _, alerts := range []int{1000, 4000} {
		t.Run(fmt.Sprintf("%d alerts", alerts), func(t *testing.T) {
			var e Entry
			for i := range alerts {
				e.Alerts = append(e.Alerts, &alert.Alert{
					Labels: alert.Labels{"alertname": "TargetDown", "instance": fmt.Sprintf("node-%d.example.com:9100", i),
						"job": "node", "severity": "critical", "cluster": "production"},
					Annotations: alert.Labels{"summary": strings.Repeat("The target is down. ", 5),
						"description": strings.Repeat("It has not answered for five minutes. ", 4)},
					GeneratorURL: "https://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
					StartsAt:     time.Unix(1, 0), EndsAt: time.Unix(2, 0), UpdatedAt: time.Unix(1, 0),
				})
			}
			stored, err := e.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			var read Entry
			got := allocated(func() { err = read.UnmarshalBinary(stored) })
			if err != nil || len(read.Alerts) != alerts {
				t.Fatalf("got %d alerts and %v, want %d", len(read.Alerts), err, alerts)
			}
			if want := uint64(3 * len(stored)); got > want {
				t.Errorf("got %d bytes allocated for %d stored ones, want at most %d", got, len(stored), want)
			}
		})
	}
}

// allocated returns the number of bytes that do allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Package notifytest checks that every channel of package notify keeps the same
// contract. It also has alerts, golden messages and helpers that their tests share.
//
// [Run] is the contract test. Its argument, a [Channel], describes how to start the
// vendor's fake, what readers received, and the vendor's errors:
//
//	func TestContract(t *testing.T) {
//		notifytest.Run(t, notifytest.Channel[*Config]{
//			Start:   startVendor,
//			Kind:    notify.Kind{Name: "example"},
//			Secrets: []string{token},
//			Errors:  vendorErrors(),
//		})
//	}
//
// Only tests import it.
package notifytest

import (
	"maps"
	"time"

	"tocsin/pkg/alert"
)

// Shanghai is the time zone of messages.
var Shanghai = time.FixedZone("CST", 8*3600)

// At is the time of notifications, and of NewEnv's clock.
var At = time.Date(2026, 11, 20, 23, 10, 10, 0, Shanghai)

// Topic is a name with characters that are markup in some channels, inside a word
// and at its end.
const Topic = "order_created_*"

// Ago returns the time that is d before At.
func Ago(d time.Duration) time.Time { return At.Add(-d) }

// Notification returns a notification of alerts to the receiver ops, at At.
func Notification(alerts ...*alert.Alert) *alert.Notification {
	return &alert.Notification{ID: "1", Receiver: "ops", At: At, Alerts: alerts}
}

// LagAlert returns a firing alert as pkg/lag makes it, with two partitions that
// are behind. lag has at most six digits.
func LagAlert(topic, lag string, since time.Duration) *alert.Alert {
	return &alert.Alert{
		Labels: alert.Labels{"alertname": alert.ConsumerLagAlert, "cluster": "orders", "consumer_group": "order-worker", "topic": topic, "severity": "warning"},
		Annotations: alert.Labels{
			"lag": lag, "threshold": "2000", "partitions": "3:5000,7:4100",
			"summary": "order-worker 消费 " + topic + " 积压 " + Grouped(lag) + " 条（阈值 2,000）",
		},
		StartsAt: Ago(since), UpdatedAt: At, Builtin: alert.BuiltinSummary,
	}
}

// ResolvedLagAlert returns a LagAlert that ended at At.
func ResolvedLagAlert(topic, lag string, since time.Duration) *alert.Alert {
	a := LagAlert(topic, lag, since)
	a.EndsAt = At
	a.Annotations = alert.Labels{"lag": lag, "threshold": "2000", "summary": "order-worker 消费 " + topic + " 的积压已降到 " + Grouped(lag) + " 条（阈值 2,000）"}
	return a
}

// Grouped returns a number of at most six digits with a comma before the last
// three, as messages show it.
func Grouped(s string) string {
	if len(s) < 4 {
		return s
	}
	return s[:len(s)-3] + "," + s[len(s)-3:]
}

// OneTopic returns the alert of Topic, which has been lagging for five minutes.
func OneTopic() []*alert.Alert {
	return []*alert.Alert{LagAlert(Topic, "12345", 5*time.Minute)}
}

// OneTopicResolved returns the alert of OneTopic, resolved.
func OneTopicResolved() []*alert.Alert {
	return []*alert.Alert{ResolvedLagAlert(Topic, "1200", 5*time.Minute)}
}

// FewTopics returns the alerts of Topic and of one that is further behind.
func FewTopics() []*alert.Alert {
	return append(OneTopic(), LagAlert("order_paid", "30000", 65*time.Minute))
}

// ManyTopics returns the alerts of seven topics, orders-a to orders-g. orders-b is
// furthest behind, and their sum is 357,000.
func ManyTopics() []*alert.Alert {
	var out []*alert.Alert
	for i, lag := range []string{"25000", "90000", "31000", "71000", "22000", "30000", "88000"} {
		out = append(out, LagAlert("orders-"+string(rune('a'+i)), lag, time.Duration(i+1)*time.Minute))
	}
	return out
}

// MixedStates returns a firing and a resolved alert.
func MixedStates() []*alert.Alert {
	return append(OneTopic(), ResolvedLagAlert("order_paid", "1200", 15*time.Minute))
}

// DiskAlert returns an alert of a Prometheus rule with annotations.
func DiskAlert(annotations alert.Labels) []*alert.Alert {
	return []*alert.Alert{{
		Labels:       alert.Labels{"alertname": "DiskFull", "instance": "10.0.0.8:9100", "job": "node", "mountpoint": "/data", "severity": "critical"},
		Annotations:  maps.Clone(annotations),
		GeneratorURL: "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1",
		StartsAt:     Ago(26 * time.Hour),
	}}
}

// HostAlert returns the alert of a host that stopped reporting.
func HostAlert() []*alert.Alert {
	return []*alert.Alert{{
		Labels:   alert.Labels{"alertname": alert.HostOfflineAlert, "host": "web-1", "hostname": "web-1.example.com", "project": "oms"},
		StartsAt: Ago(70 * time.Second),
	}}
}

// Resolved ends alerts at At and returns them.
func Resolved(alerts ...*alert.Alert) []*alert.Alert {
	for _, a := range alerts {
		a.EndsAt = At
	}
	return alerts
}

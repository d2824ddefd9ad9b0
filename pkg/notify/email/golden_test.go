package email

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/notify/notifytest"
)

func lagAlert(topic, lag, partitions string, since time.Duration) *alert.Alert {
	return &alert.Alert{
		Labels:      alert.Labels{"alertname": "KafkaConsumerLag", "cluster": "orders", "consumer_group": "order-worker", "topic": topic, "severity": "warning"},
		Annotations: alert.Labels{"lag": lag, "threshold": "2000", "partitions": partitions},
		StartsAt:    now.Add(-since),
	}
}

func fewTopics() []*alert.Alert {
	return []*alert.Alert{
		lagAlert("order-created", "12345", "3:5000,7:4100", 5*time.Minute),
		lagAlert("order-paid", "30000", "0:30000", 65*time.Minute),
		lagAlert("order-shipped-with-a-rather-long-name", "2001", "1:1500,0:501", 90*time.Second),
	}
}

func manyTopics() []*alert.Alert {
	var out []*alert.Alert
	for i, lag := range []string{"2500", "9000", "31000", "7100", "2200", "3000", "88000"} {
		out = append(out, lagAlert(fmt.Sprintf("orders-%d", i), lag, "0:2000", time.Duration(i+1)*time.Minute))
	}
	return out
}

func diskAlert() []*alert.Alert {
	return []*alert.Alert{{
		Labels: alert.Labels{"alertname": "DiskFull", "instance": "10.0.0.8:9100", "mountpoint": "/data", "severity": "critical"},
		Annotations: alert.Labels{
			"summary":     "磁盘快满了 <96%> & still growing",
			"description": "/data 已用 96%\n  VALUE = 96.2",
			"runbook_url": "https://wiki.example.com/disk",
		},
		GeneratorURL: "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1",
		StartsAt:     now.Add(-26 * time.Hour),
	}}
}

func resolved(alerts []*alert.Alert) []*alert.Alert {
	for _, a := range alerts {
		a.EndsAt = now
	}
	return alerts
}

// The text and the HTML of a scene must both contain what it wants.
var scenes = []notifytest.Scene{
	{Name: "lag-firing", Alerts: fewTopics(),
		WantBoth: []string{"44,346", "30,000", "12,345", "2,001", "#3 5,000 · #7 4,100"},
		WantZH:   []string{"（3 个 topic）", "1 小时 5 分钟"},
		WantEN:   []string{"(3 topics)", "1h 5m"}},
	{Name: "lag-resolved", Alerts: resolved(fewTopics()),
		WantBoth: []string{"order-paid"},
		WantZH:   []string{"[恢复]", "1 小时 5 分钟"},
		WantEN:   []string{"[RESOLVED]", "1h 5m"}},
	{Name: "lag-many-firing", Alerts: manyTopics(),
		WantBoth: []string{"142,800", "88,000", "2,200", "orders-6"},
		WantZH:   []string{"（7 个 topic）"},
		WantEN:   []string{"(7 topics)"}},
	{Name: "generic-firing", Alerts: diskAlert(),
		WantBoth: []string{"DiskFull", "磁盘快满了", "10.0.0.8:9100", "https://wiki.example.com/disk"},
		WantZH:   []string{"[告警]", "1 天 2 小时"},
		WantEN:   []string{"[FIRING]", "1d 2h"}},
	{Name: "generic-resolved", Alerts: resolved(diskAlert()),
		WantBoth: []string{"DiskFull", "磁盘快满了"},
		WantZH:   []string{"[恢复]", "1 天 2 小时"},
		WantEN:   []string{"[RESOLVED]", "1d 2h"}},
}

func TestGolden(t *testing.T) {
	for _, scene := range scenes {
		for _, language := range []string{"zh", "en"} {
			t.Run(scene.Name+"."+language, func(t *testing.T) {
				server, env := startProvider(t, smtp.Config{})
				env.Language, env.ExternalURL = language, "https://alerts.example.com"
				n := newNotification(scene.Alerts...)
				n.GroupKey = "{}:{}"
				notifytest.SendAll(t, notifytest.New(t, newConfig("ops@example.com"), env), n)
				m := server.Inbox()[0]
				notifytest.CompareGolden(t, scene.Name+"."+language+".txt", headersAndText(m))
				notifytest.CompareGolden(t, scene.Name+"."+language+".html", m.HTML)
				scene.Check(t, language, m.Text)
				scene.Check(t, language, m.HTML)
			})
		}
	}
}

// headersAndText returns a mail's headers, decoded, and its text.
func headersAndText(m smtp.Mail) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, value := range m.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	return b.String() + "\n" + m.Text
}

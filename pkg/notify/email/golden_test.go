package email

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/smtp"
)

var update = flag.Bool("update", false, "write the golden files; read them before you keep them")

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

func disk() []*alert.Alert {
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

func over(alerts []*alert.Alert) []*alert.Alert {
	for _, a := range alerts {
		a.EndsAt = now
	}
	return alerts
}

func TestGolden(t *testing.T) {
	for _, scene := range []struct {
		name   string
		alerts []*alert.Alert
		// both must be in the text and in the HTML whatever the language; zh
		// and en in that language.
		both, zh, en []string
	}{
		{"lag-firing", fewTopics(), []string{"44,346", "30,000", "12,345", "2,001", "#3 5,000 · #7 4,100"},
			[]string{"（3 个 topic）", "1 小时 5 分钟"}, []string{"(3 topics)", "1h 5m"}},
		{"lag-resolved", over(fewTopics()), []string{"order-paid"},
			[]string{"[恢复]", "1 小时 5 分钟"}, []string{"[RESOLVED]", "1h 5m"}},
		{"lag-many-firing", manyTopics(), []string{"142,800", "88,000", "2,200", "orders-6"},
			[]string{"（7 个 topic）"}, []string{"(7 topics)"}},
		{"generic-firing", disk(), []string{"DiskFull", "磁盘快满了", "10.0.0.8:9100", "https://wiki.example.com/disk"},
			[]string{"[告警]", "1 天 2 小时"}, []string{"[FIRING]", "1d 2h"}},
		{"generic-resolved", over(disk()), []string{"DiskFull", "磁盘快满了"},
			[]string{"[恢复]", "1 天 2 小时"}, []string{"[RESOLVED]", "1d 2h"}},
	} {
		for _, language := range []string{"zh", "en"} {
			t.Run(scene.name+"."+language, func(t *testing.T) {
				server, e := provider(t, smtp.Config{})
				e.Language, e.ExternalURL = language, "https://alerts.example.com"
				n := &alert.Notification{ID: "n1", GroupKey: "{}:{}", Receiver: "ops", At: now, Alerts: scene.alerts}
				all(t, send(t.Context(), t, config("ops@example.com"), e, n), "ops@example.com")
				m := server.Inbox()[0]
				golden(t, scene.name+"."+language+".txt", shown(m))
				golden(t, scene.name+"."+language+".html", m.HTML)
				own := scene.zh
				if language == "en" {
					own = scene.en
				}
				for _, part := range slices.Concat(scene.both, own) {
					for _, body := range []string{m.Text, m.HTML} {
						if !strings.Contains(body, part) {
							t.Errorf("lacks %q:\n%s", part, body)
						}
					}
				}
			})
		}
	}
}

// shown is a mail's header, decoded, and its text.
func shown(m smtp.Mail) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, value := range m.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	return b.String() + "\n" + m.Text
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s:\n%s", file, got)
	}
}

package feishu

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

var update = flag.Bool("update", false, "write the golden files; read them before you keep them")

var shanghai = time.FixedZone("CST", 8*3600)

// at is the moment that the notifications of these tests speak of.
var at = time.Date(2026, 11, 20, 23, 10, 10, 0, shanghai)

func ago(d time.Duration) time.Time { return at.Add(-d) }

func env(language string) *notify.Env {
	return &notify.Env{Style: render.Style{Language: language, Location: shanghai, ExternalURL: "https://alerts.example.com"}, Now: func() time.Time { return at }}
}

func notification(alerts ...*alert.Alert) *alert.Notification {
	return &alert.Notification{ID: "1", Receiver: "ops", At: at, Alerts: alerts}
}

// lagAlert is an alert as pkg/lag makes it; lag has five digits.
func lagAlert(topic, lag string, since time.Duration) *alert.Alert {
	return &alert.Alert{
		Labels: alert.Labels{"alertname": "KafkaConsumerLag", "cluster": "orders", "consumer_group": "order-worker", "topic": topic, "severity": "warning"},
		Annotations: alert.Labels{
			"lag": lag, "threshold": "2000", "partitions": "3:5000,7:4100",
			"summary": "order-worker 消费 " + topic + " 积压 " + lag[:2] + "," + lag[2:] + " 条（阈值 2,000）",
		},
		StartsAt: ago(since), UpdatedAt: at,
	}
}

// caughtUp is how such an alert ends.
func caughtUp(topic string, since time.Duration) *alert.Alert {
	a := lagAlert(topic, "10000", since)
	a.EndsAt = at
	a.Annotations = alert.Labels{"lag": "1200", "threshold": "2000", "summary": "order-worker 消费 " + topic + " 的积压已降到 1,200 条（阈值 2,000）"}
	return a
}

func oneTopic() []*alert.Alert {
	return []*alert.Alert{lagAlert("order_created_*", "12345", 5*time.Minute)}
}

func manyTopics() []*alert.Alert {
	var out []*alert.Alert
	for i, lag := range []string{"25000", "90000", "31000", "71000", "22000", "30000", "88000"} {
		out = append(out, lagAlert("orders-"+string(rune('a'+i)), lag, time.Duration(i+1)*time.Minute))
	}
	return out
}

func disk() []*alert.Alert {
	return []*alert.Alert{{
		Labels: alert.Labels{"alertname": "DiskFull", "instance": "10.0.0.8:9100", "job": "node", "severity": "critical"},
		Annotations: alert.Labels{
			"summary":     "/data > 95% & rising",
			"description": "- 已用 96%\n  VALUE = 96.2",
			"runbook_url": "https://wiki.example.com/disk(full)",
		},
		GeneratorURL: "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1",
		StartsAt:     ago(26 * time.Hour),
	}}
}

func host() []*alert.Alert {
	return []*alert.Alert{{
		Labels:   alert.Labels{"alertname": "HostOffline", "host": "web-1", "hostname": "web-1.example.com", "project": "oms", "severity": "info"},
		StartsAt: ago(70 * time.Second),
	}}
}

func over(alerts []*alert.Alert) []*alert.Alert {
	for _, a := range alerts {
		a.EndsAt = at
	}
	return alerts
}

var scenes = []struct {
	name, colour string
	alerts       []*alert.Alert
	// both must be in the card whatever its language; zh and en in that language.
	both, zh, en []string
}{
	{"one-topic-firing", "orange", oneTopic(), []string{"12,345", "2,000", "order&#95;created&#95;&#42;", "order-worker", "#3 5,000 · #7 4,100", "11-20 23:05:10", "](https://alerts.example.com)"},
		[]string{"[告警] 消费积压 · orders / order-worker / order_created_*", "5 分钟"}, []string{"[FIRING]", "5m"}},
	{"one-topic-resolved", "green", []*alert.Alert{caughtUp("order-created", 5*time.Minute)}, []string{"1,200", "order-created", "11-20 23:10:10"},
		[]string{"[恢复]", "持续了 5 分钟"}, []string{"[RESOLVED]", "after 5m"}},
	{"few-topics-firing", "orange", []*alert.Alert{oneTopic()[0], lagAlert("order-paid", "30000", 65*time.Minute)}, []string{"42,345", "30,000", "12,345", "**order-paid** "},
		[]string{"（2 个 topic）", "1 小时 5 分钟", "最多的是 order-paid"}, []string{"(2 topics)", "1h 5m", "most of them in order-paid"}},
	{"many-topics-firing", "orange", manyTopics(), []string{"357,000", "90,000", "22,000"},
		[]string{"（7 个 topic）", "最多的是 orders-b"}, []string{"(7 topics)", "most of them in orders-b"}},
	{"generic-firing", "red", disk(), []string{"DiskFull", "/data &#62; 95% &#38; rising", "11-19 21:10:10", "](https://wiki.example.com/disk%28full%29)",
		"](http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1)", "10.0.0.8:9100"},
		[]string{"1 天 2 小时", "已用 96% VALUE = 96.2"}, []string{"1d 2h", "已用 96% VALUE = 96.2"}},
	{"generic-resolved", "green", over(disk()), []string{"DiskFull"},
		[]string{"持续了 1 天 2 小时"}, []string{"after 1d 2h"}},
	{"host-firing", "blue", host(), []string{"web-1.example.com", "oms", "11-20 23:09:00"},
		[]string{"主机失联"}, []string{"[FIRING]"}},
	{"mixed-states", "orange", append(oneTopic(), caughtUp("order-paid", 15*time.Minute)), []string{"12,345", "1,200"},
		[]string{"（1 个 topic，另有 1 个已恢复）"}, []string{"(1 topic, 1 more resolved)"}},
}

func TestGolden(t *testing.T) {
	for _, scene := range scenes {
		for _, language := range []string{"zh", "en"} {
			t.Run(scene.name+"."+language, func(t *testing.T) {
				g := newGroup(t, language)
				g.say(t, g.notifier(t, Config{}), notification(scene.alerts...))
				inbox := g.Inbox()
				if len(inbox) != 1 || inbox[0].Type != "interactive" || inbox[0].Colour != scene.colour {
					t.Fatalf("%+v", inbox)
				}
				got, file := inbox[0].Title+"\n"+inbox[0].Content, filepath.Join("testdata", scene.name+"."+language+".md")
				if *update {
					if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if got+"\n" != string(want) {
					t.Errorf("differs from %s:\n%s", file, got)
				}
				own := scene.zh
				if language == "en" {
					own = scene.en
				}
				for _, part := range append(own, scene.both...) {
					if !strings.Contains(got, part) {
						t.Errorf("lacks %q:\n%s", part, got)
					}
				}
			})
		}
	}
}

package wecomrobot

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

// over ends alerts at the moment of the notification.
func over(alerts ...*alert.Alert) []*alert.Alert {
	out := make([]*alert.Alert, len(alerts))
	for i, a := range alerts {
		ended := *a
		ended.EndsAt = at
		out[i] = &ended
	}
	return out
}

// lagAlert is an alert as pkg/lag makes it: partition 3 is furthest behind.
func lagAlert(topic, lag, worst, more string, since time.Duration) *alert.Alert {
	return &alert.Alert{
		Labels: alert.Labels{"alertname": "KafkaConsumerLag", "cluster": "orders", "consumer_group": "order-worker", "topic": topic, "severity": "warning"},
		Annotations: alert.Labels{
			"lag": lag, "threshold": "2000", "partitions": "3:" + worst + more,
			"summary":     "order-worker 消费 " + topic + " 积压 " + grouped(lag) + " 条（阈值 2,000）",
			"description": "积压最多的分区：3 号 " + grouped(worst) + " 条。",
		},
		StartsAt: ago(since), UpdatedAt: at,
	}
}

// caughtUp is how such an alert ends.
func caughtUp(topic, lag string, since time.Duration) *alert.Alert {
	a := lagAlert(topic, lag, "0", "", since)
	a.EndsAt = at
	a.Annotations = alert.Labels{"lag": lag, "threshold": "2000", "summary": "order-worker 消费 " + topic + " 的积压已降到 " + grouped(lag) + " 条（阈值 2,000）"}
	return a
}

// topicGone is how it ends when there is nothing left to be behind with.
func topicGone(topic string, since time.Duration) *alert.Alert {
	a := caughtUp(topic, "0", since)
	a.Annotations = alert.Labels{"summary": "消费组 order-worker 已不再有主题 " + topic + "，告警结束"}
	return a
}

// grouped writes thousands as pkg/lag does; six digits are enough here.
func grouped(s string) string {
	if len(s) < 4 {
		return s
	}
	return s[:len(s)-3] + "," + s[len(s)-3:]
}

func oneTopic() []*alert.Alert {
	a := lagAlert("order-created", "12345", "5000", ",7:4100", 5*time.Minute)
	a.Annotations["unknown_partitions"] = "2"
	a.Annotations["description"] += " 另有 2 个分区的积压未知，没有计入。"
	return []*alert.Alert{a}
}

// stalled is a consumer that stands still, and late one that is behind by time
// and falls back.
func stalled() []*alert.Alert {
	a := lagAlert("order-created", "830", "812", "", 9*time.Minute)
	a.Labels["alertname"] = "KafkaConsumerStalled"
	delete(a.Annotations, "threshold")
	a.Annotations["summary"] = "order-worker 消费 order-created：停滞（有成员，但不再提交），积压 830 条"
	a.Annotations["status"], a.Annotations["delay"] = "stalled", "754"
	a.Annotations["rate_in"], a.Annotations["rate_out"], a.Annotations["drain"] = "1.5", "0", "never"
	return []*alert.Alert{a}
}

func late() []*alert.Alert {
	a := lagAlert("order-created", "12345", "5000", ",7:4100", 5*time.Minute)
	a.Annotations["status"], a.Annotations["growing_for"], a.Annotations["delay"] = "growing", "840", "725"
	a.Annotations["rate_in"], a.Annotations["rate_out"], a.Annotations["drain"] = "120", "95", "never"
	a.Annotations["source"] = "api"
	return []*alert.Alert{a}
}

func fewTopics() []*alert.Alert {
	return []*alert.Alert{
		lagAlert("order-created", "12345", "5000", ",7:4100", 5*time.Minute),
		lagAlert("order-paid", "30000", "30000", "", 65*time.Minute),
		lagAlert("order-shipped", "2001", "1500", ",0:501", 90*time.Second),
	}
}

func manyTopics() []*alert.Alert {
	var out []*alert.Alert
	for i, lag := range []string{"2500", "9000", "31000", "7100", "2200", "3000", "88000"} {
		out = append(out, lagAlert("orders-"+string(rune('a'+i)), lag, "2000", "", time.Duration(i+1)*time.Minute))
	}
	return out
}

func manyOver() []*alert.Alert {
	var out []*alert.Alert
	for i := range 7 {
		out = append(out, caughtUp("orders-"+string(rune('a'+i)), "100"+string(rune('1'+i)), time.Duration(i+1)*time.Minute))
	}
	return out
}

func blind() []*alert.Alert {
	return []*alert.Alert{{
		Labels: alert.Labels{"alertname": "TocsinPollFailed", "cluster": "orders"},
		Annotations: alert.Labels{
			"summary":     "读不到集群 orders 的消费积压",
			"description": "dial tcp 10.0.0.1:9092: connect: connection refused。恢复之前不判断它的积压，已有的告警保持不变。",
		},
		StartsAt: ago(2 * time.Minute),
	}}
}

func disk() []*alert.Alert {
	return []*alert.Alert{{
		Labels: alert.Labels{"alertname": "DiskFull", "instance": "10.0.0.8:9100", "job": "node", "mountpoint": "/data", "severity": "critical"},
		Annotations: alert.Labels{
			"summary":     "磁盘快满了",
			"description": "/data 已用 96%\n  VALUE = 96.2",
			"runbook_url": "https://wiki.example.com/disk",
			"value":       "96.2",
		},
		GeneratorURL: "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1",
		StartsAt:     ago(26 * time.Hour),
	}}
}

func host() []*alert.Alert {
	return []*alert.Alert{{
		Labels:   alert.Labels{"alertname": "HostOffline", "host": "web-1", "hostname": "web-1.example.com", "project": "oms"},
		StartsAt: ago(70 * time.Second),
	}}
}

// mixed are a lagging topic, one that has caught up, and one that is gone.
func mixed() []*alert.Alert {
	return append(fewTopics()[:1], caughtUp("order-paid", "800", 15*time.Minute), topicGone("order-old", time.Hour))
}

var scenes = []struct {
	name   string
	alerts []*alert.Alert
	// both must be in the message whatever its language; zh and en in that
	// language.
	both, zh, en []string
}{
	{"one-topic-firing", oneTopic(), []string{"12,345", "2,000", "order-created", "order-worker", "#3 5,000 · #7 4,100", "11-20 23:05:10", `color="warning"`},
		[]string{"[告警] 消费积压 · orders / order-worker / order-created", "5 分钟", "2 个"}, []string{"[FIRING]", "5m", "2 could not be read"}},
	{"one-topic-resolved", []*alert.Alert{caughtUp("order-created", "1200", 5*time.Minute)}, []string{"1,200", "order-created", "11-20 23:05:10", "11-20 23:10:10", `color="info"`},
		[]string{"[恢复]", "持续了 5 分钟"}, []string{"[RESOLVED]", "after 5m"}},
	{"stalled-firing", stalled(), []string{"830", "#3 812", "KafkaConsumerStalled"},
		[]string{"消费停滞，积压 830 条，最早未读 12 分钟 34 秒前", "状态：消费者在线", "写入 1.5 条/秒，消费 0 条/秒，追不上"}, []string{"Stalled, 830 messages behind, oldest unread 12m 34s ago", "1.5/s in, 0/s out"}},
	{"late-firing", late(), []string{"12,345"},
		[]string{"最早未读 12 分钟 5 秒前", "持续增长：已 14 分钟", "云 API"}, []string{"oldest unread 12m 5s ago", "Growing: for 14m", "the cloud's API"}},
	{"few-topics-firing", fewTopics(), []string{"44,346", "30,000", "12,345", "2,001"},
		[]string{"（3 个 topic）", "1 小时 5 分钟", "1 分钟 30 秒", "最多的是 order-paid"}, []string{"(3 topics)", "1h 5m", "1m 30s", "most of them in order-paid"}},
	{"many-topics-firing", manyTopics(), []string{"142,800", "88,000", "2,200"},
		[]string{"（7 个 topic）", "最多的是 orders-g"}, []string{"(7 topics)", "most of them in orders-g"}},
	{"many-topics-resolved", manyOver(), []string{"1,007"},
		[]string{"[恢复]", "最长持续了 7 分钟"}, []string{"[RESOLVED]", "the longest after 7m"}},
	{"poll-failed-firing", blind(), []string{"connection refused", "11-20 23:08:10"},
		[]string{"读不到消费积压 · orders", "看不到集群 orders", "检查访问凭证"}, []string{"Consumer lag cannot be read · orders", "cluster orders is not watched", "Check the credentials"}},
	{"poll-failed-resolved", over(blind()...), []string{"orders"},
		[]string{"中断了 2 分钟"}, []string{"again after 2m"}},
	{"generic-firing", disk(), []string{"DiskFull", "磁盘快满了", "/data 已用 96% VALUE = 96.2", "node", "96.2", "11-19 21:10:10", "](https://wiki.example.com/disk)", "](http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1)"},
		[]string{"1 天 2 小时"}, []string{"1d 2h"}},
	{"generic-resolved", over(disk()...), []string{"DiskFull", "磁盘快满了"},
		[]string{"持续了 1 天 2 小时"}, []string{"after 1d 2h"}},
	{"host-firing", host(), []string{"web-1", "11-20 23:09:00", "oms"},
		[]string{"主机失联", "1 分钟 10 秒没有上报"}, []string{"Host offline", "No report for 1m 10s"}},
	{"mixed-states", mixed(), []string{"12,345", "800", `color="info"`, "已不再有主题 order-old"},
		[]string{"（1 个 topic，另有 2 个已恢复）"}, []string{"(1 topic, 2 more resolved)"}},
	{"mixed-kinds", append(append(disk(), host()...), oneTopic()...), []string{"DiskFull", "12,345", "web-1"},
		[]string{"3 条告警"}, []string{"3 alerts"}},
}

func TestGolden(t *testing.T) {
	for _, scene := range scenes {
		for _, language := range []string{"zh", "en"} {
			t.Run(scene.name+"."+language, func(t *testing.T) {
				n := &alert.Notification{Receiver: "ops", At: at, Alerts: scene.alerts, GroupLabels: alert.Labels{"alertname": "x"}}
				sent := bodies(t, n, env(language), &Config{URL: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"})
				if len(sent) != 1 {
					t.Fatalf("%d messages, want 1", len(sent))
				}
				got := content(t, sent[0])
				file := filepath.Join("testdata", scene.name+"."+language+".md")
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

package wecomrobot

import (
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify/notifytest"
)

// lagAlert returns an alert as pkg/lag makes it: partition 3 is furthest behind.
func lagAlert(topic, lag, worst, more string, since time.Duration) *alert.Alert {
	a := notifytest.LagAlert(topic, lag, since)
	a.Annotations["partitions"] = "3:" + worst + more
	a.SetDescription("积压最多的分区：3 号 " + notifytest.Grouped(worst) + " 条。")
	return a
}

// topicGone returns it resolved because the topic no longer exists.
func topicGone(topic string, since time.Duration) *alert.Alert {
	a := notifytest.ResolvedLagAlert(topic, "0", since)
	a.Annotations = alert.Labels{"summary": "消费组 order-worker 已不再有主题 " + topic + "，告警结束"}
	return a
}

func oneTopic() []*alert.Alert {
	a := lagAlert(notifytest.Topic, "12345", "5000", ",7:4100", 5*time.Minute)
	a.Annotations["unknown_partitions"] = "2"
	a.Annotations["description"] += " 另有 2 个分区的积压未知，没有计入。"
	return []*alert.Alert{a}
}

// stalled returns an alert of a consumer that makes no progress, late of one that is
// behind by time and falls further behind.
func stalled() []*alert.Alert {
	a := lagAlert(notifytest.Topic, "830", "812", "", 9*time.Minute)
	a.Labels["alertname"] = "KafkaConsumerStuck"
	delete(a.Annotations, "threshold")
	a.Annotations["summary"] = "order-worker 消费 " + notifytest.Topic + "：停滞（有成员，但不再提交），积压 830 条"
	a.Annotations["status"], a.Annotations["delay"] = "stalled", "754"
	a.Annotations["members"] = "order-worker-1 (10.0.0.7): 3"
	a.Annotations["rate_in"], a.Annotations["rate_out"], a.Annotations["drain"] = "1.5", "0", "never"
	return []*alert.Alert{a}
}

func late() []*alert.Alert {
	a := lagAlert(notifytest.Topic, "12345", "5000", ",7:4100", 5*time.Minute)
	a.Annotations["status"], a.Annotations["growing_for"], a.Annotations["delay"] = "growing", "840", "725"
	a.Annotations["rate_in"], a.Annotations["rate_out"], a.Annotations["drain"] = "120", "95", "never"
	a.Annotations["source"] = "api"
	return []*alert.Alert{a}
}

func fewTopics() []*alert.Alert {
	return []*alert.Alert{
		lagAlert(notifytest.Topic, "12345", "5000", ",7:4100", 5*time.Minute),
		lagAlert("order_paid", "30000", "30000", "", 65*time.Minute),
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

func manyResolved() []*alert.Alert {
	var out []*alert.Alert
	for i := range 7 {
		out = append(out, notifytest.ResolvedLagAlert("orders-"+string(rune('a'+i)), "100"+string(rune('1'+i)), time.Duration(i+1)*time.Minute))
	}
	return out
}

func pollFailed() []*alert.Alert {
	return []*alert.Alert{{
		Labels: alert.Labels{"alertname": "TocsinPollFailed", "cluster": "orders"},
		Annotations: alert.Labels{
			"summary":     "读不到集群 orders 的消费积压",
			"description": "dial tcp 10.0.0.1:9092: connect: connection refused。恢复之前不判断它的积压，已有的告警保持不变。",
		},
		StartsAt: notifytest.Ago(2 * time.Minute),
	}}
}

func disk() []*alert.Alert {
	return notifytest.DiskAlert(alert.Labels{
		"summary":     "磁盘快满了",
		"description": "/data 已用 96%\n  VALUE = 96.2",
		"runbook_url": "https://wiki.example.com/disk",
		"value":       "96.2",
	})
}

// mixed returns a lagging topic, one that has caught up, and one that is gone.
func mixed() []*alert.Alert {
	return append(fewTopics()[:1], notifytest.ResolvedLagAlert("order_paid", "800", 15*time.Minute), topicGone("order-old", time.Hour))
}

var scenes = []notifytest.Scene{
	{Name: "one-topic-firing", Alerts: oneTopic(),
		WantBoth: []string{"12,345", "2,000", "order_created_", "order-worker", "#3 5,000 · #7 4,100", "11-20 23:05:10", `color="warning"`},
		WantZH:   []string{"[告警] 消费积压 · orders / order-worker / order_created_", "5 分钟", "2 个"},
		WantEN:   []string{"[FIRING]", "5m", "2 could not be read"}},
	{Name: "one-topic-resolved", Alerts: notifytest.OneTopicResolved(),
		WantBoth: []string{"1,200", "order_created_", "11-20 23:05:10", "11-20 23:10:10", `color="info"`},
		WantZH:   []string{"[恢复]", "持续了 5 分钟"},
		WantEN:   []string{"[RESOLVED]", "after 5m"}},
	{Name: "stalled-firing", Alerts: stalled(),
		WantBoth: []string{"830", "#3 812", "KafkaConsumerStuck"},
		WantZH:   []string{"消费停滞，积压 830 条，最早未读 12 分钟 34 秒前", "状态：消费者在线", "写入 1.5 条/秒，消费 0 条/秒，追不上"},
		WantEN:   []string{"Stalled, 830 messages behind, oldest unread 12m 34s ago", "1.5/s in, 0/s out"}},
	{Name: "late-firing", Alerts: late(),
		WantBoth: []string{"12,345"},
		WantZH:   []string{"最早未读 12 分钟 5 秒前", "持续增长：已 14 分钟", "云 API"},
		WantEN:   []string{"oldest unread 12m 5s ago", "Growing: for 14m", "the cloud's API"}},
	{Name: "few-topics-firing", Alerts: fewTopics(),
		WantBoth: []string{"44,346", "30,000", "12,345", "2,001"},
		WantZH:   []string{"（3 个 topic）", "1 小时 5 分钟", "1 分钟 30 秒", "最多的是 order_paid"},
		WantEN:   []string{"(3 topics)", "1h 5m", "1m 30s", "most of them in order_paid"}},
	{Name: "many-topics-firing", Alerts: manyTopics(),
		WantBoth: []string{"142,800", "88,000", "2,200"},
		WantZH:   []string{"（7 个 topic）", "最多的是 orders-g"},
		WantEN:   []string{"(7 topics)", "most of them in orders-g"}},
	{Name: "many-topics-resolved", Alerts: manyResolved(),
		WantBoth: []string{"1,007"},
		WantZH:   []string{"[恢复]", "最长持续了 7 分钟"},
		WantEN:   []string{"[RESOLVED]", "the longest after 7m"}},
	{Name: "poll-failed-firing", Alerts: pollFailed(),
		WantBoth: []string{"connection refused", "11-20 23:08:10"},
		WantZH:   []string{"读不到消费积压 · orders", "看不到集群 orders", "检查访问凭证"},
		WantEN:   []string{"Consumer lag cannot be read · orders", "cluster orders is not watched", "Check the credentials"}},
	{Name: "poll-failed-resolved", Alerts: notifytest.Resolved(pollFailed()...),
		WantBoth: []string{"orders"},
		WantZH:   []string{"中断了 2 分钟"},
		WantEN:   []string{"again after 2m"}},
	{Name: "generic-firing", Alerts: disk(),
		WantBoth: []string{"DiskFull", "磁盘快满了", "/data 已用 96% VALUE = 96.2", "node", "96.2", "11-19 21:10:10", "](https://wiki.example.com/disk)", "](http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1)"},
		WantZH:   []string{"1 天 2 小时"},
		WantEN:   []string{"1d 2h"}},
	{Name: "generic-resolved", Alerts: notifytest.Resolved(disk()...),
		WantBoth: []string{"DiskFull", "磁盘快满了"},
		WantZH:   []string{"持续了 1 天 2 小时"},
		WantEN:   []string{"after 1d 2h"}},
	{Name: "host-firing", Alerts: notifytest.HostAlert(),
		WantBoth: []string{"web-1", "11-20 23:09:00", "oms"},
		WantZH:   []string{"主机失联", "1 分钟 10 秒没有上报"},
		WantEN:   []string{"Host offline", "No report for 1m 10s"}},
	{Name: "mixed-states", Alerts: mixed(),
		WantBoth: []string{"12,345", "800", `color="info"`, "已不再有主题 order-old"},
		WantZH:   []string{"（1 个 topic，另有 2 个已恢复）"},
		WantEN:   []string{"(1 topic, 2 more resolved)"}},
	{Name: "mixed-kinds", Alerts: append(append(disk(), notifytest.HostAlert()...), oneTopic()...),
		WantBoth: []string{"DiskFull", "12,345", "web-1"},
		WantZH:   []string{"3 条告警"},
		WantEN:   []string{"3 alerts"}},
}

func TestGolden(t *testing.T) {
	notifytest.Golden(t, "md", scenes, func(t *testing.T, language string, s notifytest.Scene) string {
		n := notifytest.Notification(s.Alerts...)
		n.GroupLabels = alert.Labels{"alertname": "x"}
		sent := bodies(t, n, notifytest.NewEnv(language), &Config{URL: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"})
		if len(sent) != 1 {
			t.Fatalf("got %d messages, want 1", len(sent))
		}
		return content(t, sent[0])
	})
}

package dingtalk

import (
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify/notifytest"
)

func disk() []*alert.Alert {
	return notifytest.DiskAlert(alert.Labels{
		"summary":     "磁盘快满了",
		"description": "/data 已用 96%\n  VALUE = 96.2，请 @ops_ 处理 *_tmp_*",
		"runbook_url": "https://wiki.example.com/disk_(full)",
	})
}

// scenes are what the group is told; topic is how a message writes
// notifytest.Topic.
func scenes(topic string) []notifytest.Scene {
	return []notifytest.Scene{
		{Name: "one-topic-firing", Alerts: notifytest.OneTopic(),
			WantBoth: []string{"12,345", "2,000", topic, "order-worker", "11-20 23:05:10", "@13800000000 @zhang-san"},
			WantZH:   []string{"[告警] 消费积压 · orders / order-worker / " + topic, "5 分钟"},
			WantEN:   []string{"[FIRING]", "5m"}},
		{Name: "one-topic-resolved", Alerts: notifytest.OneTopicResolved(),
			WantBoth: []string{"1,200", topic, "11-20 23:05:10", "11-20 23:10:10"},
			WantZH:   []string{"[恢复]", "持续了 5 分钟"},
			WantEN:   []string{"[RESOLVED]", "after 5m"}},
		{Name: "few-topics-firing", Alerts: notifytest.FewTopics(),
			WantBoth: []string{"42,345", "30,000", "12,345"},
			WantZH:   []string{"（2 个 topic）", "1 小时 5 分钟"},
			WantEN:   []string{"(2 topics)", "1h 5m"}},
		{Name: "many-topics-firing", Alerts: notifytest.ManyTopics(),
			WantBoth: []string{"357,000", "90,000", "22,000"},
			WantZH:   []string{"（7 个 topic）"},
			WantEN:   []string{"(7 topics)"}},
		{Name: "generic-firing", Alerts: disk(),
			WantBoth: []string{"DiskFull", "磁盘快满了", "请 ＠ops", "node", "11-19 21:10:10", "https://wiki.example.com/disk", "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1"},
			WantZH:   []string{"1 天 2 小时"},
			WantEN:   []string{"1d 2h"}},
		{Name: "generic-resolved", Alerts: notifytest.Resolved(disk()...),
			WantBoth: []string{"DiskFull", "磁盘快满了"},
			WantZH:   []string{"[恢复]", "持续了 1 天 2 小时"},
			WantEN:   []string{"[RESOLVED]", "after 1d 2h"}},
		{Name: "host-firing", Alerts: notifytest.HostAlert(),
			WantBoth: []string{"web-1", "11-20 23:09:00", "oms"},
			WantZH:   []string{"主机失联", "1 分钟 10 秒没有上报"},
			WantEN:   []string{"Host offline", "No report for 1m 10s"}},
		{Name: "mixed-states", Alerts: notifytest.MixedStates(),
			WantBoth: []string{"12,345", "1,200"},
			WantZH:   []string{"（1 个 topic，另有 1 个已恢复）"},
			WantEN:   []string{"(1 topic, 1 more resolved)"}},
	}
}

func TestGolden(t *testing.T) {
	for kind, topic := range map[string]string{"markdown": "order_created＿＊", "text": "order_created_*"} {
		notifytest.Golden(t, kind, scenes(topic), func(t *testing.T, language string, s notifytest.Scene) string {
			g := newGroup(t, language)
			to := g.notifier(t, Config{Type: kind, At: At{Mobiles: []string{"13800000000"}, Users: []string{"zhang-san"}}})
			notifytest.SendAll(t, to, notifytest.Notification(s.Alerts...))
			inbox := g.Inbox()
			if len(inbox) != 1 || inbox[0].Type != kind {
				t.Fatalf("%d messages, want one: %+v", len(inbox), inbox)
			}
			if kind == "text" {
				return inbox[0].Text
			}
			return inbox[0].Title + "\n\n" + inbox[0].Text
		})
	}
}

package wecomapp

import (
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify/notifytest"
)

func disk() []*alert.Alert {
	return notifytest.DiskAlert(alert.Labels{
		"summary":     "磁盘快满了",
		"description": "/data 已用 96%\n  VALUE = 96.2",
		"runbook_url": "https://wiki.example.com/disk",
	})
}

var scenes = []notifytest.Scene{
	{Name: "one-topic-firing", Alerts: notifytest.OneTopic(),
		WantBoth: []string{"12,345", "2,000", "order_created_", "order-worker", "#3 5,000 · #7 4,100", "11-20 23:05:10"},
		WantZH:   []string{"[告警] 消费积压 · orders / order-worker / order_created_", "5 分钟"},
		WantEN:   []string{"[FIRING]", "5m"}},
	{Name: "one-topic-resolved", Alerts: notifytest.OneTopicResolved(),
		WantBoth: []string{"1,200", "order_created_", "11-20 23:05:10", "11-20 23:10:10"},
		WantZH:   []string{"[恢复]", "持续了 5 分钟"},
		WantEN:   []string{"[RESOLVED]", "after 5m"}},
	{Name: "few-topics-firing", Alerts: notifytest.FewTopics(),
		WantBoth: []string{"42,345", "30,000", "12,345"},
		WantZH:   []string{"（2 个 topic）", "1 小时 5 分钟", "最多的是 order_paid"},
		WantEN:   []string{"(2 topics)", "1h 5m", "most of them in order_paid"}},
	{Name: "many-topics-firing", Alerts: notifytest.ManyTopics(),
		WantBoth: []string{"357,000", "90,000", "22,000"},
		WantZH:   []string{"（7 个 topic）", "最多的是 orders-b"},
		WantEN:   []string{"(7 topics)", "most of them in orders-b"}},
	{Name: "generic-firing", Alerts: disk(),
		WantBoth: []string{"DiskFull", "磁盘快满了", "/data 已用 96% VALUE = 96.2", "node", "11-19 21:10:10", "https://wiki.example.com/disk", "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1"},
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
	{Name: "mixed-states", Alerts: notifytest.MixedStates(),
		WantBoth: []string{"12,345", "1,200"},
		WantZH:   []string{"（1 个 topic，另有 1 个已恢复）"},
		WantEN:   []string{"(1 topic, 1 more resolved)"}},
}

func TestGolden(t *testing.T) {
	for _, kind := range []string{"text", "markdown"} {
		notifytest.Golden(t, kind, scenes, func(t *testing.T, language string, s notifytest.Scene) string {
			o := newOffice(t, language)
			notifytest.SendAll(t, o.notifier(t, Config{MessageType: kind}), notifytest.Notification(s.Alerts...))
			inbox := o.Inbox()
			if len(inbox) != 1 || inbox[0].Type != kind {
				t.Fatalf("%+v", inbox)
			}
			return inbox[0].Content
		})
	}
}

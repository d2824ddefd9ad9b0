package feishu

import (
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify/notifytest"
)

func disk() []*alert.Alert {
	return notifytest.DiskAlert(alert.Labels{
		"summary":     "/data > 95% & rising",
		"description": "- 已用 96%\n  VALUE = 96.2",
		"runbook_url": "https://wiki.example.com/disk(full)",
	})
}

// host is of the third severity, which has a colour of its own.
func host() []*alert.Alert {
	a := notifytest.HostAlert()
	a[0].Labels["severity"] = "info"
	return a
}

var scenes = []notifytest.Scene{
	{Name: "one-topic-firing", Alerts: notifytest.OneTopic(),
		WantBoth: []string{"12,345", "2,000", "order&#95;created&#95;&#42;", "order-worker", "#3 5,000 · #7 4,100", "11-20 23:05:10", "](https://alerts.example.com)"},
		WantZH:   []string{"[告警] 消费积压 · orders / order-worker / order_created_*", "5 分钟"},
		WantEN:   []string{"[FIRING]", "5m"}},
	{Name: "one-topic-resolved", Alerts: notifytest.OneTopicResolved(),
		WantBoth: []string{"1,200", "order&#95;created&#95;&#42;", "11-20 23:10:10"},
		WantZH:   []string{"[恢复]", "持续了 5 分钟"},
		WantEN:   []string{"[RESOLVED]", "after 5m"}},
	{Name: "few-topics-firing", Alerts: notifytest.FewTopics(),
		WantBoth: []string{"42,345", "30,000", "12,345", "**order&#95;paid** "},
		WantZH:   []string{"（2 个 topic）", "1 小时 5 分钟", "最多的是 order&#95;paid"},
		WantEN:   []string{"(2 topics)", "1h 5m", "most of them in order&#95;paid"}},
	{Name: "many-topics-firing", Alerts: notifytest.ManyTopics(),
		WantBoth: []string{"357,000", "90,000", "22,000"},
		WantZH:   []string{"（7 个 topic）", "最多的是 orders-b"},
		WantEN:   []string{"(7 topics)", "most of them in orders-b"}},
	{Name: "generic-firing", Alerts: disk(),
		WantBoth: []string{"DiskFull", "/data &#62; 95% &#38; rising", "11-19 21:10:10", "](https://wiki.example.com/disk%28full%29)", "](http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1)", "10.0.0.8:9100"},
		WantZH:   []string{"1 天 2 小时", "已用 96% VALUE = 96.2"},
		WantEN:   []string{"1d 2h", "已用 96% VALUE = 96.2"}},
	{Name: "generic-resolved", Alerts: notifytest.Resolved(disk()...),
		WantBoth: []string{"DiskFull"},
		WantZH:   []string{"持续了 1 天 2 小时"},
		WantEN:   []string{"after 1d 2h"}},
	{Name: "host-firing", Alerts: host(),
		WantBoth: []string{"web-1.example.com", "oms", "11-20 23:09:00"},
		WantZH:   []string{"主机失联"},
		WantEN:   []string{"[FIRING]"}},
	{Name: "mixed-states", Alerts: notifytest.MixedStates(),
		WantBoth: []string{"12,345", "1,200"},
		WantZH:   []string{"（1 个 topic，另有 1 个已恢复）"},
		WantEN:   []string{"(1 topic, 1 more resolved)"}},
}

// colours are those of the cards' headers.
var colours = map[string]string{
	"one-topic-firing":   "orange",
	"one-topic-resolved": "green",
	"few-topics-firing":  "orange",
	"many-topics-firing": "orange",
	"generic-firing":     "red",
	"generic-resolved":   "green",
	"host-firing":        "blue",
	"mixed-states":       "orange",
}

func TestGolden(t *testing.T) {
	notifytest.Golden(t, "md", scenes, func(t *testing.T, language string, s notifytest.Scene) string {
		g := newGroup(t, language)
		g.say(t, g.notifier(t, Config{}), notifytest.Notification(s.Alerts...))
		inbox := g.Inbox()
		if len(inbox) != 1 || inbox[0].Type != "interactive" || inbox[0].Color != colours[s.Name] {
			t.Fatalf("%+v", inbox)
		}
		return inbox[0].Title + "\n" + inbox[0].Content
	})
}

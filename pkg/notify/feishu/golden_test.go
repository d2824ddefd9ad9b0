package feishu

import (
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify/notifytest"
)

// disk are the annotations of an alert with Feishu's special characters.
var disk = alert.Labels{
	"summary":     "/data > 95% & rising",
	"description": "- 已用 96%\n  VALUE = 96.2",
	"runbook_url": "https://wiki.example.com/disk(full)",
}

func TestGolden(t *testing.T) {
	const topic = "order&#95;created&#95;&#42;"
	scenes := notifytest.ChatScenes(disk, map[string][]string{
		"one-topic-firing":   {topic, "order_created_*", "](https://alerts.example.com)"},
		"one-topic-resolved": {topic},
		"few-topics-firing":  {"**order&#95;paid** ", " order&#95;paid"},
		"generic-firing": {"/data &#62; 95% &#38; rising", "已用 96% VALUE = 96.2", "](https://wiki.example.com/disk%28full%29)",
			"](http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1)"},
		"host-firing": {"web-1.example.com"},
	})
	colors := map[string]string{"one-topic-resolved": "green", "generic-firing": "red", "generic-resolved": "green", "host-firing": "blue"}
	for _, s := range scenes {
		if s.Name == "host-firing" {
			s.Alerts[0].Labels["severity"] = "info"
		}
	}
	notifytest.Golden(t, "md", scenes, func(t *testing.T, language string, s notifytest.Scene) string {
		g := newGroup(t, language)
		g.sendAll(t, g.notifier(t, Config{}), notifytest.Notification(s.Alerts...))
		inbox := g.Inbox()
		color, ok := colors[s.Name]
		if !ok {
			color = "orange"
		}
		if len(inbox) != 1 || inbox[0].Type != "interactive" || inbox[0].Color != color {
			t.Fatalf("got %+v, want one %s card", inbox, color)
		}
		return inbox[0].Title + "\n" + inbox[0].Content
	})
}

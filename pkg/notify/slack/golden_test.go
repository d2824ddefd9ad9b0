package slack

import (
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify/notifytest"
)

func TestGolden(t *testing.T) {
	disk := alert.Labels{"summary": "/data > 95% & rising", "runbook_url": "https://wiki.example.com/disk|x"}
	scenes := notifytest.ChatScenes(disk, map[string][]string{
		"one-topic-firing":   {"order_created_*", "<https://alerts.example.com/?a=1&amp;b=2|"},
		"one-topic-resolved": {"order_created_*"},
		"few-topics-firing":  {" order_paid"},
		"generic-firing": {"/data &gt; 95% &amp; rising", "<https://wiki.example.com/disk%7Cx|",
			"<http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&amp;g0.tab=1|"},
	})
	colors := map[string]string{"one-topic-resolved": "good", "generic-firing": "danger", "generic-resolved": "good"}
	notifytest.Golden(t, "txt", scenes, func(t *testing.T, language string, s notifytest.Scene) string {
		c := newChannel(t, language)
		c.sendAll(t, c.notifier(t, Config{}), notifytest.Notification(s.Alerts...))
		inbox := c.Inbox()
		if len(inbox) != 1 || len(inbox[0].Attachments) != 1 {
			t.Fatalf("got %+v, want one message with one attachment", inbox)
		}
		color, ok := colors[s.Name]
		if !ok {
			color = "warning"
		}
		a := inbox[0].Attachments[0]
		if a.Color != color || a.Fallback != a.Title || len(a.Mrkdwn) != 0 {
			t.Errorf("got %+v, want color %s, the title as fallback, and no mrkdwn", a, color)
		}
		return a.Title + "\n" + a.Text
	})
}

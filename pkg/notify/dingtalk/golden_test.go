package dingtalk

import (
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify/notifytest"
)

// disk are the annotations of an alert with DingTalk's special characters.
var disk = alert.Labels{
	"summary":     "磁盘快满了",
	"description": "/data 已用 96%\n  VALUE = 96.2，请 @ops_ 处理 *_tmp_*",
	"runbook_url": "https://wiki.example.com/disk_(full)",
}

func TestGolden(t *testing.T) {
	// Each type of message writes notifytest.Topic in its own way.
	for kind, topic := range map[string]string{"markdown": "order_created＿＊", "text": "order_created_*"} {
		scenes := notifytest.ChatScenes(disk, map[string][]string{
			"one-topic-firing":   {topic, "@13800000000 @zhang-san"},
			"one-topic-resolved": {topic},
			"generic-firing":     {"磁盘快满了", "请 ＠ops", "https://wiki.example.com/disk", "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1"},
			"generic-resolved":   {"磁盘快满了"},
		})
		notifytest.Golden(t, kind, scenes, func(t *testing.T, language string, s notifytest.Scene) string {
			g := newGroup(t, language)
			to := g.notifier(t, Config{Type: kind, At: At{Mobiles: []string{"13800000000"}, Users: []string{"zhang-san"}}})
			notifytest.SendAll(t, to, notifytest.Notification(s.Alerts...))
			inbox := g.Inbox()
			if len(inbox) != 1 || inbox[0].Type != kind {
				t.Fatalf("got %+v, want one message of type %s", inbox, kind)
			}
			if kind == "text" {
				return inbox[0].Text
			}
			return inbox[0].Title + "\n\n" + inbox[0].Text
		})
	}
}

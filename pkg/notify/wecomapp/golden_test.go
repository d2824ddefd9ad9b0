package wecomapp

import (
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify/notifytest"
)

var scenes = notifytest.ChatScenes(
	alert.Labels{"summary": "磁盘快满了", "description": "/data 已用 96%\n  VALUE = 96.2", "runbook_url": "https://wiki.example.com/disk"},
	map[string][]string{
		"one-topic-firing":   {"order_created_"},
		"one-topic-resolved": {"order_created_"},
		"generic-firing":     {"磁盘快满了", "/data 已用 96% VALUE = 96.2", "https://wiki.example.com/disk", "http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&g0.tab=1"},
		"generic-resolved":   {"磁盘快满了"},
	})

func TestGolden(t *testing.T) {
	for _, kind := range []string{"text", "markdown"} {
		notifytest.Golden(t, kind, scenes, func(t *testing.T, language string, s notifytest.Scene) string {
			o := newFakeAPI(t, language)
			notifytest.SendAll(t, o.notifier(t, Config{MessageType: kind}), notifytest.Notification(s.Alerts...))
			inbox := o.Inbox()
			if len(inbox) != 1 || inbox[0].Type != kind {
				t.Fatalf("got %+v, want one message of type %s", inbox, kind)
			}
			return inbox[0].Content
		})
	}
}

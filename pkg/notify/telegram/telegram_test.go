package telegram

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	server "tocsin/pkg/localcloud/telegram"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

func TestGolden(t *testing.T) {
	disk := alert.Labels{
		"summary":     "/data > 95% & rising",
		"description": "ask @ops_team\n  VALUE = 96.2",
		"runbook_url": "https://wiki.example.com/disk_(full)?a=1&b=2",
	}
	scenes := notifytest.ChatScenes(disk, map[string][]string{
		"one-topic-firing":  {"order_created_*"},
		"few-topics-firing": {"<b>order_paid</b> ", "<b>order_created_*</b> "},
		"generic-firing": {"/data &gt; 95% &amp; rising", "ask ＠ops_team", `<a href="https://wiki.example.com/disk_%28full%29?a=1&amp;b=2">`,
			`<a href="http://prometheus.example.com/graph?g0.expr=disk_used+%3E+95&amp;g0.tab=1">`},
	})
	notifytest.Golden(t, "html", scenes, func(t *testing.T, language string, s notifytest.Scene) string {
		return onlyMessage(t, newFakeAPI(t, language), (*Config)(nil), s.Alerts...).Source
	})
}

// onlyMessage sends alerts and returns the one message that the chat receives. A nil
// configuration is the fake's.
func onlyMessage(t *testing.T, f *fakeAPI, c *Config, alerts ...*alert.Alert) server.Message {
	t.Helper()
	if c == nil {
		c = f.config()
	}
	notifytest.SendAll(t, notifytest.New(t, c, f.Env), notifytest.Notification(alerts...))
	inbox := f.Inbox()
	if len(inbox) != 1 {
		t.Fatalf("got %d messages, want 1: %+v", len(inbox), inbox)
	}
	return inbox[0]
}

func TestPayload(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"defaults": {func(*Config) {},
			`{"chat_id":-1001234567890,"text":"<b>[告警] A&lt;B&amp;C</b>\n开始：11-20 23:10:10\n\n<a href=\"https://alerts.example.com\">全部告警</a>","parse_mode":"HTML","link_preview_options":{"is_disabled":true}}`},
		"every key": {func(c *Config) {
			c.MessageThreadID, c.DisableNotifications, c.ParseMode = 7, true, parseMode("MarkdownV2")
		},
			`{"chat_id":-1001234567890,"message_thread_id":7,"text":"*\\[告警\\] A<B&C*\n开始：11\\-20 23:10:10\n\n[全部告警](https://alerts.example.com)","parse_mode":"MarkdownV2","link_preview_options":{"is_disabled":true},"disable_notification":true}`},
		"plain text": {func(c *Config) { c.ParseMode = parseMode("") },
			`{"chat_id":-1001234567890,"text":"[告警] A<B&C\n开始：11-20 23:10:10\n\n全部告警：https://alerts.example.com","link_preview_options":{"is_disabled":true}}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeAPI(t, "zh")
			c := f.config()
			tt.change(c)
			sent := notifytest.RecordBodies(f.Env)
			m := onlyMessage(t, f, c, &alert.Alert{Labels: alert.Labels{"alertname": "A<B&C"}, StartsAt: notifytest.At})
			if len(*sent) != 1 || (*sent)[0] != tt.want {
				t.Errorf("got  %s\nwant %s", *sent, tt.want)
			}
			if m.Topic != c.MessageThreadID || m.Silent != c.DisableNotifications {
				t.Errorf("got topic %d, silent %v; want %d, %v", m.Topic, m.Silent, c.MessageThreadID, c.DisableNotifications)
			}
		})
	}
}

// The preview is the text as it is read, with addresses.
func TestPreview(t *testing.T) {
	const want = "[告警] A<B&C *x*\n开始：11-20 23:10:10\n\n全部告警%shttps://alerts.example.com"
	for mode, separator := range map[string]string{"HTML": ": ", "MarkdownV2": ": ", "": "："} {
		f := newFakeAPI(t, "zh")
		c := f.config()
		c.ParseMode = parseMode(mode)
		n := notifytest.Notification(&alert.Alert{Labels: alert.Labels{"alertname": "A<B&C *x*"}, StartsAt: notifytest.At})
		messages := notifytest.SendAll(t, notifytest.New(t, c, f.Env), n)
		if got := messages[0].Text; got != fmt.Sprintf(want, separator) {
			t.Errorf("%s: got %q, want %q", mode, got, fmt.Sprintf(want, separator))
		}
	}
}

func TestTarget(t *testing.T) {
	f := newFakeAPI(t, "zh")
	c := f.config()
	first := notifytest.Messages(t, notifytest.New(t, c, f.Env), notifytest.Notification(notifytest.OneTopic()...))[0]
	c.MessageThreadID = 7
	topic := notifytest.Messages(t, notifytest.New(t, c, f.Env), notifytest.Notification(notifytest.OneTopic()...))[0]
	c.ChatID = "-5"
	other := notifytest.Messages(t, notifytest.New(t, c, f.Env), notifytest.Notification(notifytest.OneTopic()...))[0]
	// printf %s 123456:ABC-0123456789abcdefghijklmnopqrst/-1001234567890 | sha256sum
	if first.Target != "telegram/809d7282" || topic.Target != first.Target || other.Target == first.Target {
		t.Errorf("got targets %s, %s, %s; want one for each chat", first.Target, topic.Target, other.Target)
	}
	if first.Audience != "" || topic.Audience != "topic 7" {
		t.Errorf("got audiences %q and %q, want one for each topic", first.Audience, topic.Audience)
	}
}

func TestCustomMessage(t *testing.T) {
	file := notifytest.TemplateFile(t, `{{ define "short" }}{{ .Status }}: {{ .CommonLabels.topic }}{{ end }}`)
	builtin := notifytest.ReadGolden(t, "one-topic-firing.zh.html")
	for name, tt := range map[string]struct{ mode, message, want string }{
		"constant":                            {"HTML", "look <i>here</i>", "look <i>here</i>"},
		"file":                                {"HTML", `{{ template "short" . }}`, "firing: order_created_*"},
		"around the built-in message":         {"HTML", "<u>oh</u>\n" + `{{ template "telegram.default" . }}`, "<u>oh</u>\n" + builtin},
		"value in HTML":                       {"HTML", "<b>{{ .CommonLabels.x }}</b>", "<b>_a_ &lt;b&gt;.&#34;c&#34;</b>"},
		"value in MarkdownV2":                 {"MarkdownV2", "*{{ .CommonLabels.x }}*", `*\_a\_ <b\>\."c"*`},
		"value in Markdown":                   {"Markdown", "{{ .CommonLabels.x }}", `\_a\_ <b>."c"`},
		"value in plain text":                 {"", "{{ .CommonLabels.x }}", `_a_ <b>."c"`},
		"tag that the template leaves open":   {"HTML", "<b>look", "<b>look</b>"},
		"control characters":                  {"HTML", "a\x01b\tc\r\nd\u2028e", "ab c\nd\ne"},
		"Alertmanager's template by its name": {"HTML", `{{ template "telegram.default.message" . }}`, "Alerts Firing:"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeAPI(t, "zh")
			c := f.config()
			c.ParseMode, c.Message = parseMode(tt.mode), tt.message
			n := notifytest.Notification(notifytest.OneTopic()...)
			n.Alerts[0].Labels["x"] = `_a_ <b>."c"`
			if name == "around the built-in message" {
				delete(n.Alerts[0].Labels, "x")
			}
			notifytest.SendAll(t, notifytest.New(t, c, f.Env, file), n)
			if got := f.Inbox()[0].Source; got != tt.want && !(tt.want == "Alerts Firing:" && strings.HasPrefix(got, tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A text whose markup Telegram cannot parse arrives as plain text.
func TestUnparsableMarkup(t *testing.T) {
	for name, tt := range map[string]struct{ mode, message, want string }{
		"unknown tag":      {"HTML", "<b>lag</b> <font color=red>&lt; 5</font> and 6 < 7 > 2", "lag <font color=red>< 5</font> and 6 < 7 > 2"},
		"end tag":          {"HTML", "x</b> <a href=\"https://example.com\">y</a>", "x y: https://example.com"},
		"reserved in V2":   {"MarkdownV2", `lag: 5.0 \(high\)`, "lag: 5.0 (high)"},
		"bold left open":   {"MarkdownV2", "*lag", "lag"},
		"italic left open": {"Markdown", "order_created", "order_created"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeAPI(t, "zh")
			c := f.config()
			c.ParseMode, c.Message = parseMode(tt.mode), tt.message
			m := onlyMessage(t, f, c, notifytest.OneTopic()...)
			if m.Text != tt.want || f.Calls() != 2 {
				t.Errorf("got %q after %d requests, want %q after 2", m.Text, f.Calls(), tt.want)
			}
		})
	}
}

// A group that became a supergroup gets the message under its new id, and a note.
func TestMigratedGroup(t *testing.T) {
	for language, note := range map[string]string{"zh": "请把 Tocsin 配置中的 chat_id 改为 -1009。", "en": "put chat_id: -1009 into the configuration of Tocsin."} {
		t.Run(language, func(t *testing.T) {
			f := newFakeAPI(t, language)
			f.Migrate(token, group, -1009)
			c := f.config()
			c.ParseMode = parseMode("MarkdownV2")
			m := onlyMessage(t, f, c, notifytest.OneTopic()...)
			if m.ChatID != -1009 || !strings.Contains(m.Text, note) || !strings.Contains(m.Text, "12,345") || f.Calls() != 2 {
				t.Errorf("got %d requests and a message to %d, want 2 and -1009:\n%s", f.Calls(), m.ChatID, m.Text)
			}
		})
	}
	f := newFakeAPI(t, "zh")
	f.Migrate(token, group, -1009)
	f.Kick(token, -1009)
	err := notifytest.SendOne(t, t.Context(), notifytest.New(t, f.config(), f.Env), notifytest.Notification(notifytest.OneTopic()...), token)
	if err == nil || err.Class != notify.Permanent || err.Code != "403" {
		t.Errorf("got %v from a group without the bot, want its error", err)
	}
	// The note fits into a message that is full.
	n := notifytest.Notification()
	for i := range 300 {
		n.Alerts = append(n.Alerts, notifytest.LagAlert(fmt.Sprintf("topic-%03d", i), "99999", time.Hour))
	}
	f = newFakeAPI(t, "en")
	f.Migrate(token, group, -1009)
	notifytest.SendAll(t, notifytest.New(t, f.config(), f.Env), n, f.forgetLimits)
}

// A text with tags around many lines stays well-formed when it is split.
func TestSplitInsideTags(t *testing.T) {
	f := newFakeAPI(t, "zh")
	c := f.config()
	line := strings.Repeat("0123456789", 10)
	c.Message = "<b>title</b>\n<blockquote><i>" + strings.TrimSuffix(strings.Repeat(line+"\n", 100), "\n") + "</i></blockquote>\nend"
	messages := notifytest.SendAll(t, notifytest.New(t, c, f.Env), notifytest.Notification(notifytest.OneTopic()...), f.forgetLimits)
	if got := notifytest.Units(messages); !slices.Equal(got, []string{"1/3", "2/3", "3/3"}) {
		t.Fatalf("got units %q, want three", got)
	}
	lines := 0
	for i, m := range f.Inbox() {
		lines += strings.Count(m.Text, line)
		want := []string{"bold", "blockquote", "italic"}
		if i > 0 {
			want = want[1:]
		}
		if !slices.Equal(m.Entities, want) || f.Calls() != 3 {
			t.Errorf("got entities %q in part %d after %d requests, want %q", m.Entities, i+1, f.Calls(), want)
		}
	}
	if lines != 100 {
		t.Errorf("got %d lines, want 100", lines)
	}
}

// The limit counts UTF-16 code units of the text that is read: 4096 Chinese
// characters are one message, half as many emoji.
func TestLimitCountsCharacters(t *testing.T) {
	for name, tt := range map[string]struct {
		line  string
		lines int
		parts int
	}{
		"Chinese":  {strings.Repeat("中", 99), 39, 1},
		"emoji":    {strings.Repeat("😀", 99), 36, 2},
		"escapes":  {strings.Repeat("&amp;", 99), 39, 1},
		"tags":     {strings.Repeat("<b>x</b>", 99), 39, 1},
		"too long": {strings.Repeat("中", 99), 41, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeAPI(t, "zh")
			c := f.config()
			c.Message = strings.TrimSuffix(strings.Repeat(tt.line+"\n", tt.lines), "\n")
			messages := notifytest.SendAll(t, notifytest.New(t, c, f.Env), notifytest.Notification(notifytest.OneTopic()...), f.forgetLimits)
			if len(messages) != tt.parts || f.Calls() != tt.parts {
				t.Errorf("got %d parts in %d requests, want %d", len(messages), f.Calls(), tt.parts)
			}
		})
	}
}

// The vendor counts the quotas: the 21st message of a minute is to be sent later.
func TestQuota(t *testing.T) {
	f := newFakeAPI(t, "zh")
	to := notifytest.New(t, f.config(), f.Env)
	send := func() *notify.Error {
		return notifytest.SendOne(t, t.Context(), to, notifytest.Notification(notifytest.OneTopic()...), token)
	}
	for i := range server.GroupPerMinute {
		if err := send(); err != nil {
			t.Fatalf("message %d: got %v, want it accepted", i+1, err)
		}
	}
	f.Advance(20 * time.Second)
	if err := send(); err == nil || err.Class != notify.Rate || err.RetryAfter != 40*time.Second {
		t.Errorf("message 21: got %+v, want a rate error with 40s to wait", err)
	}
}

// What goes to the API is valid JSON, whatever an alert contains.
func TestBodyIsJSON(t *testing.T) {
	f := newFakeAPI(t, "zh")
	sent := notifytest.RecordBodies(f.Env)
	for _, word := range notifytest.Hostile {
		notifytest.SendAll(t, notifytest.New(t, f.config(), f.Env), notifytest.HostileNotification(word, 2, ""), f.forgetLimits)
	}
	for _, body := range *sent {
		if !json.Valid([]byte(body)) {
			t.Errorf("got body %q, want JSON", body)
		}
	}
}

func BenchmarkMessages(b *testing.B) {
	n := notifytest.Notification()
	for i := range 5000 {
		n.Alerts = append(n.Alerts, notifytest.LagAlert(fmt.Sprintf("topic-%04d", i), fmt.Sprint(10001+i*7919%80000), time.Hour))
	}
	to, err := (&Config{BotToken: token, ChatID: "1"}).New(notifytest.NewEnv("zh"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := to.Messages(n); err != nil {
			b.Fatal(err)
		}
	}
}

package slack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/slack"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

// name is the secret part of the hook's address.
const name = "T00000000/B00000000/0123456789abcdefghijklmn"

// channel is a channel with one webhook, on a server of its own. Its clock
// stands still.
type channel struct {
	*server.Server
	env     *notify.Env
	address string
	now     time.Time
}

func newChannel(t *testing.T, language string) *channel {
	t.Helper()
	c := &channel{env: notifytest.NewEnv(language), now: notifytest.At}
	c.env.ExternalURL = "https://alerts.example.com/?a=1&b=2"
	c.Server = server.New(func() time.Time { return c.now })
	c.Add(name)
	c.address = notifytest.StartVendor(t, c.env, c.Server) + server.Path + name
	return c
}

func (c *channel) notifier(t *testing.T, config Config, files ...string) notify.Notifier {
	t.Helper()
	config.Inherit(Global{APIURL: setting.Secret(c.address)})
	return notifytest.New(t, &config, c.env, files...)
}

// say sends everything of n, a message a second, and fails the test unless all
// of it is accepted.
func (c *channel) say(t *testing.T, to notify.Notifier, n *alert.Notification) []notify.Message {
	t.Helper()
	return notifytest.SendAll(t, to, n, func() { c.now = c.now.Add(time.Second) })
}

func TestSplit(t *testing.T) {
	for _, limit := range []int{3000, 1500} {
		c := newChannel(t, "zh")
		n := notifytest.Notification()
		n.HalfSize = limit == 1500
		for i := range 300 {
			n.Alerts = append(n.Alerts, notifytest.LagAlert(fmt.Sprintf("topic-%03d", i), fmt.Sprint(99999-i), time.Hour))
		}
		messages := c.say(t, c.notifier(t, Config{}), n)
		next := 0
		for i, m := range c.Inbox() {
			a := m.Attachments[0]
			if len(a.Text) > limit || !utf8.ValidString(a.Text) || i+1 < len(messages) && len(a.Text) < limit-100 {
				t.Errorf("part %d has %d bytes", i+1, len(a.Text))
			}
			if mark := fmt.Sprintf("（300 个 topic） (%d/%d)", i+1, len(messages)); !strings.HasSuffix(a.Title, mark) || messages[i].Units[0] != fmt.Sprintf("%d/%d", i+1, len(messages)) {
				t.Errorf("part %d: %s, units %v", i+1, a.Title, messages[i].Units)
			}
			for line := range strings.SplitSeq(a.Text, "\n") {
				if strings.HasPrefix(line, "• topic-") {
					if want := fmt.Sprintf("• topic-%03d：", next); !strings.HasPrefix(line, want) {
						t.Errorf("%q, want %s", line, want)
					}
					next++
				}
			}
		}
		if next != 300 {
			t.Errorf("%d topics said", next)
		}
		n.AcceptedUnits = []string{messages[0].Units[0]}
		if rest, err := c.notifier(t, Config{}).Messages(n); err != nil || len(rest) != len(messages)-1 || rest[0].Units[0] != messages[1].Units[0] {
			t.Errorf("%d messages left, %v", len(rest), err)
		}
	}
}

func TestOwnTemplates(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.tmpl")
	if err := os.WriteFile(file, []byte(`{{ define "team" }}#{{ .CommonLabels.team }}{{ end }}`), 0o644); err != nil {
		t.Fatal(err)
	}
	c := newChannel(t, "zh")
	n := notifytest.Notification(&alert.Alert{Labels: alert.Labels{"alertname": "A", "team": "db", "x": "*a*\n`b` <!here> & c_d"}, StartsAt: notifytest.At})
	c.say(t, c.notifier(t, Config{
		Channel: `{{ template "team" . }}`, Username: "Tocsin {{ .Status }}", IconEmoji: ":bell:", IconURL: "https://example.com/i.png",
		Color: `{{ template "slack.default.color" . }}`, Title: "*{{ .CommonLabels.x }}*", TitleLink: "{{ .ExternalURL }}",
		Text: "<!channel> *{{ .CommonLabels.x }}*",
	}, file), n)
	got := c.Inbox()[0]
	want := server.Message{Hook: name, At: got.At, Channel: "#db", Username: "Tocsin firing", IconEmoji: ":bell:", IconURL: "https://example.com/i.png"}
	const value = "*∗a∗ 'b' &lt;!here&gt; &amp; c_d*"
	attachment := server.Attachment{Fallback: value, Title: value, Color: "danger", TitleLink: "https://alerts.example.com/?a=1&b=2", Text: "<!channel> " + value}
	a := got.Attachments[0]
	if !slices.Equal(a.Mrkdwn, []string{"text"}) {
		t.Errorf("mrkdwn in %q", a.Mrkdwn)
	}
	a.Mrkdwn, got.Attachments = nil, nil
	if fmt.Sprint(a) != fmt.Sprint(attachment) || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v\n%+v", got, a)
	}
}

func TestPayload(t *testing.T) {
	c := newChannel(t, "zh")
	sent := notifytest.RecordBodies(c.env)
	messages := c.say(t, c.notifier(t, Config{}), notifytest.Notification(&alert.Alert{Labels: alert.Labels{"alertname": "A<B"}, StartsAt: notifytest.At}))
	want := `{"attachments":[{"fallback":"[告警] A&lt;B","color":"warning","title":"[告警] A&lt;B","text":"开始：11-20 23:10:10\n\n<https://alerts.example.com/?a=1&amp;b=2|全部告警>","mrkdwn_in":[]}]}`
	if len(*sent) != 1 || (*sent)[0] != want {
		t.Errorf("%s\nwant %s", *sent, want)
	}
	if m := messages[0]; m.Text != "[告警] A<B\n开始：11-20 23:10:10\n\n全部告警: https://alerts.example.com/?a=1&b=2" {
		t.Errorf("%q", m.Text)
	}
}

// An alert is not lost over its wording.
func TestFailingTemplates(t *testing.T) {
	for why, config := range map[string]Config{
		"text: template":         {Text: "{{ .Nope }}"},
		"text: it prints":        {Text: `{{ "  \n" }}`},
		"title: template":        {Title: "{{ .Nope }}"},
		"channel: template":      {Channel: "{{ .Nope }}"},
		"more than 1 MiB":        {Text: "{{ range 99999 }}" + strings.Repeat("x", 99) + "{{ end }}"},
		"color: template: :1:3:": {Color: "{{ .Nope }}", Text: ""},
	} {
		c := newChannel(t, "zh")
		c.say(t, c.notifier(t, config), notifytest.Notification(notifytest.OneTopic()...))
		a := c.Inbox()[0].Attachments[0]
		if !strings.Contains(a.Text, "积压 12,345 条") || !strings.Contains(a.Text, "自定义模板出错") || !strings.Contains(a.Text, why) || !strings.HasPrefix(a.Title, "[告警] ") || a.Color != "warning" {
			t.Errorf("%s: %+v", why, a)
		}
	}
	// A title that prints nothing is the built-in one, as a title must be there.
	c := newChannel(t, "zh")
	c.say(t, c.notifier(t, Config{Title: "{{ .CommonLabels.nope }}"}), notifytest.Notification(notifytest.OneTopic()...))
	if a := c.Inbox()[0].Attachments[0]; !strings.HasPrefix(a.Title, "[告警] ") {
		t.Errorf("%+v", a)
	}
}

func TestNewErrors(t *testing.T) {
	for want, config := range map[string]Config{
		"text: template \"x\" is not defined": {Text: `{{ template "x" . }}`},
		"channel: ":                           {Channel: "{{"},
		"title_link: ":                        {TitleLink: "{{ nope }}"},
	} {
		if _, err := config.New(notifytest.NewEnv("zh"), nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// hostile is what somebody who can name a topic or write an annotation might try.
var hostile = []string{
	"<!here>", "<!channel|x>", "<@U00000000>", "<#C00000000>", "<!subteam^S0|ops>", "<https://evil.example.com|all well>", "&lt;!here&gt;", "<<!here>>",
	"><!here>", "|<!here>", "<\u200b!here>", "<\n!here>", "\x00<!here>", "\r\n<!here>", strings.Repeat("&<", 900) + "<!here>",
}

// TestInjection says notifications that have a hostile word in every place that
// an outsider can fill: nobody is mentioned, and there is no link but to the
// addresses of the alert.
func TestInjection(t *testing.T) {
	const own = "{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Labels.topic }} <{{ .GeneratorURL }}|source>{{ end }}{{ template \"slack.default\" . }}"
	for _, config := range []Config{{}, {Text: own, Title: "{{ .CommonLabels.alertname }} {{ .CommonAnnotations.summary }}"}} {
		for _, count := range []int{1, 2, 7} {
			for _, evil := range hostile {
				c := newChannel(t, "zh")
				n := notifytest.Notification()
				n.FallbackFor, n.Cause = evil, evil
				for i := range count {
					n.Alerts = append(n.Alerts, &alert.Alert{
						Labels:       alert.Labels{"alertname": evil, "topic": evil, "consumer_group": evil, "cluster": evil, "n": fmt.Sprint(i), evil: evil},
						Annotations:  alert.Labels{"summary": evil, "description": evil + "x", evil: evil, "lag": "3000", "threshold": evil, "partitions": evil, "dashboard_url": "https://example.com/" + evil},
						GeneratorURL: "https://example.com/?q=" + evil, StartsAt: notifytest.At,
					})
				}
				c.say(t, c.notifier(t, config), n)
				for _, m := range c.Inbox() {
					if got := m.Mentions(); len(got) > 0 {
						t.Errorf("%q mentions %q", evil, got)
					}
					for _, tag := range strings.Split(m.Attachments[0].Title+m.Attachments[0].Text, "<")[1:] {
						if !strings.HasPrefix(tag, "https://example.com/") && !strings.HasPrefix(tag, "https://alerts.example.com/") {
							t.Errorf("%q opens %q", evil, tag)
						}
					}
				}
			}
		}
	}
}

// sendOne says one alert and returns what became of it.
func (c *channel) sendOne(t *testing.T, ctx context.Context) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, c.notifier(t, Config{}), notifytest.Notification(notifytest.OneTopic()...), "0123456789abcdef")
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		status    int
		said      string
		after     string
		class     notify.Class
		wait      time.Duration
		ambiguous bool
		code      string
		says      string
	}{
		{400, "invalid_payload", "", notify.Permanent, 0, false, "invalid_payload", "cannot parse the message"},
		{400, "no_text", "", notify.Permanent, 0, false, "no_text", "empty"},
		{400, "msg_too_long", "", notify.TooLong, 0, false, "msg_too_long", "too long"},
		{400, "user_not_found", "", notify.Permanent, 0, false, "user_not_found", "correct channel"},
		{403, "action_prohibited", "", notify.Permanent, 0, false, "action_prohibited", "administrator"},
		{403, "invalid_token", "", notify.Permanent, 0, false, "invalid_token", "copy it again"},
		{404, "channel_not_found", "", notify.Permanent, 0, false, "channel_not_found", "correct channel"},
		{404, "no_service\n", "", notify.Permanent, 0, false, "no_service", "put its address under api_url"},
		{410, "channel_is_archived", "", notify.Permanent, 0, false, "channel_is_archived", "archived"},
		{403, "channel_is_archived", "", notify.Permanent, 0, false, "channel_is_archived", "archived"},
		{404, "something_new", "", notify.Permanent, 0, false, "HTTP 404", "refuses the request"},
		{429, "rate_limited", "30", notify.Rate, 30 * time.Second, false, "HTTP 429", "slow down"},
		{429, "", "", notify.Rate, time.Second, false, "HTTP 429", "slow down"},
		{500, "rollup_error", "", notify.Retry, 0, true, "HTTP 500", "the server failed"},
		{503, "", "5", notify.Retry, 5 * time.Second, false, "HTTP 503", "the server failed"},
		{302, "", "", notify.Permanent, 0, false, "HTTP 302", "redirects"},
		{200, "no_service", "", notify.Permanent, 0, false, "no_service", "removed"},
		{200, "<html>" + name, "", notify.Retry, 0, true, "", `"<html>T00000000/B00000000/<secret>"`},
		{200, "", "", notify.Retry, 0, true, "", "proxy in between"},
		{201, "ok", "", notify.Retry, 0, true, "", "proxy in between"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.said), func(t *testing.T) {
			c := newChannel(t, "zh")
			c.Inject(1, fault.Respond(tt.status, "text/html", tt.said, "Retry-After", tt.after, "Location", "https://elsewhere.example.com/"+name))
			err := c.sendOne(t, t.Context())
			if err == nil {
				t.Fatal("it counts as sent")
			}
			if err.Class != tt.class || err.RetryAfter != tt.wait || err.Ambiguous != tt.ambiguous || err.Code != tt.code || !strings.Contains(err.Message, tt.says) {
				t.Errorf("%v, after %v, ambiguous %v, code %q: %v", err.Class, err.RetryAfter, err.Ambiguous, err.Code, err)
			}
			if err := c.sendOne(t, t.Context()); err != nil || c.Calls() != 2 {
				t.Errorf("the next attempt: %v, %d calls", err, c.Calls())
			}
		})
	}
}

func TestServerRules(t *testing.T) {
	c := newChannel(t, "zh")
	if err := c.sendOne(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.sendOne(t, t.Context()); err == nil || err.Class != notify.Rate || err.RetryAfter != time.Second {
		t.Errorf("two in a second: %+v", err)
	}
	c.Archive(name)
	if err := c.sendOne(t, t.Context()); err == nil || err.Code != "channel_is_archived" {
		t.Errorf("archived: %+v", err)
	}
	c.Remove(name)
	if err := c.sendOne(t, t.Context()); err == nil || err.Code != "no_service" {
		t.Errorf("removed: %+v", err)
	}
}

func TestNoAnswer(t *testing.T) {
	c := newChannel(t, "zh")
	c.Inject(1, fault.Hang)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.sendOne(t, ctx); err == nil || err.Class != notify.Retry || !err.Ambiguous || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v", err)
	}
	c.address = notifytest.UnreachableURL(t) + server.Path + name
	if err := c.sendOne(t, t.Context()); err == nil || err.Class != notify.Retry || err.Ambiguous || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%+v", err)
	}
}

func TestTarget(t *testing.T) {
	notifier, err := (&Config{APIURL: "https://hooks.slack.com/services/" + setting.Secret(name)}).New(notifytest.NewEnv("zh"), nil)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := notifier.Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil {
		t.Fatal(err)
	}
	// printf %s https://hooks.slack.com/services/T00000000/B00000000/0123456789abcdefghijklmn | sha256sum
	if got := messages[0].Target; got != "slack/d3f9b438" {
		t.Error(got)
	}
}

package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	server "tocsin/pkg/localcloud/slack"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

// name is the secret part of the hook's address.
const name = "T00000000/B00000000/0123456789abcdefghijklmn"

// channel is a fake of Slack with one webhook.
type channel struct {
	*server.Server
	*notifytest.Fake
	address string // of the webhook
}

func newChannel(t *testing.T, language string) *channel {
	t.Helper()
	s, f := notifytest.StartFake(t, language, server.New)
	f.Env.ExternalURL = "https://alerts.example.com/?a=1&b=2"
	s.Add(name)
	return &channel{s, f, f.URL + server.Path + name}
}

// notifier returns the notifier of config with the webhook's address.
func (c *channel) notifier(t *testing.T, config Config, files ...string) notify.Notifier {
	t.Helper()
	config.Inherit(Global{APIURL: setting.Secret(c.address)})
	return notifytest.New(t, &config, c.Env, files...)
}

// sendAll sends n, a message a second, and fails the test unless all is accepted.
func (c *channel) sendAll(t *testing.T, to notify.Notifier, n *alert.Notification) []notify.Message {
	t.Helper()
	return notifytest.SendAll(t, to, n, func() { c.Advance(time.Second) })
}

func TestCustomTemplates(t *testing.T) {
	file := notifytest.TemplateFile(t, `{{ define "team" }}#{{ .CommonLabels.team }}{{ end }}`)
	c := newChannel(t, "zh")
	n := notifytest.Notification(&alert.Alert{Labels: alert.Labels{"alertname": "A", "team": "db", "x": "*a*\n`b` <!here> & c_d"}, StartsAt: notifytest.At})
	c.sendAll(t, c.notifier(t, Config{
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
		t.Errorf("got mrkdwn in %q, want it in the text", a.Mrkdwn)
	}
	a.Mrkdwn, got.Attachments = nil, nil
	if fmt.Sprint(a) != fmt.Sprint(attachment) || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v with %+v\nwant %+v with %+v", got, a, want, attachment)
	}
}

func TestPayload(t *testing.T) {
	c := newChannel(t, "zh")
	sent := notifytest.RecordBodies(c.Env)
	messages := c.sendAll(t, c.notifier(t, Config{}), notifytest.Notification(&alert.Alert{Labels: alert.Labels{"alertname": "A<B"}, StartsAt: notifytest.At}))
	want := `{"attachments":[{"fallback":"[告警] A&lt;B","color":"warning","title":"[告警] A&lt;B","text":"开始：11-20 23:10:10\n\n<https://alerts.example.com/?a=1&amp;b=2|全部告警>","mrkdwn_in":[]}]}`
	if len(*sent) != 1 || (*sent)[0] != want {
		t.Errorf("got  %s\nwant %s", *sent, want)
	}
	if m := messages[0]; m.Text != "[告警] A<B\n开始：11-20 23:10:10\n\n全部告警: https://alerts.example.com/?a=1&b=2" {
		t.Errorf("got preview %q, want the text without markup", m.Text)
	}
}

// A title that prints nothing is the built-in one: Slack needs a title. A color
// that fails is the built-in one as well.
func TestBuiltInTitleAndColor(t *testing.T) {
	for name, config := range map[string]Config{
		"empty title": {Title: "{{ .CommonLabels.nope }}"}, "failing title": {Title: "{{ .Nope }}"}, "failing color": {Color: "{{ .Nope }}"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChannel(t, "zh")
			c.sendAll(t, c.notifier(t, config), notifytest.Notification(notifytest.OneTopic()...))
			if a := c.Inbox()[0].Attachments[0]; !strings.HasPrefix(a.Title, "[告警] ") || a.Color != "warning" {
				t.Errorf("got title %q and color %q, want the built-in ones", a.Title, a.Color)
			}
		})
	}
}

func TestNewErrors(t *testing.T) {
	for want, config := range map[string]Config{
		"text: template \"x\" is not defined": {Text: `{{ template "x" . }}`},
		"channel: ":                           {Channel: "{{"},
		"title_link: ":                        {TitleLink: "{{ nope }}"},
	} {
		if _, err := config.New(notifytest.NewEnv("zh"), nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

// sendOne sends one alert and returns the error.
func (c *channel) sendOne(t *testing.T, ctx context.Context) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, c.notifier(t, Config{}), notifytest.Notification(notifytest.OneTopic()...), "0123456789abcdef")
}

func TestSecondMessageWithinASecond(t *testing.T) {
	c := newChannel(t, "zh")
	if err := c.sendOne(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.sendOne(t, t.Context()); err == nil || err.Class != notify.Rate || err.RetryAfter != time.Second {
		t.Errorf("got %+v, want a rate limit of a second", err)
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
		t.Errorf("got target %s, want slack/d3f9b438", got)
	}
}

// Servers with Slack's API read mentions without markup: Mattermost by words, Discord
// everywhere.
func TestEscapeEverybody(t *testing.T) {
	for in, want := range map[string]string{
		"@here":                   "＠here",
		"to @Everyone, @channel!": "to ＠Everyone, ＠channel!",
		"x@all":                   "x＠all",
		"a@example.com @ops":      "a@example.com @ops",
	} {
		if got := escape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

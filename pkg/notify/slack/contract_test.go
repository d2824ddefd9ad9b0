package slack

import (
	"fmt"
	"html"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/slack"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestContract(t *testing.T) {
	const text = "{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Labels.topic }} <{{ .GeneratorURL }}|source>{{ end }}{{ template \"slack.default\" . }}"
	notifytest.Run(t, notifytest.Channel[*Config]{
		Start:       startVendor,
		Kind:        notify.Kind{Name: "slack", Quotas: []notify.Quota{{Messages: 1, Per: time.Second}}},
		Secrets:     []string{"0123456789abcdef"},
		Errors:      vendorErrors(),
		Limit:       3000,
		SplitAlerts: 300,
		Templates: []notifytest.TemplateCase[*Config]{
			{Key: "text", Set: func(c *Config, s string) { c.Text = s }, EmptyFails: true},
			{Key: "title", Set: func(c *Config, s string) { c.Title = s }},
			{Key: "channel", Set: func(c *Config, s string) { c.Channel = s }},
			{Key: "username", Set: func(c *Config, s string) { c.Username = s }},
			{Key: "icon_emoji", Set: func(c *Config, s string) { c.IconEmoji = s }},
			{Key: "icon_url", Set: func(c *Config, s string) { c.IconURL = s }},
			{Key: "title_link", Set: func(c *Config, s string) { c.TitleLink = s }},
			{Key: "color", Set: func(c *Config, s string) { c.Color = s }},
		},
		Variants: []notifytest.Variant[*Config]{
			{Name: "text", Change: func(c *Config) {
				c.Text, c.Title = text, "{{ .CommonLabels.alertname }} {{ .CommonAnnotations.summary }}"
			}},
		},
	})
}

func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	c := newChannel(t, "zh")
	return &notifytest.Vendor[*Config]{
		Env: c.Env, Config: &Config{APIURL: setting.Secret(c.address)}, Fake: c.Server,
		Inject: c.Inject, Requests: c.Calls, BeforeSend: func() { c.Advance(time.Second) },
		Received: notifytest.ReceivedFrom(c.Inbox, func(_ int, m server.Message) notifytest.Received {
			a := m.Attachments[0]
			foreign := 0 // tags that are not links to the addresses of alerts
			for _, tag := range strings.Split(a.Title+a.Text, "<")[1:] {
				if !strings.HasPrefix(tag, "https://example.com/") && !strings.HasPrefix(tag, "https://alerts.example.com/") {
					foreign++
				}
			}
			return notifytest.Received{
				Text: html.UnescapeString(a.Title + "\n" + a.Text), Size: len(a.Text), Mentions: m.Mentions(),
				Markup: map[string]int{"tags other than links of alerts": foreign},
			}
		}),
	}
}

// vendorErrors are the error words of the vendor and its responses that are not
// as documented.
func vendorErrors() []notifytest.ErrorCase[*Config] {
	type errorCase = notifytest.ErrorCase[*Config]
	var cases []errorCase
	for _, c := range []struct {
		status     int
		body       string
		retryAfter string
		want       notify.Error
	}{
		{400, "invalid_payload", "", notify.Error{Class: notify.Permanent, Code: "invalid_payload", Message: "cannot"}},
		{400, "no_text", "", notify.Error{Class: notify.Permanent, Code: "no_text", Message: "empty"}},
		{400, "msg_too_long", "", notify.Error{Class: notify.TooLong, Code: "msg_too_long", Message: "too long"}},
		{400, "user_not_found", "", notify.Error{Class: notify.Permanent, Code: "user_not_found", Message: "correct channel"}},
		{403, "action_prohibited", "", notify.Error{Class: notify.Permanent, Code: "action_prohibited", Message: "administrator"}},
		{403, "invalid_token", "", notify.Error{Class: notify.Permanent, Code: "invalid_token", Message: "copy it again"}},
		{404, "channel_not_found", "", notify.Error{Class: notify.Permanent, Code: "channel_not_found", Message: "correct channel"}},
		{404, "no_service\n", "", notify.Error{Class: notify.Permanent, Code: "no_service", Message: "put its address under api_url"}},
		{410, "channel_is_archived", "", notify.Error{Class: notify.Permanent, Code: "channel_is_archived", Message: "archived"}},
		{403, "channel_is_archived", "", notify.Error{Class: notify.Permanent, Code: "channel_is_archived", Message: "archived"}},
		{404, "something_new", "", notify.Error{Class: notify.Permanent, Code: "HTTP 404", Message: "refuses the request"}},
		{429, "rate_limited", "30", notify.Error{Class: notify.Rate, RetryAfter: 30 * time.Second, Code: "HTTP 429", Message: "slow down"}},
		{429, "", "", notify.Error{Class: notify.Rate, RetryAfter: time.Second, Code: "HTTP 429", Message: "slow down"}},
		{500, "rollup_error", "", notify.Error{Class: notify.Retry, Ambiguous: true, Code: "HTTP 500", Message: "the server failed"}},
		{503, "", "5", notify.Error{Class: notify.Retry, RetryAfter: 5 * time.Second, Code: "HTTP 503", Message: "the server failed"}},
		{200, "no_service", "", notify.Error{Class: notify.Permanent, Code: "no_service", Message: "removed"}},
		{200, "<html>" + name, "", notify.Error{Class: notify.Retry, Ambiguous: true, Message: `"<html><secret>/<secret>/<secret>"`}},
		{201, "ok", "", notify.Error{Class: notify.Retry, Ambiguous: true, Message: "proxy in between"}},
	} {
		cases = append(cases, errorCase{Name: strings.TrimSpace(fmt.Sprintf("status %d with %s", c.status, c.body)),
			Fault: fault.Respond(c.status, "text/html", c.body, "Retry-After", c.retryAfter), Want: &c.want})
	}
	return append(cases,
		errorCase{Name: "proxy page with status 200", Fault: fault.Respond(200, "text/html", "<html>"),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "proxy in between"}},
		errorCase{Name: "empty response", Fault: fault.Respond(200, "text/html", ""),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "proxy in between"}},
		errorCase{Name: "archived channel", Setup: func(_ *testing.T, v *notifytest.Vendor[*Config]) { v.Fake.(*server.Server).Archive(name) },
			Want: &notify.Error{Class: notify.Permanent, Code: "channel_is_archived"}},
		errorCase{Name: "removed hook", Setup: func(_ *testing.T, v *notifytest.Vendor[*Config]) { v.Fake.(*server.Server).Remove(name) },
			Want: &notify.Error{Class: notify.Permanent, Code: "no_service"}},
	)
}

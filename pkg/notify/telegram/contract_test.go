package telegram

import (
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/telegram"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

const (
	token = "123456:ABC-0123456789abcdefghijklmnopqrst"
	group = -1001234567890
)

// fakeAPI is the Bot API with one bot in one group.
type fakeAPI struct {
	*server.Server
	*notifytest.Fake
}

func newFakeAPI(t *testing.T, language string) *fakeAPI {
	t.Helper()
	s, f := notifytest.StartFake(t, language, server.New)
	s.Add(token, server.Chat{ID: group, Topics: []int{7}})
	return &fakeAPI{s, f}
}

// config returns the configuration of the bot.
func (f *fakeAPI) config() *Config {
	return &Config{APIURL: f.URL, BotToken: token, ChatID: "-1001234567890"}
}

// forgetLimits moves the clock beyond all rate limits.
func (f *fakeAPI) forgetLimits() { f.Advance(time.Minute) }

func parseMode(mode string) *string { return &mode }

func TestContract(t *testing.T) {
	const html = `<b>{{ .CommonLabels.alertname }}</b> {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} <a href="{{ .GeneratorURL }}">source</a>{{ end }}{{ template "telegram.default" . }}`
	const markdown = `*{{ .CommonLabels.alertname }}* {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} [source]({{ .GeneratorURL }}){{ end }}{{ template "telegram.default" . }}`
	const plain = `{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} {{ .GeneratorURL }}{{ end }}{{ template "telegram.default" . }}`
	mode := func(mode string) func(*Config) { return func(c *Config) { c.ParseMode = parseMode(mode) } }
	notifytest.Run(t, notifytest.Channel[*Config]{
		Start:       startVendor,
		Kind:        notify.Kind{Name: "telegram", SendResolved: true, Quotas: []notify.Quota{{Messages: 20, Per: time.Minute}}},
		Secrets:     []string{token},
		Errors:      vendorErrors(),
		Limit:       server.MaxText,
		SplitAlerts: 300,
		Templates: []notifytest.TemplateCase[*Config]{
			{Key: "message", Set: func(c *Config, s string) { c.Message = s }, EmptyFails: true},
		},
		Variants: []notifytest.Variant[*Config]{
			{Name: "message", Change: func(c *Config) { c.Message = html }},
			{Name: "MarkdownV2", Change: mode("MarkdownV2"), Splits: true},
			{Name: "message in MarkdownV2", Change: func(c *Config) { mode("MarkdownV2")(c); c.Message = markdown }},
			{Name: "Markdown", Change: mode("Markdown"), Splits: true},
			{Name: "plain text", Change: mode(""), Splits: true},
			{Name: "message in plain text", Change: func(c *Config) { mode("")(c); c.Message = plain }},
			{Name: "half size", Change: func(*Config) {}, HalfSize: true},
		},
	})
}

func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	f := newFakeAPI(t, "zh")
	return &notifytest.Vendor[*Config]{
		Env: f.Env, Config: f.config(), Fake: f, Inject: f.Inject, Requests: f.Calls, BeforeSend: f.forgetLimits,
		Received: notifytest.ReceivedFrom(f.Inbox, func(_ int, m server.Message) notifytest.Received {
			markup := map[string]int{}
			for _, kind := range m.Entities {
				markup[kind]++
			}
			return notifytest.Received{Text: m.Text, Size: m.Length(), Mentions: m.Mentions, Markup: markup}
		}),
	}
}

// vendorErrors are the errors of the Bot API.
func vendorErrors() []notifytest.ErrorCase[*Config] {
	type errorCase = notifytest.ErrorCase[*Config]
	code := notifytest.Code
	cases := notifytest.CodeErrors[*Config]("Telegram", server.Reject, []notifytest.VendorCode{
		code(400, "Bad Request: message is too long", notify.TooLong, 0, "too long"),
		code(400, "Bad Request: message text is empty", notify.Permanent, 0, "what the template under message prints"),
		code(400, "Bad Request: text must be non-empty", notify.Permanent, 0, "what the template under message prints"),
		code(400, "Bad Request: chat not found", notify.Permanent, 0, "correct chat_id"),
		code(400, "Bad Request: message thread not found", notify.Permanent, 0, "correct message_thread_id"),
		code(400, "Bad Request: TOPIC_CLOSED", notify.Permanent, 0, "reopen the topic"),
		code(400, "Bad Request: not enough rights to send text messages to the chat", notify.Permanent, 0, "permissions"),
		code(400, "Bad Request: CHAT_WRITE_FORBIDDEN", notify.Permanent, 0, "permissions"),
		code(401, "Unauthorized", notify.Permanent, 0, "put it under bot_token"),
		code(403, "Forbidden: bot was blocked by the user", notify.Permanent, 0, "press Start"),
		code(403, "Forbidden: bot can't initiate conversation with a user", notify.Permanent, 0, "press Start"),
		code(403, "Forbidden: user is deactivated", notify.Permanent, 0, "another one under chat_id"),
		code(403, "Forbidden: bot was kicked from the supergroup chat", notify.Permanent, 0, "add it again"),
		code(403, "Forbidden: bot is not a member of the channel chat", notify.Permanent, 0, "add it again"),
		code(404, "Not Found", notify.Permanent, 0, "check api_url"),
	})
	tooMany := func(parameters string) fault.Handler {
		return fault.Respond(429, "application/json", `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 9"`+parameters+`}`)
	}
	setup := func(change func(f *fakeAPI, c *Config)) func(*testing.T, *notifytest.Vendor[*Config]) {
		return func(_ *testing.T, v *notifytest.Vendor[*Config]) { change(v.Fake.(*fakeAPI), v.Config) }
	}
	return append(cases,
		errorCase{Name: "too many messages", Fault: tooMany(`,"parameters":{"retry_after":9}`), Want: &notify.Error{Class: notify.Rate, Code: "429", RetryAfter: 9 * time.Second, Message: "too much"}},
		errorCase{Name: "too many messages without a time", Fault: tooMany(""), Want: &notify.Error{Class: notify.Rate, Code: "429", RetryAfter: time.Second}},
		errorCase{Name: "too many messages for a year", Fault: tooMany(`,"parameters":{"retry_after":31536000}`), Want: &notify.Error{Class: notify.Rate, Code: "429", RetryAfter: time.Hour}},
		errorCase{Name: "an unknown error", Fault: server.Reject(400, "Bad Request: something new"), Want: &notify.Error{Class: notify.Permanent, Code: "HTTP 400"}, Contains: []string{"something new"}},
		errorCase{Name: "an internal error", Fault: server.Reject(500, "Internal Server Error"), Want: &notify.Error{Class: notify.Retry, Code: "HTTP 500", Ambiguous: true}},
		errorCase{Name: "an error with status 200", Fault: fault.Respond(200, "application/json", `{"ok":false}`), Want: &notify.Error{Class: notify.Retry, Code: "0", Message: "refuses the message"}},
		errorCase{Name: "JSON without ok", Fault: fault.Respond(200, "application/json", `{"errcode":0}`), Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "no ok"}},
		errorCase{Name: "the token in an error", Fault: server.Reject(401, "Unauthorized: "+token), Want: &notify.Error{Class: notify.Permanent, Code: "401"}, Contains: []string{"Unauthorized: 123456:<secret>"}},

		errorCase{Name: "a revoked token", Setup: setup(func(f *fakeAPI, _ *Config) { f.Revoke(token) }), Want: &notify.Error{Class: notify.Permanent, Code: "401"}},
		errorCase{Name: "a malformed token", Setup: setup(func(_ *fakeAPI, c *Config) { c.BotToken = "bot:" }), Want: &notify.Error{Class: notify.Permanent, Code: "404"}},
		errorCase{Name: "an unknown chat", Setup: setup(func(_ *fakeAPI, c *Config) { c.ChatID = "-5" }), Want: &notify.Error{Class: notify.Permanent, Code: "400", Message: "no such chat"}},
		errorCase{Name: "an unknown topic", Setup: setup(func(_ *fakeAPI, c *Config) { c.MessageThreadID = 8 }), Want: &notify.Error{Class: notify.Permanent, Code: "400", Message: "topic"}},
		errorCase{Name: "a bot that was removed", Setup: setup(func(f *fakeAPI, _ *Config) { f.Kick(token, group) }), Want: &notify.Error{Class: notify.Permanent, Code: "403", Message: "add it again"}},
		errorCase{Name: "a bot that may not write", Setup: setup(func(f *fakeAPI, _ *Config) { f.Mute(token, group) }), Want: &notify.Error{Class: notify.Permanent, Code: "400", Message: "permissions"}},
	)
}

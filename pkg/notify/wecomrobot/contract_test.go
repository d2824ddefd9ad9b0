package wecomrobot

import (
	"slices"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestContract(t *testing.T) {
	const message = `{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} [source]({{ .GeneratorURL }}){{ end }}{{ template "wecom.default" . }}`
	notifytest.Run(t, notifytest.Channel[*Config]{
		Start:        startVendor,
		Kind:         notify.Kind{Name: "wecom_robot", SendResolved: true, Quotas: []notify.Quota{{Messages: 20, Per: time.Minute}}},
		Target:       "wecom_robot/a1991f54",
		Secrets:      []string{key},
		Errors:       vendorErrors(),
		Limit:        4096,
		SplitAlerts:  300,
		SeveralUnits: func(c *Config) { c.MentionMobiles = []string{"13800000000"} },
		Templates: []notifytest.TemplateCase[*Config]{
			{Key: "message", Set: func(c *Config, s string) { c.Message = s }, EmptyFails: true},
			{Key: "mention_mobiles[0]", Set: func(c *Config, s string) { c.MentionMobiles = []string{s} }},
			{Key: "mention_users[0]", Set: func(c *Config, s string) { c.MentionUsers = []string{s} }},
			{Key: "url", Set: func(c *Config, s string) { c.URL += setting.Secret("&x=" + s) }, OnFailure: notifytest.Permanent},
		},
		Variants: []notifytest.Variant[*Config]{
			{Name: "message", Change: func(c *Config) { c.Message = message }},
			{Name: "mention", Change: func(c *Config) { c.MentionMobiles = []string{"13800000000"} }},
		},
	})
}

func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	g := newGroup(t, "zh")
	return &notifytest.Vendor[*Config]{
		Env: g.Env, Config: &Config{URL: setting.Secret(g.address)}, Fake: g.Server,
		Inject: g.Inject, Requests: g.Calls, BeforeSend: func() { g.Advance(time.Minute) },
		Received: notifytest.ReceivedFrom(g.Inbox, func(_ int, m wecom.Message) notifytest.Received {
			return notifytest.Received{
				Text: m.Content, Size: len(m.Content), Mentions: slices.Concat(m.Users, m.Mobiles), Markup: notifytest.CountMarkdown(m.Content),
			}
		}),
	}
}

// vendorErrors are the vendor's errcodes, and its responses that are not as
// documented.
func vendorErrors() []notifytest.ErrorCase[*Config] {
	type errorCase = notifytest.ErrorCase[*Config]
	code := notifytest.Code
	cases := notifytest.CodeErrors[*Config]("WeCom", wecom.Reject, []notifytest.VendorCode{
		code(-1, "system busy", notify.Retry, 0, "WeCom is busy"),
		code(45009, "api freq out of limit", notify.Rate, time.Minute, "20 messages"),
		code(45033, "api concurrent out of limit", notify.Retry, 0, "at the same time"),
		code(93000, "invalid webhook url", notify.Permanent, 0, "put its address under url"),
		code(93004, "robot is disabled", notify.Permanent, 0, "have it enabled"),
		code(93008, "robot not in group", notify.Permanent, 0, "not in the group"),
		code(40008, "invalid message type", notify.Permanent, 0, "type of message"),
		code(40058, "markdown.content exceed max length 4096. invalid Request Parameter", notify.TooLong, 0, "too long"),
		code(40058, "invalid Request Parameter", notify.Permanent, 0, "parameter"),
		code(45002, "content size out of limit", notify.TooLong, 0, "too long"),
		code(44004, "empty content", notify.Permanent, 0, "empty"),
		code(40063, "some parameters are empty", notify.Permanent, 0, "required field"),
		code(40033, "illegal characters", notify.Permanent, 0, "illegal character"),
		code(301999, "something new", notify.Retry, 0, "refuses"),
	})
	response := func(body string) fault.Handler { return fault.Respond(200, "application/json", body) }
	return append(append(cases, notifytest.ErrcodeErrors[*Config](wecom.Reject)...),
		errorCase{Name: "errcode is a string", Fault: response(`{"errcode":"0"}`),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Code: "HTTP 200", Message: "not the vendor's JSON"}},
		errorCase{Name: "key in errmsg", Fault: wecom.Reject(-1, "bad "+key),
			Want: &notify.Error{Class: notify.Retry, Code: "-1", Message: "bad <secret>"}},
	)
}

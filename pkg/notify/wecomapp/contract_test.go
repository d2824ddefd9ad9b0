package wecomapp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

func TestContract(t *testing.T) {
	const message = `{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} [source]({{ .GeneratorURL }}) <a href="{{ .GeneratorURL }}">source</a>{{ end }}{{ template "wecom.default" . }}`
	notifytest.Run(t, notifytest.Channel[*Config]{
		Start:        startVendor,
		Kind:         notify.Kind{Name: "wecom_app", SendResolved: true, Quotas: quotas},
		Secrets:      []string{secret, firstToken},
		Errors:       vendorErrors(),
		Limit:        2048,
		SplitAlerts:  300,
		SeveralUnits: func(c *Config) { c.ToUser, c.ToParty, c.ToTag = "u1|U2", "7", "9" },
		Templates: []notifytest.TemplateCase[*Config]{
			{Key: "message", Set: func(c *Config, s string) { c.Message = s }, EmptyFails: true},
			{Key: "to_tag", Set: func(c *Config, s string) { c.ToTag = s }},
			{Key: "to_party", Set: func(c *Config, s string) { c.ToParty = s }},
			{Key: "to_user", Set: func(c *Config, s string) { c.ToUser = s }, OnFailure: notifytest.Permanent},
		},
		Variants: []notifytest.Variant[*Config]{
			{Name: "message", Change: func(c *Config) { c.Message = message }},
			{Name: "markdown", Change: func(c *Config) { c.MessageType = "markdown" }, Splits: true},
			{Name: "message in markdown", Change: func(c *Config) { c.MessageType, c.Message = "markdown", message }},
		},
	})
}

func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	o := newFakeAPI(t, "zh")
	return &notifytest.Vendor[*Config]{
		Env: o.Env, Config: &Config{CorpID: corp, APISecret: secret, AgentID: fmt.Sprint(agent), APIURL: o.api, ToUser: "u1"}, Fake: o.Apps,
		Inject:   func(times int, h fault.Handler) { o.Fail(wecom.SendPath, times, h) },
		Requests: func() int { return o.Calls(wecom.SendPath) },
		// WeCom drops a message that equals one of the last five minutes.
		BeforeSend: func() { o.Advance(6 * time.Minute) },
		Received: notifytest.ReceivedFrom(o.Inbox, func(_ int, m wecom.AppMessage) notifytest.Received {
			return notifytest.Received{
				Text: m.Content, Size: len(m.Content), Mentions: slices.Concat(m.Users, m.Parties, m.Tags), Markup: countMarkup(m),
			}
		}),
	}
}

// countMarkup counts possible markup: in a text, that is links and their quotes.
func countMarkup(m wecom.AppMessage) map[string]int {
	if m.Type == "markdown" {
		return notifytest.CountMarkdown(m.Content)
	}
	count := map[string]int{"tags": strings.Count(m.Content, "<")}
	for _, tag := range strings.Split(m.Content, "<")[1:] {
		inside, _, _ := strings.Cut(tag, ">")
		count["quotes in tags"] += strings.Count(inside, `"`)
	}
	return count
}

// vendorErrors are the vendor's errcodes, responses that are not as documented, and
// failures to fetch an access token, before which no message is sent.
func vendorErrors() []notifytest.ErrorCase[*Config] {
	type errorCase = notifytest.ErrorCase[*Config]
	code := notifytest.Code
	cases := notifytest.CodeErrors[*Config]("WeCom", wecom.Reject, []notifytest.VendorCode{
		code(-1, "system busy", notify.Retry, 0, "WeCom is busy"),
		code(40001, "invalid credential", notify.Permanent, 0, "api_secret is wrong"),
		code(40091, "secret is invalid", notify.Permanent, 0, "another company"),
		code(40013, "invalid corpid", notify.Permanent, 0, "corp_id is wrong"),
		code(41001, "access_token missing", notify.Retry, 0, "access token"),
		code(45009, "api freq out of limit", notify.Rate, time.Minute, "too often"),
		code(45033, "api concurrent out of limit", notify.Retry, 0, "at the same time"),
		code(48002, "api forbidden", notify.Permanent, 0, "may not call this API"),
		code(48006, "api forbidden for long disuse", notify.Permanent, 0, "may not call this API"),
		code(50003, "app is disabled", notify.Permanent, 0, "enable it"),
		code(60020, "not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=60020", notify.Permanent, 0, "does not let 203.0.113.7 call: add it to the application's trusted addresses (企业可信IP)"),
		code(60020, "not allow to access from your ip, from ip: <@all>", notify.Permanent, 0, "does not let the address that Tocsin calls from call"),
		code(60020, "not allow, from ip: 2001:db8::1", notify.Permanent, 0, "does not let 2001:db8::1 call"),
		code(60011, "no privilege to access", notify.Permanent, 0, "may not write to these members"),
		code(301002, "no permission", notify.Permanent, 0, "may not write to these members"),
		code(81013, "user & party & tag all invalid", notify.Permanent, 0, "none of the recipients"),
		code(82001, "all touser & toparty & totag are empty", notify.Permanent, 0, "no recipients"),
		code(40056, "invalid agentid", notify.Permanent, 0, "agent_id is wrong"),
		code(40058, "text.content exceed max length 2048", notify.TooLong, 0, "too long"),
		code(40058, "invalid Request Parameter", notify.Permanent, 0, "parameter"),
		code(45002, "content size out of limit", notify.TooLong, 0, "too long"),
		code(44004, "empty content", notify.Permanent, 0, "empty"),
		code(40063, "some parameters are empty", notify.Permanent, 0, "required field"),
		code(40008, "invalid message type", notify.Permanent, 0, "type of message"),
		code(40033, "illegal characters", notify.Permanent, 0, "illegal character"),
		code(301999, "something new", notify.Retry, 0, "refuses"),
	})
	response := func(body string) fault.Handler { return fault.Respond(200, "application/json", body) }
	cases = append(append(cases, notifytest.ErrcodeErrors[*Config](wecom.Reject)...),
		errorCase{Name: "errcode is a string", Fault: response(`{"errcode":"0"}`),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Code: "HTTP 200", Message: "not the vendor's JSON"}},
		errorCase{Name: "unknown recipient",
			Setup: func(_ *testing.T, v *notifytest.Vendor[*Config]) { v.Config.ToUser = "ghost" },
			Want:  &notify.Error{Class: notify.Permanent, Code: "81013"}},
		errorCase{Name: "address that is not trusted",
			Setup: func(_ *testing.T, v *notifytest.Vendor[*Config]) {
				v.Fake.(*wecom.Apps).Add(wecom.App{CorpID: corp, Secret: "other", AgentID: 2, Users: []string{"u1"}, Trusted: []string{"203.0.113.7"}})
				v.Config.APISecret, v.Config.AgentID = "other", "2"
			},
			Want: &notify.Error{Class: notify.Permanent, Code: "60020", Message: "does not let 127.0.0.1 call"}},
	)
	for _, c := range []struct {
		name  string
		fault fault.Handler
		want  notify.Error
	}{
		{"page", fault.Respond(200, "text/html", "<b>"+secret), notify.Error{Class: notify.Retry, Code: "HTTP 200", Message: "<secret>"}},
		{"status 502", fault.Respond(502, "text/html", secret), notify.Error{Class: notify.Retry, Code: "HTTP 502", Message: "the server failed"}},
		{"truncated response", fault.Truncate(`{"errcode":0,"errmsg":"ok"}`), notify.Error{Class: notify.Retry, Message: "read the response of 127.0.0.1"}},
		{"no token in the response", response(`{"errcode":0,"errmsg":"ok"}`), notify.Error{Class: notify.Retry, Message: "access token"}},
		{"errcode is a string", response(`{"errcode":"0","access_token":"` + firstToken + `"}`), notify.Error{Class: notify.Retry, Code: "HTTP 200", Message: "not the vendor's JSON"}},
		{"token without a duration", response(`{"errcode":0,"access_token":"` + firstToken + `"}`), notify.Error{Class: notify.Retry, Code: "HTTP 200", Message: "not the vendor's JSON"}},
		{"too many tokens", wecom.Reject(45009, "api freq out of limit"), notify.Error{Class: notify.Rate, Code: "45009", RetryAfter: time.Minute, Message: "too often"}},
		{"busy", wecom.Reject(-1, "system busy"), notify.Error{Class: notify.Retry, Code: "-1", Message: "busy"}},
	} {
		cases = append(cases, errorCase{Name: "access token: " + c.name, Want: &c.want,
			Setup: func(_ *testing.T, v *notifytest.Vendor[*Config]) {
				v.Fake.(*wecom.Apps).Fail(wecom.TokenPath, 1, c.fault)
			}})
	}
	return append(cases, errorCase{Name: "access token: no response before the deadline", Timeout: true,
		Setup: func(_ *testing.T, v *notifytest.Vendor[*Config]) {
			v.Fake.(*wecom.Apps).Fail(wecom.TokenPath, 1, fault.Hang)
		},
		Want: &notify.Error{Class: notify.Retry, Err: context.DeadlineExceeded}})
}

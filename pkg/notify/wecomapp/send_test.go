package wecomapp

import (
	"context"
	"errors"
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

// sendOne says one alert to u1 and returns what became of it.
func sendOne(t *testing.T, ctx context.Context, to notify.Notifier) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, to, notifytest.Notification(notifytest.OneTopic()...), secret, firstToken)
}

// firstToken is the first token of the local office's application:
// printf %s ww0123456789abcdef/s3cr3t-Qm9vdHN0cmFwLXNlY3JldA-_0/1 | sha256sum
const firstToken = "decaf3dd958a38ba87c646f8b0401873f7194c2f9eaf422e386b54bc69ca38ff"

// TestErrcodes is the table of reference errcodes: what is done, and what the
// operator reads.
func TestErrcodes(t *testing.T) {
	tests := []struct {
		code  int
		said  string
		class notify.Class
		after time.Duration
		says  string
	}{
		{-1, "system busy", notify.Retry, 0, "WeCom is busy"},
		{40001, "invalid credential", notify.Permanent, 0, "api_secret is wrong"},
		{40091, "secret is invalid", notify.Permanent, 0, "another company"},
		{40013, "invalid corpid", notify.Permanent, 0, "corp_id is wrong"},
		{41001, "access_token missing", notify.Retry, 0, "access token"},
		{45009, "api freq out of limit", notify.Rate, time.Minute, "too often"},
		{45033, "api concurrent out of limit", notify.Retry, 0, "at the same time"},
		{48002, "api forbidden", notify.Permanent, 0, "may not call this API"},
		{48006, "api forbidden for long disuse", notify.Permanent, 0, "may not call this API"},
		{50003, "app is disabled", notify.Permanent, 0, "enable it"},
		{60020, "not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info at https://open.work.weixin.qq.com/devtool/query?e=60020", notify.Permanent, 0, "does not let 203.0.113.7 call: add it to the application's trusted addresses (企业可信IP)"},
		{60020, "not allow to access from your ip, from ip: <@all>", notify.Permanent, 0, "does not let the address that Tocsin calls from call"},
		{60020, "not allow, from ip: 2001:db8::1", notify.Permanent, 0, "does not let 2001:db8::1 call"},
		{60011, "no privilege to access", notify.Permanent, 0, "may not write to these members"},
		{301002, "no permission", notify.Permanent, 0, "may not write to these members"},
		{81013, "user & party & tag all invalid", notify.Permanent, 0, "none of the recipients"},
		{82001, "all touser & toparty & totag are empty", notify.Permanent, 0, "no recipients"},
		{40056, "invalid agentid", notify.Permanent, 0, "agent_id is wrong"},
		{40058, "text.content exceed max length 2048", notify.TooLong, 0, "too long"},
		{40058, "invalid Request Parameter", notify.Permanent, 0, "parameter"},
		{45002, "content size out of limit", notify.TooLong, 0, "too long"},
		{44004, "empty content", notify.Permanent, 0, "empty"},
		{40063, "some parameters are empty", notify.Permanent, 0, "required field"},
		{40008, "invalid message type", notify.Permanent, 0, "type of message"},
		{40033, "illegal characters", notify.Permanent, 0, "illegal character"},
		{301999, "something new", notify.Retry, 0, "refuses"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.code), func(t *testing.T) {
			o := newOffice(t, "zh")
			o.Fail(wecom.SendPath, 1, wecom.Reject(tt.code, tt.said))
			err := sendOne(t, t.Context(), o.notifier(t, Config{}))
			if err == nil {
				t.Fatal("it counts as sent")
			}
			if err.Class != tt.class || err.RetryAfter != tt.after || err.Ambiguous || err.Code != fmt.Sprint(tt.code) {
				t.Errorf("%+v", err)
			}
			if !strings.Contains(err.Message, tt.says) || !strings.Contains(err.Message, `WeCom answered "`+tt.said[:min(20, len(tt.said))]) {
				t.Errorf("%q lacks %q or what WeCom said", err.Message, tt.says)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name      string
		path      string
		do        fault.Handler
		class     notify.Class
		ambiguous bool
		says      string
	}{
		{"a proxy's page with status 200", wecom.SendPath, fault.Respond(200, "text/html", "<b>"+firstToken), notify.Retry, true, `"<b><secret>"`},
		{"JSON without errcode", wecom.SendPath, fault.Respond(200, "application/json", `{"code":0,"msg":"ok"}`), notify.Retry, true, "not from WeCom"},
		{"an errcode that is a word", wecom.SendPath, fault.Respond(200, "application/json", `{"errcode":"0"}`), notify.Retry, true, "not the vendor's JSON"},
		{"nothing", wecom.SendPath, fault.Respond(200, "application/json", ""), notify.Retry, true, "not the vendor's JSON"},
		{"a bad gateway", wecom.SendPath, fault.Respond(502, "text/html", "x"), notify.Retry, true, "the server failed"},
		{"an errcode of zero with status 404", wecom.SendPath, fault.Respond(404, "application/json", `{"errcode":0}`), notify.Permanent, false, "refuses the request"},
		{"half an answer", wecom.SendPath, fault.Truncate(`{"errcode":0,"errmsg":"ok"}`), notify.Retry, true, "read the response of 127.0.0.1"},
		{"a very long errmsg", wecom.SendPath, wecom.Reject(-1, strings.Repeat("长", 9999)), notify.Retry, false, "…"},

		{"a page instead of a token", wecom.TokenPath, fault.Respond(200, "text/html", "<b>"+secret), notify.Retry, false, "<secret>"},
		{"a bad gateway instead of a token", wecom.TokenPath, fault.Respond(502, "text/html", secret), notify.Retry, false, "the server failed"},
		{"half a token", wecom.TokenPath, fault.Truncate(`{"errcode":0,"errmsg":"ok"}`), notify.Retry, false, "read the response of 127.0.0.1"},
		{"an answer without a token", wecom.TokenPath, fault.Respond(200, "application/json", `{"errcode":0,"errmsg":"ok"}`), notify.Retry, false, "no access token"},
		{"a token in a strange answer", wecom.TokenPath, fault.Respond(200, "application/json", `{"errcode":"0","access_token":"`+firstToken+`"}`), notify.Retry, false, "not the vendor's JSON"},
		{"a token of no duration", wecom.TokenPath, fault.Respond(200, "application/json", `{"errcode":0,"access_token":"`+firstToken+`"}`), notify.Retry, false, "not the vendor's JSON"},
		{"too many tokens", wecom.TokenPath, wecom.Reject(45009, "api freq out of limit"), notify.Rate, false, "too often"},
		{"busy", wecom.TokenPath, wecom.Reject(-1, "system busy"), notify.Retry, false, "busy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t, "zh")
			o.Fail(tt.path, 1, tt.do)
			to := o.notifier(t, Config{})
			err := sendOne(t, t.Context(), to)
			if err == nil {
				t.Fatal("it counts as sent")
			}
			if err.Class != tt.class || err.Ambiguous != tt.ambiguous || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 600 {
				t.Errorf("%v, ambiguous %v: %v", err.Class, err.Ambiguous, err)
			}
			if err = sendOne(t, t.Context(), to); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
		})
	}
}

// WeCom takes a message that it can deliver to anybody. Who did not get it is
// told to the operator, and is not tried again.
func TestPartlyDelivered(t *testing.T) {
	o := newOffice(t, "zh")
	messages, err := o.notifier(t, Config{ToUser: "u1,U2,u3,Ghost,<@all>", ToParty: "7,8", ToTag: "9|10"}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d messages, %v", len(messages), err)
	}
	want := map[string]string{
		"1/1 u1": "", "1/1 U2": "", "1/1 party 7": "", "1/1 tag 9": "",
		"1/1 u3":      "no licence was bought for user u3",
		"1/1 Ghost":   "WeCom knows no user Ghost",
		"1/1 party 8": "WeCom knows no department 8",
		"1/1 tag 10":  "WeCom knows no tag 10",
		"<@all>":      `"<@all>" is no recipient`,
	}
	outcomes := messages[0].Send(t.Context())
	if len(outcomes) != len(want) || len(messages[0].Units) != len(want) {
		t.Errorf("units %v, outcomes %v", messages[0].Units, outcomes)
	}
	for i, o := range outcomes {
		says, ok := want[o.Unit]
		if !ok || o.Unit != messages[0].Units[i] || (o.Err == nil) != (says == "") {
			t.Errorf("%s: %v", o.Unit, o.Err)
		}
		if o.Err != nil && (notify.AsError(o.Err).Class != notify.Permanent || !strings.Contains(o.Err.Error(), says)) {
			t.Errorf("%s: %v", o.Unit, o.Err)
		}
	}
	if got := o.Inbox(); len(got) != 1 || !slices.Equal(got[0].Users, []string{"u1", "U2"}) {
		t.Errorf("%+v", got)
	}
}

func TestNobodyKnown(t *testing.T) {
	o := newOffice(t, "zh")
	messages, err := o.notifier(t, Config{ToUser: "ghost"}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil {
		t.Fatal(err)
	}
	if e := notifytest.CheckError(t, messages[0].Send(t.Context())[0].Err, secret, firstToken); e == nil || e.Class != notify.Permanent || e.Code != "81013" {
		t.Errorf("%+v", e)
	}
}

// An attempt after one whose answer was lost is not read twice.
func TestSentOnceAfterLostAnswer(t *testing.T) {
	o := newOffice(t, "zh")
	to := o.notifier(t, Config{})
	o.Fail(wecom.SendPath, 1, fault.DropAfterAccept)
	if err := sendOne(t, t.Context(), to); err == nil || !err.Ambiguous || err.Class != notify.Retry {
		t.Fatalf("%+v", err)
	}
	o.now = o.now.Add(4 * time.Minute)
	if err := sendOne(t, t.Context(), to); err != nil || len(o.Inbox()) != 1 || o.Dropped() != 1 {
		t.Errorf("%v: %d messages, %d dropped", err, len(o.Inbox()), o.Dropped())
	}
}

func TestUntrustedAddress(t *testing.T) {
	o := newOffice(t, "zh")
	o.Add(wecom.App{CorpID: corp, Secret: "other", AgentID: 2, Users: []string{"u1"}, Trusted: []string{"203.0.113.7"}})
	err := sendOne(t, t.Context(), o.notifier(t, Config{APISecret: "other", AgentID: "2"}))
	if err == nil || err.Class != notify.Permanent || !strings.Contains(err.Message, "does not let 127.0.0.1 call") {
		t.Errorf("%+v", err)
	}
}

func TestDeadline(t *testing.T) {
	for _, path := range []string{wecom.TokenPath, wecom.SendPath} {
		o := newOffice(t, "zh")
		o.Fail(path, 1, fault.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := sendOne(t, ctx, o.notifier(t, Config{}))
		cancel()
		if err == nil || err.Class != notify.Retry || err.Ambiguous != (path == wecom.SendPath) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %+v", path, err)
		}
	}
}

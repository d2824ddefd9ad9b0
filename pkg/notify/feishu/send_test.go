package feishu

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

// The signatures were computed with
//
//	key=$(printf '100\ndemo' | od -An -tx1 | tr -d ' \n')
//	printf '' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64
func TestSign(t *testing.T) {
	for seconds, want := range map[int64]string{
		100:        "jquNHnVOwmDRfw+vqTIrY5dooJAgi5EcRtLsQE4wfXg=",
		1700000000: "8oT2n3SMKFfEnDoiwer8BUM/SjKLwe9SqoEIHlhDTKo=",
	} {
		if timestamp, got := sign(time.Unix(seconds, 999), "demo"); got != want || timestamp != fmt.Sprint(seconds) {
			t.Errorf("%s: %s, want %s", timestamp, got, want)
		}
	}
}

// The signature is of the moment of sending, not of the wording.
func TestSignedWhenSent(t *testing.T) {
	g := newGroup(t, "zh")
	messages, err := g.notifier(t, Config{}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil {
		t.Fatal(err)
	}
	for _, late := range []time.Duration{0, 3 * time.Hour} {
		g.now = notifytest.At.Add(late)
		g.env.Now = func() time.Time { return g.now }
		if err := messages[0].Send(t.Context())[0].Err; err != nil {
			t.Errorf("%v later: %v", late, err)
		}
	}
	g.env.Now = func() time.Time { return g.now.Add(-server.MaxClockSkew - time.Second) }
	if err := notify.AsError(messages[0].Send(t.Context())[0].Err); err.Code != "19021" || !strings.Contains(err.Message, "clock") {
		t.Errorf("a clock that is wrong: %v", err)
	}
}

// sendOne says one alert and returns what became of it.
func (g *group) sendOne(t *testing.T, ctx context.Context, c Config) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, g.notifier(t, c), notifytest.Notification(notifytest.OneTopic()...), token, secret)
}

// TestCodes is the reference's table: what is done, and what the operator reads.
func TestCodes(t *testing.T) {
	tests := []struct {
		status, code int
		said         string
		class        notify.Class
		calls        int // a card that is refused is said again as a text
		says         string
	}{
		{400, 9499, "too many request", notify.Rate, 1, "5 messages in a second"},
		{200, 9499, "frequency limited", notify.Rate, 1, "5 messages in a second"},
		{400, 9499, "Bad Request", notify.Permanent, 1, "cannot parse the request"},
		{200, 9499, "Bad Request", notify.Permanent, 1, "cannot parse the request"},
		{200, 11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]", notify.Rate, 1, "busy"},
		{200, 19001, "param invalid: incoming webhook access token invalid", notify.Permanent, 1, "put its address under url"},
		{200, 19002, "params error, msg_type need", notify.Permanent, 1, "form"},
		{200, 19021, "sign match fail or timestamp is not within one hour from current time", notify.Permanent, 1, "clock"},
		{200, 19022, "Ip Not Allowed", notify.Permanent, 1, "IP whitelist"},
		{200, 19024, "Key Words Not Found", notify.Permanent, 1, "keywords"},
		{200, 19036, "the request exceeds the size limit of 30KB", notify.TooLong, 1, "too long"},
		{200, 11246, "ErrCode: 100000; ErrMsg: card content is too large; ", notify.TooLong, 1, "too long"},
		{200, 11246, "ErrCode: 100290; ErrMsg: there is an invalid user resource (at/person) in your card; ", notify.Permanent, 2, "refuses the card"},
		{200, 11246, "ErrCode: 200861; ErrMsg: cards of schema V2 no longer support this capability; ", notify.Permanent, 2, "refuses the card"},
		{200, 11246, "ErrCode: 200621; ErrMsg: parse card json err; ", notify.Permanent, 2, "refuses the card"},
		{200, 11246, "", notify.Permanent, 2, "refuses the card"},
		{200, 11310, "card table number over limit", notify.Permanent, 2, "refuses the content of the card"},
		{200, 230099, "Failed to create card content", notify.Permanent, 2, "refuses the content of the card"},
		{429, 99991400, "request trigger frequency limit", notify.Rate, 1, "slow down"},
		{200, 77777, "something new", notify.Retry, 1, "refuses the message"},
		{400, 77777, "something new", notify.Permanent, 1, "refuses the request"},
		{500, 77777, "something new", notify.Retry, 1, "the server failed"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status, tt.code, tt.said), func(t *testing.T) {
			g := newGroup(t, "zh")
			g.Inject(tt.calls, server.Reject(tt.status, tt.code, tt.said))
			err := g.sendOne(t, t.Context(), Config{})
			if err == nil {
				t.Fatal("it counts as sent")
			}
			if err.Class != tt.class || err.RetryAfter != 0 || err.Ambiguous != (tt.status == 500) || g.Calls() != tt.calls {
				t.Errorf("%v, after %v, ambiguous %v, %d calls", err.Class, err.RetryAfter, err.Ambiguous, g.Calls())
			}
			if !strings.Contains(err.Message, tt.says) || !strings.Contains(err.Message, strings.TrimSpace(tt.said)) || tt.code != 77777 && err.Code != fmt.Sprint(tt.code) {
				t.Errorf("%v lacks %q, the code, or what Feishu said", err, tt.says)
			}
			if err := g.sendOne(t, t.Context(), Config{}); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
		})
	}
}

func TestRateHeader(t *testing.T) {
	for header, want := range map[string]time.Duration{"7": 7 * time.Second, "": 0, "x": 0, "-1": 0, "999999999": time.Hour} {
		g := newGroup(t, "zh")
		g.Inject(1, fault.Respond(429, "application/json", `{"code":99991400,"msg":"request trigger frequency limit"}`, "x-ogw-ratelimit-reset", header))
		if err := g.sendOne(t, t.Context(), Config{}); err == nil || err.Class != notify.Rate || err.RetryAfter != want {
			t.Errorf("%q: %+v", header, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	const html = "<html>\n<title>Login</title>" + token + "\x1b[31m</html>"
	tests := []struct {
		name      string
		do        fault.Handler
		class     notify.Class
		ambiguous bool
		says      string
	}{
		{"a proxy's page with status 200", fault.Respond(200, "text/html", html), notify.Retry, true, `"<html> <title>Login</title><secret>[31m</html>"`},
		{"JSON without a code", fault.Respond(200, "application/json", `{"errcode":0,"msg":"ok"}`), notify.Retry, true, "no code"},
		{"null", fault.Respond(200, "application/json", `null`), notify.Retry, true, "no code"},
		{"a code that is a word", fault.Respond(200, "application/json", `{"code":"0"}`), notify.Retry, true, "not the vendor's JSON"},
		{"nothing", fault.Respond(200, "text/html", ""), notify.Retry, true, "not the vendor's JSON"},
		{"a bad gateway", fault.Respond(502, "text/html", html), notify.Retry, true, "the server failed"},
		{"unavailable", fault.Respond(503, "text/html", ""), notify.Retry, false, "the server failed"},
		{"slow down", fault.Respond(429, "text/html", ""), notify.Rate, false, "slow down"},
		{"forbidden", fault.Respond(403, "text/html", html), notify.Permanent, false, "refuses the request"},
		{"a code of zero with status 404", fault.Respond(404, "application/json", `{"code":0}`), notify.Permanent, false, "refuses the request"},
		{"an old answer that refuses", fault.Respond(200, "application/json", `{"StatusCode":19024,"StatusMessage":"Key Words Not Found"}`), notify.Permanent, false, "keywords"},
		{"elsewhere", fault.Respond(307, "text/html", "", "Location", "https://elsewhere.example.com/"+token), notify.Permanent, false, "redirects"},
		{"half an answer", fault.Truncate(`{"code":0,"data":{},"msg":"success"}`), notify.Retry, true, "read the response of 127.0.0.1"},
		{"a very long msg", server.Reject(200, 19002, strings.Repeat("长", 9999)), notify.Permanent, false, "…"},
		{"a msg with the token", server.Reject(200, 19001, "bad "+token), notify.Permanent, false, "bad <secret>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			g.Inject(1, tt.do)
			err := g.sendOne(t, t.Context(), Config{})
			if err == nil {
				t.Fatal("it counts as sent")
			}
			if err.Class != tt.class || err.Ambiguous != tt.ambiguous || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 600 || g.Calls() != 1 {
				t.Errorf("%v, ambiguous %v, %d calls: %v", err.Class, err.Ambiguous, g.Calls(), err)
			}
		})
	}
}

// Older answers have no code.
func TestOldSuccess(t *testing.T) {
	for _, answer := range []string{`{"StatusCode":0,"StatusMessage":"success"}`, `{"Extra":null,"StatusCode":0,"StatusMessage":"success","code":0}`} {
		g := newGroup(t, "zh")
		g.Inject(1, fault.Respond(200, "application/json", answer))
		if err := g.sendOne(t, t.Context(), Config{}); err != nil {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	g := newGroup(t, "zh")
	g.Inject(1, fault.Hang)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := g.sendOne(t, ctx, Config{}); err == nil || err.Class != notify.Retry || !err.Ambiguous || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v", err)
	}
	g.address = notifytest.UnreachableURL(t) + server.Path + token
	if err := g.sendOne(t, t.Context(), Config{}); err == nil || err.Class != notify.Retry || err.Ambiguous || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%+v", err)
	}
}

// The quotas are the vendor's to count: what is too much comes back as what is
// to be sent later.
func TestQuotas(t *testing.T) {
	g := newGroup(t, "zh")
	for i := range 103 {
		err := g.sendOne(t, t.Context(), Config{})
		switch {
		case i == 5: // the sixth within a second
			if err == nil || err.Class != notify.Rate || err.Code != "9499" {
				t.Fatalf("message %d: %+v", i+1, err)
			}
		case i > 100: // of which one was refused
			if err == nil || err.Class != notify.Rate || err.Code != "11232" {
				t.Fatalf("message %d: %+v", i+1, err)
			}
		case err != nil:
			t.Fatalf("message %d: %v", i+1, err)
		}
		if i == 5 {
			g.now = g.now.Add(time.Second)
		} else if i > 5 {
			g.now = g.now.Add(210 * time.Millisecond)
		}
	}
}

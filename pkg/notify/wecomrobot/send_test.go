package wecomrobot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/wecom"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func secret(s string) setting.Secret { return setting.Secret(s) }

// recorder accepts every request and keeps its body.
type recorder struct{ bodies [][]byte }

func (r *recorder) client() *http.Client { return &http.Client{Transport: r} }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	r.bodies = append(r.bodies, body)
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"errcode":0,"errmsg":"ok"}`))}, err
}

// sendOne says one alert and returns what became of it.
func sendOne(t *testing.T, ctx context.Context, to notify.Notifier) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, to, notifytest.Notification(oneTopic()...), key)
}

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
		{45009, "api freq out of limit", notify.Rate, time.Minute, "20 messages"},
		{45033, "api concurrent out of limit", notify.Retry, 0, "at the same time"},
		{93000, "invalid webhook url", notify.Permanent, 0, "put its address under url"},
		{93004, "robot is disabled", notify.Permanent, 0, "have it enabled"},
		{93008, "robot not in group", notify.Permanent, 0, "not in the group"},
		{40008, "invalid message type", notify.Permanent, 0, "type of message"},
		{40058, "markdown.content exceed max length 4096. invalid Request Parameter", notify.TooLong, 0, "too long"},
		{40058, "invalid Request Parameter", notify.Permanent, 0, "parameter"},
		{45002, "content size out of limit", notify.TooLong, 0, "too long"},
		{44004, "empty content", notify.Permanent, 0, "empty"},
		{40063, "some parameters are empty", notify.Permanent, 0, "required field"},
		{40033, "illegal characters", notify.Permanent, 0, "illegal character"},
		{301999, "something new", notify.Retry, 0, "refuses"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.code), func(t *testing.T) {
			g := newGroup(t, "zh")
			g.Inject(1, wecom.Refuse(tt.code, tt.said))
			err := sendOne(t, t.Context(), g.notifier(t, Config{}))
			if err == nil {
				t.Fatal("it counts as sent")
			}
			if err.Class != tt.class || err.RetryAfter != tt.after || err.Ambiguous || err.Code != fmt.Sprint(tt.code) {
				t.Errorf("%+v", err)
			}
			if !strings.Contains(err.Message, tt.says) || !strings.Contains(err.Message, `WeCom answered "`+tt.said) {
				t.Errorf("%q lacks %q or what WeCom said", err.Message, tt.says)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	const html = "<html>\n<title>Login</title>" + key + "\x1b[31m</html>"
	tests := []struct {
		name      string
		do        fault.Handler
		class     notify.Class
		ambiguous bool
		says      string
	}{
		{"a proxy's page with status 200", fault.Respond(200, "text/html", html), notify.Retry, true, `"<html> <title>Login</title><secret>[31m</html>"`},
		{"JSON without errcode", fault.Respond(200, "application/json", `{"code":0,"msg":"ok"}`), notify.Retry, true, "no errcode"},
		{"null", fault.Respond(200, "application/json", `null`), notify.Retry, true, "no errcode"},
		{"an errcode that is a word", fault.Respond(200, "application/json", `{"errcode":"0"}`), notify.Retry, true, "not the vendor's JSON"},
		{"nothing", fault.Respond(200, "application/json", ""), notify.Retry, true, "not the vendor's JSON"},
		{"a bad gateway", fault.Respond(502, "text/html", html), notify.Retry, true, "the server failed"},
		{"unavailable", fault.Respond(503, "text/html", ""), notify.Retry, false, "the server failed"},
		{"slow down", fault.Respond(429, "text/html", ""), notify.Rate, false, "slow down"},
		{"forbidden", fault.Respond(403, "text/html", html), notify.Permanent, false, "refuses the request"},
		{"an errcode of zero with status 404", fault.Respond(404, "application/json", `{"errcode":0}`), notify.Permanent, false, "refuses the request"},
		{"half an answer", fault.Truncate(`{"errcode":0,"errmsg":"ok"}`), notify.Retry, true, "read the response of 127.0.0.1"},
		{"a very long errmsg", wecom.Refuse(-1, strings.Repeat("长", 9999)), notify.Retry, false, "…"},
		{"an errmsg with the key", wecom.Refuse(-1, "bad "+key), notify.Retry, false, "bad <secret>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			g.Inject(1, tt.do)
			robot := g.notifier(t, Config{})
			err := sendOne(t, t.Context(), robot)
			if err == nil {
				t.Fatal("it counts as sent")
			}
			if err.Class != tt.class || err.Ambiguous != tt.ambiguous || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 600 {
				t.Errorf("%v, ambiguous %v: %v", err.Class, err.Ambiguous, err)
			}
			if err = sendOne(t, t.Context(), robot); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	g := newGroup(t, "zh")
	g.Inject(1, fault.Hang)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := sendOne(t, ctx, g.notifier(t, Config{}))
	if err == nil || err.Class != notify.Retry || !err.Ambiguous || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v", err)
	}
}

func TestRefusedConnection(t *testing.T) {
	g := newGroup(t, "zh")
	g.address = notifytest.UnreachableURL(t) + wecom.Path + "?key=" + key
	got := sendOne(t, t.Context(), g.notifier(t, Config{}))
	if got == nil || got.Class != notify.Retry || got.Ambiguous || !strings.Contains(got.Error(), "connection refused") {
		t.Errorf("%+v", got)
	}
}

// A redirect is not followed: it would carry the key elsewhere.
func TestRedirect(t *testing.T) {
	g := newGroup(t, "zh")
	g.Inject(1, func(w http.ResponseWriter, r *http.Request, _ func()) {
		http.Redirect(w, r, "https://elsewhere.example.com/?key="+key, http.StatusTemporaryRedirect)
	})
	err := sendOne(t, t.Context(), g.notifier(t, Config{}))
	if err == nil || err.Class != notify.Permanent || !strings.Contains(err.Message, "redirects") || g.Calls() != 1 {
		t.Errorf("%d calls: %+v", g.Calls(), err)
	}
}

// The robot's quota is the vendor's to count: the 21st message of a minute comes
// back as one to be sent later.
func TestQuota(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{})
	for i := range wecom.PerMinute {
		if err := sendOne(t, t.Context(), robot); err != nil {
			t.Fatalf("message %d: %v", i+1, err)
		}
	}
	if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Rate || err.RetryAfter != time.Minute {
		t.Errorf("message 21: %+v", err)
	}
}

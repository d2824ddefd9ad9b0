package dingtalk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	server "tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

// sendOne says one alert and returns what became of it.
func sendOne(t *testing.T, ctx context.Context, to notify.Notifier) *notify.Error {
	t.Helper()
	return notifytest.SendOne(t, ctx, to, notifytest.Notification(notifytest.OneTopic()...), token, secret, "sign=", url.QueryEscape(signature))
}

// signature is what belongs to the secret at the moment of these tests,
// 1795187410000 ms:
// printf '1795187410000\nSEC0123456789abcdef' | openssl dgst -sha256 -hmac SEC0123456789abcdef -binary | base64
const signature = "CbgThuOQRVdaS0cKQY7wEUEIQ3htZU01gw7kdZ2wbic="

// The values are worked out by openssl, as above; the query by Python's
// urllib.parse.quote_plus.
func TestSigned(t *testing.T) {
	tests := []struct {
		address, secret string
		ms              int64
		want            string
	}{
		{"https://h/robot/send?access_token=t", "", 1700000000000, "https://h/robot/send?access_token=t"},
		{"https://h/robot/send?access_token=t", secret, 1700000000000,
			"https://h/robot/send?access_token=t&sign=TSZbRFUuvaSQaRKUpF970OPCb2%2FLcQAP3wOvwZIzBZk%3D&timestamp=1700000000000"},
		{"https://h/robot/send?access_token=t", secret, 1700000000002, // has + and /
			"https://h/robot/send?access_token=t&sign=VGvd0brDJp%2FnMZtR%2BXnA3yBIlhowT%2BTwkRPua0q1%2Fjg%3D&timestamp=1700000000002"},
		{"https://h/robot/send?access_token=t&timestamp=1&sign=old", secret, 1795187410000, // pasted from a log
			"https://h/robot/send?access_token=t&sign=CbgThuOQRVdaS0cKQY7wEUEIQ3htZU01gw7kdZ2wbic%3D&timestamp=1795187410000"},
	}
	for _, tt := range tests {
		if got := signed(tt.address, tt.secret, time.UnixMilli(tt.ms)); got != tt.want {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
}

// Every attempt is signed anew: a message may wait for longer than the hour that
// a signature holds.
func TestSignedAtEveryAttempt(t *testing.T) {
	g := newGroup(t, "zh")
	messages, err := g.notifier(t, Config{}).Messages(notifytest.Notification(notifytest.OneTopic()...))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		g.now = g.now.Add(2 * time.Hour)
		if o := messages[0].Send(t.Context()); o[0].Err != nil {
			t.Error(o[0].Err)
		}
	}
}

// TestErrcodes is the table of errcodes: what is done, and what the operator
// reads.
func TestErrcodes(t *testing.T) {
	const now, old = "错误描述:%s;解决方案:…;", "%s, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]"
	tests := []struct {
		code  int
		said  string
		class notify.Class
		after time.Duration
		says  string
	}{
		{-1, "系统繁忙", notify.Retry, 0, "DingTalk is busy"},
		{130101, "send too fast, exceed 20 times per minute", notify.Rate, 10 * time.Minute, "20 messages"},
		{410100, "错误描述:发送速度太快而限流;解决方案:请降低发送速度;", notify.Rate, 10 * time.Minute, "20 messages"},
		{310000, fmt.Sprintf(old, "keywords not in content"), notify.Permanent, 0, "keywords: put one into message"},
		{310000, fmt.Sprintf(now, "关键词不匹配"), notify.Permanent, 0, "keywords: put one into message"},
		{310000, fmt.Sprintf(old, "sign not match"), notify.Permanent, 0, "put it under secret"},
		{310000, "错误描述:机器人发送签名不匹配;解决方案:请确认签名和生成签名的时间戳必须都放在调用的网址中", notify.Permanent, 0, "put it under secret"},
		{310000, fmt.Sprintf(old, "invalid timestamp"), notify.Permanent, 0, "set the clock"},
		{310000, "description:机器人发送签名过期;solution:签名生成时间和发送时间请保持在 timestampms 以内;", notify.Permanent, 0, "set the clock"},
		{310000, fmt.Sprintf(old, "ip 192.0.2.1 not in whitelist"), notify.Permanent, 0, "address is not among those"},
		{310000, fmt.Sprintf(now, "ip 不在白名单中"), notify.Permanent, 0, "address is not among those"},
		{310000, "something new", notify.Permanent, 0, "security settings"},
		{400101, "access_token不存在", notify.Permanent, 0, "put it under url"},
		{300001, "token is not exist", notify.Permanent, 0, "put it under url"},
		{300001, "send too fast", notify.Rate, 10 * time.Minute, "too much"},
		{300001, "频率超限", notify.Rate, 10 * time.Minute, "too much"},
		{300005, "token is not exist", notify.Permanent, 0, "put it under url"},
		{400013, "群已被解散", notify.Permanent, 0, "group was dissolved"},
		{400102, "机器人已停用", notify.Permanent, 0, "was stopped"},
		{400105, "不支持的消息类型", notify.Permanent, 0, "type of message"},
		{400106, "机器人不存在", notify.Permanent, 0, "not in the group"},
		{430101, "含有不安全的外链", notify.TooLong, 0, "unsafe"},
		{430102, "含有不合适的文本", notify.TooLong, 0, "unsafe"},
		{430103, "含有不合适的图片", notify.TooLong, 0, "unsafe"},
		{430104, "含有不合适的内容", notify.TooLong, 0, "unsafe"},
		{460101, "message too long, exceed 20000 bytes", notify.TooLong, 0, "too long"},
		{101002, "message is too long", notify.TooLong, 0, "too long"},
		{40035, "缺少参数 access_token", notify.Permanent, 0, "has an access_token"},
		{43002, "需要POST请求", notify.Permanent, 0, "proxy in between"},
		{43004, "无效的HTTP HEADER Content-Type", notify.Permanent, 0, "proxy in between"},
		{88, "鉴权异常", notify.Permanent, 0, "does not let the call through"},
		{90018, "您的服务器调用钉钉开放平台当前接口的所有请求都被暂时禁用了", notify.Rate, time.Minute, "too many calls"},
		{500100, "错误描述:系统异常,请稍后再试;", notify.Retry, 0, "refuses"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.code, tt.said), func(t *testing.T) {
			g := newGroup(t, "zh")
			g.Inject(1, server.Reject(tt.code, tt.said))
			err := sendOne(t, t.Context(), g.notifier(t, Config{}))
			if err == nil {
				t.Fatal("it counts as sent")
			}
			if err.Class != tt.class || err.RetryAfter != tt.after || err.Ambiguous || err.Code != fmt.Sprint(tt.code) {
				t.Errorf("%+v", err)
			}
			if !strings.Contains(err.Message, tt.says) || !strings.Contains(err.Message, fmt.Sprintf("DingTalk answered %q", tt.said)) {
				t.Errorf("%q lacks %q or what DingTalk said", err.Message, tt.says)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	const html = "<html>\n<title>Login</title>" + token + "\x1b[31m</html>"
	answer := func(body string) fault.Handler {
		return fault.Respond(200, "application/json", body)
	}
	tests := []struct {
		name      string
		do        fault.Handler
		class     notify.Class
		after     time.Duration
		ambiguous bool
		says      string
	}{
		{"the limiter of addresses", server.RejectAddress, notify.Rate, 5 * time.Minute, false, "this machine's address"},
		{"the limiter, with another status", fault.Respond(403, "application/json", `{"status":1111,"wait":5,"source":"x5","punish":"deny"}`), notify.Rate, 5 * time.Minute, false, "this machine's address"},
		{"the limiter as a page", fault.Respond(200, "text/html", "<html>deny</html>"), notify.Retry, 0, true, "the vendor's JSON"},
		{"a proxy's page with status 200", fault.Respond(200, "text/html", html), notify.Retry, 0, true, `"<html> <title>Login</title><secret>[31m</html>"`},
		{"JSON without errcode", answer(`{"code":0,"msg":"ok"}`), notify.Retry, 0, true, "no errcode"},
		{"null", answer(`null`), notify.Retry, 0, true, "no errcode"},
		{"an errcode of null", answer(`{"errcode":null,"errmsg":"ok"}`), notify.Retry, 0, true, "no errcode"},
		{"an errcode that is a word", answer(`{"errcode":"ok"}`), notify.Retry, 0, true, "not the vendor's JSON"},
		{"an errcode as a text", answer(`{"errcode":"400102"}`), notify.Permanent, 0, false, "was stopped"},
		{"a sub code of the rate", answer(`{"errcode":88,"sub_code":"90018","sub_msg":"QPS","errmsg":"ding talk error"}`), notify.Rate, time.Minute, false, `DingTalk answered "QPS"`},
		{"a sub code as a number", answer(`{"errcode":88,"sub_code":90018}`), notify.Rate, time.Minute, false, "too many calls"},
		{"another sub code", answer(`{"errcode":88,"sub_code":"60011","sub_msg":"没有调用该接口的权限"}`), notify.Permanent, 0, false, `DingTalk answered "没有调用该接口的权限"`},
		{"nothing", answer(""), notify.Retry, 0, true, "not the vendor's JSON"},
		{"a bad gateway", fault.Respond(502, "text/html", html), notify.Retry, 0, true, "the server failed"},
		{"unavailable", fault.Respond(503, "text/html", ""), notify.Retry, 0, false, "the server failed"},
		{"slow down", fault.Respond(429, "text/html", ""), notify.Rate, 0, false, "slow down"},
		{"forbidden", fault.Respond(403, "text/html", html), notify.Permanent, 0, false, "refuses the request"},
		{"an errcode of zero with status 404", fault.Respond(404, "application/json", `{"errcode":0}`), notify.Permanent, 0, false, "refuses the request"},
		{"an errcode with status 400", fault.Respond(400, "application/json", `{"errcode":-1}`), notify.Retry, 0, false, "DingTalk is busy"},
		{"half an answer", fault.Truncate(`{"errcode":0,"errmsg":"ok"}`), notify.Retry, 0, true, "read the response of 127.0.0.1"},
		{"a very long errmsg", server.Reject(-1, strings.Repeat("长", 9999)), notify.Retry, 0, false, "…"},
		{"an errmsg with the address", func(w http.ResponseWriter, r *http.Request, _ func()) {
			server.Reject(-1, "bad "+r.URL.String()+" "+token+" "+r.URL.Query().Get("sign"))(w, r, nil)
		}, notify.Retry, 0, false, "bad /robot/send?<secret> <secret> <secret>"},
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
			if err.Class != tt.class || err.RetryAfter != tt.after || err.Ambiguous != tt.ambiguous || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 600 {
				t.Errorf("%v, after %v, ambiguous %v: %v", err.Class, err.RetryAfter, err.Ambiguous, err)
			}
			if err = sendOne(t, t.Context(), robot); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
		})
	}
	g := newGroup(t, "zh")
	g.Inject(1, answer(`{"errcode":"0","errmsg":"ok"}`))
	if err := sendOne(t, t.Context(), g.notifier(t, Config{})); err != nil {
		t.Errorf("an errcode of zero as a text: %v", err)
	}
}

// The robot's own settings, as the server checks them.
func TestServerRules(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{})
	tests := []struct {
		name  string
		robot server.Robot
		now   time.Time
		says  string // "" for success
	}{
		{"a good signature", server.Robot{Secret: secret}, notifytest.At, ""},
		{"another secret", server.Robot{Secret: "SECother"}, notifytest.At, "the signature does not match"},
		{"a clock that is an hour late", server.Robot{Secret: secret}, notifytest.At.Add(-time.Hour), ""},
		{"a clock that is later", server.Robot{Secret: secret}, notifytest.At.Add(-time.Hour - time.Millisecond), "set the clock"},
		{"a clock that is an hour fast", server.Robot{Secret: secret}, notifytest.At.Add(time.Hour), ""},
		{"a clock that is faster", server.Robot{Secret: secret}, notifytest.At.Add(time.Hour + time.Millisecond), "set the clock"},
		{"a keyword", server.Robot{Keywords: []string{"发布", "消费积压"}}, notifytest.At, ""},
		{"another keyword", server.Robot{Keywords: []string{"发布", "巡检"}}, notifytest.At, "keywords"},
		{"this address", server.Robot{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, notifytest.At, ""},
		{"another address", server.Robot{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, notifytest.At, "address is not among those"},
	}
	for _, tt := range tests {
		g.Add(token, tt.robot)
		g.env.Now = func() time.Time { return tt.now } // the server's clock stands at the true time
		err := sendOne(t, t.Context(), robot)
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || err.Class != notify.Permanent || err.Code != "310000" || !strings.Contains(err.Message, tt.says)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}

func TestRemovedAndStopped(t *testing.T) {
	g := newGroup(t, "zh")
	robot := g.notifier(t, Config{})
	g.Stop(token)
	if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Permanent || err.Code != "400102" {
		t.Errorf("stopped: %+v", err)
	}
	g.Remove(token)
	if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Permanent || err.Code != "300005" {
		t.Errorf("removed: %+v", err)
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
	g.address = notifytest.UnreachableURL(t) + server.Path + "?access_token=" + token
	got := sendOne(t, t.Context(), g.notifier(t, Config{}))
	if got == nil || got.Class != notify.Retry || got.Ambiguous || !strings.Contains(got.Error(), "connection refused") {
		t.Errorf("%+v", got)
	}
}

// A redirect is not followed: it would carry the token elsewhere.
func TestRedirect(t *testing.T) {
	g := newGroup(t, "zh")
	g.Inject(1, func(w http.ResponseWriter, r *http.Request, _ func()) {
		http.Redirect(w, r, "https://elsewhere.example.com/?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
	})
	err := sendOne(t, t.Context(), g.notifier(t, Config{}))
	if err == nil || err.Class != notify.Permanent || !strings.Contains(err.Message, "redirects") || g.Calls() != 1 {
		t.Errorf("%d calls: %+v", g.Calls(), err)
	}
}

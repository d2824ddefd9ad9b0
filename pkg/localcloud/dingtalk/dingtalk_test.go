package dingtalk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// newServer returns a server with the robot t1. Its clock stands at 1700000000000 ms.
func newServer() (*Server, *clock) {
	c := &clock{time.UnixMilli(1700000000000)}
	s := New(c.Now)
	s.Add("t1", Robot{})
	return s, c
}

// newRequest returns a request from 192.0.2.1, httptest's address.
func newRequest(method, query, body string) *http.Request {
	r := httptest.NewRequest(method, Path+"?"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	return r
}

// send makes a request and returns the errcode and errmsg of the response.
func send(t *testing.T, s *Server, r *http.Request) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var response struct {
		Code *int   `json:"errcode"`
		Msg  string `json:"errmsg"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &response); err != nil || w.Code != 200 || response.Code == nil {
		t.Fatalf("got status %d and %s, want 200 and an errcode: %v", w.Code, w.Body, err)
	}
	return *response.Code, response.Msg
}

// call posts a body and returns the errcode.
func call(t *testing.T, s *Server, query, body string) int {
	t.Helper()
	code, _ := send(t, s, newRequest("POST", query, body))
	return code
}

// text returns a text message.
func text(content string) string {
	return fmt.Sprintf(`{"msgtype":"text","text":{"content":%q}}`, content)
}

func TestRules(t *testing.T) {
	const empty = len(`{"msgtype":"text","text":{"content":""}}`)
	long := strings.Repeat("中", (MaxBody-empty)/3)
	tests := []struct {
		name, method, query, kind, body string
		code                            int
		text                            string
	}{
		{"a text", "POST", "access_token=t1", "", text("x"), 0, "ok"},
		{"without a charset", "POST", "access_token=t1", "application/json", text("x"), 0, "ok"},
		{"a markdown", "POST", "access_token=t1", "", `{"msgtype":"markdown","markdown":{"title":"t","text":"x"}}`, 0, "ok"},
		{"the longest body", "POST", "access_token=t1", "", text(long + strings.Repeat("a", (MaxBody-empty)%3)), 0, "ok"},
		{"a body too long", "POST", "access_token=t1", "", text(long + strings.Repeat("a", (MaxBody-empty)%3+1)), 460101, "20000bytes"},
		{"an unknown token", "POST", "access_token=t2", "", text("x"), 300005, "token is not exist"},
		{"no token", "POST", "", "", text("x"), 40035, "缺少参数 access_token"},
		{"GET", "GET", "access_token=t1", "", text("x"), 43002, "需要POST请求"},
		{"another media type", "POST", "access_token=t1", "text/plain", text("x"), 43004, "Content-Type"},
		{"another charset", "POST", "access_token=t1", "application/json; charset=gbk", text("x"), 43004, "Content-Type"},
		{"no JSON", "POST", "access_token=t1", "", `{"msgtype"`, 40035, "缺少参数 json"},
		{"not UTF-8", "POST", "access_token=t1", "", "{\"msgtype\":\"text\",\"text\":{\"content\":\"\xff\"}}", 40035, "缺少参数 json"},
		{"no msgtype", "POST", "access_token=t1", "", `{"text":{"content":"x"}}`, 40035, "msgtype"},
		{"an unknown type", "POST", "access_token=t1", "", `{"msgtype":"poem"}`, 400105, "不支持的消息类型"},
		{"no title", "POST", "access_token=t1", "", `{"msgtype":"markdown","markdown":{"text":"x"}}`, 40035, "title"},
		{"no content", "POST", "access_token=t1", "", text(" \n"), 40035, "内容"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newServer()
			r := newRequest(tt.method, tt.query, tt.body)
			if tt.kind != "" {
				r.Header.Set("Content-Type", tt.kind)
			}
			code, msg := send(t, s, r)
			if code != tt.code || !strings.Contains(msg, tt.text) {
				t.Errorf("got %d %s, want %d %s", code, msg, tt.code, tt.text)
			}
			if got := len(s.Inbox()); (got == 1) != (tt.code == 0) {
				t.Errorf("got %d messages with code %d", got, tt.code)
			}
		})
	}
}

// The signatures were computed with openssl.
func TestSecurity(t *testing.T) {
	signed := func(ms, sign string) string {
		return url.Values{"access_token": {"t1"}, "timestamp": {ms}, "sign": {sign}}.Encode()
	}
	const secret, good = "SEC0123456789abcdef", "TSZbRFUuvaSQaRKUpF970OPCb2/LcQAP3wOvwZIzBZk=" // of the clock's time
	sign := Robot{Secret: secret}
	tests := []struct {
		name  string
		robot Robot
		query string
		body  string
		later time.Duration
		text  string // "" for success
	}{
		{"a valid signature", sign, signed("1700000000000", good), text("x"), 0, ""},
		{"a signature with a plus and a slash", sign, signed("1700000000002", "VGvd0brDJp/nMZtR+XnA3yBIlhowT+TwkRPua0q1/jg="), text("x"), 0, ""},
		{"a signature of another time", sign, signed("1700000000001", good), text("x"), 0, "签名不匹配"},
		{"a signature of another secret", Robot{Secret: "SECother"}, signed("1700000000000", good), text("x"), 0, "签名不匹配"},
		{"a signature escaped twice", sign, signed("1700000000000", url.QueryEscape(good)), text("x"), 0, "签名不匹配"},
		{"no signature", sign, "access_token=t1", text("x"), 0, "签名不匹配"},
		{"a time without a signature", sign, signed("1700000000000", ""), text("x"), 0, "签名不匹配"},
		{"a time in seconds", sign, signed("1700000000", good), text("x"), 0, "签名过期"},
		{"a signature an hour old", sign, signed("1700000000000", good), text("x"), time.Hour, ""},
		{"a signature more than an hour old", sign, signed("1700000000000", good), text("x"), time.Hour + 1, "签名过期"},
		{"a signature an hour ahead", sign, signed("1700000000000", good), text("x"), -time.Hour, ""},
		{"a signature more than an hour ahead", sign, signed("1700000000000", good), text("x"), -time.Hour - 1, "签名过期"},
		{"a keyword", Robot{Keywords: []string{"告警", "恢复"}}, "access_token=t1", text("[恢复] x"), 0, ""},
		{"no keyword", Robot{Keywords: []string{"告警", "恢复"}}, "access_token=t1", text("x"), 0, "关键词不匹配"},
		{"a keyword in the title alone", Robot{Keywords: []string{"告警"}}, "access_token=t1", `{"msgtype":"markdown","markdown":{"title":"告警","text":"x"}}`, 0, "关键词不匹配"},
		{"an address on the list", Robot{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, "access_token=t1", text("x"), 0, ""},
		{"an address that is not on the list", Robot{From: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/32")}}, "access_token=t1", text("x"), 0, "ip 不在白名单中"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, clock := newServer()
			clock.now = clock.now.Add(tt.later)
			s.Add("t1", tt.robot)
			code, msg := send(t, s, newRequest("POST", tt.query, tt.body))
			if tt.text == "" && code != 0 || tt.text != "" && (code != 310000 || !strings.Contains(msg, tt.text)) {
				t.Errorf("got %d %s, want %q", code, msg, tt.text)
			}
		})
	}
}

// The 21st message of a minute locks the robot out for ten minutes, and no other robot.
func TestLockout(t *testing.T) {
	s, clock := newServer()
	s.Add("t2", Robot{})
	for i := range PerMinute {
		if code := call(t, s, "access_token=t1", text("x")); code != 0 {
			t.Fatalf("message %d: got %d, want 0", i+1, code)
		}
		clock.now = clock.now.Add(time.Second)
	}
	start := clock.now
	for _, tt := range []struct {
		at    time.Duration // after the lockout began
		query string
		code  int
	}{
		{0, "access_token=t1", 410100}, {0, "access_token=t2", 0}, {LockoutDuration - 1, "access_token=t1", 410100}, {LockoutDuration, "access_token=t1", 0},
	} {
		clock.now = start.Add(tt.at)
		if code := call(t, s, tt.query, text("x")); code != tt.code {
			t.Errorf("%s after %v: got %d, want %d", tt.query, tt.at, code, tt.code)
		}
	}
}

// Twenty messages in each minute do not lock the robot out.
func TestNoLockout(t *testing.T) {
	s, clock := newServer()
	for i := range 3 * PerMinute {
		if i%PerMinute == 0 {
			clock.now = clock.now.Add(time.Minute)
		}
		if code := call(t, s, "access_token=t1", text("x")); code != 0 {
			t.Fatalf("message %d: got %d, want 0", i+1, code)
		}
	}
}

// More than 10000 calls within 20 seconds ban their address for five minutes, whatever
// the calls were; the response has no errcode.
func TestFlood(t *testing.T) {
	s, clock := newServer()
	banned := func(from string) bool {
		r := newRequest("POST", "access_token=unknown", text("x"))
		r.RemoteAddr = from + ":1234"
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return strings.HasPrefix(w.Body.String(), `{"status":1111,"wait":5,"source":"x5","punish":"deny",`) && !strings.Contains(w.Body.String(), "errcode")
	}
	for i := range 10000 {
		if banned("192.0.2.1") {
			t.Fatalf("call %d: got a ban, want none", i+1)
		}
		clock.now = clock.now.Add(time.Millisecond)
	}
	if !banned("192.0.2.1") || banned("192.0.2.2") {
		t.Error("call 10001: want a ban of this address and of no other")
	}
	clock.now = clock.now.Add(5*time.Minute - 1)
	if !banned("192.0.2.1") {
		t.Error("got no ban just before the five minutes end, want one")
	}
	clock.now = clock.now.Add(1)
	for i := range 11000 { // 10000 in 22 s
		if banned("192.0.2.1") {
			t.Fatalf("slow call %d: got a ban, want none", i+1)
		}
		clock.now = clock.now.Add(2200 * time.Microsecond)
	}
}

func TestMentions(t *testing.T) {
	tests := []struct {
		name, text, at string
		mobiles, users []string
		all            bool
	}{
		{"in both", "a @13800000000 b @u1", `{"atMobiles":["13800000000"],"atUserIds":["u1"],"isAtAll":false}`, []string{"13800000000"}, []string{"u1"}, false},
		{"in the list alone", "a", `{"atMobiles":["13800000000"],"atUserIds":["u1"],"isAtAll":true}`, nil, nil, false},
		{"in the text alone", "@13800000000 @u1 @所有人", `{}`, nil, nil, false},
		{"other names in the text", "@138000000001 @u12 @u1x", `{"atMobiles":["13800000000"],"atUserIds":["u1"]}`, nil, nil, false},
		{"twice, once in a longer name", "@u12 @u1", `{"atUserIds":["u1"]}`, nil, []string{"u1"}, false},
		{"all", "@所有人", `{"isAtAll":true}`, nil, nil, true},
		{"all, in English", "@all", `{"isAtAll":true}`, nil, nil, true},
	}
	for _, tt := range tests {
		for _, kind := range []string{"text", "markdown"} {
			s, clock := newServer()
			var seen []Message
			s.OnMessage(func(m Message) { seen = append(seen, m) })
			title := map[string]string{"markdown": "t"}[kind]
			call(t, s, "access_token=t1", fmt.Sprintf(`{"msgtype":%q,%q:{"content":%q,"title":"t","text":%q},"at":%s}`, kind, kind, tt.text, tt.text, tt.at))
			if inbox := s.Inbox(); len(seen) != 1 || len(inbox) != 1 {
				t.Fatalf("%s: got %+v from OnMessage and inbox %+v, want one message", tt.name, seen, inbox)
			}
			m := seen[0]
			if m.Token != "t1" || m.Type != kind || m.Title != title || m.Text != tt.text || !m.At.Equal(clock.now) ||
				!slices.Equal(m.Mobiles, tt.mobiles) || !slices.Equal(m.Users, tt.users) || m.All != tt.all {
				t.Errorf("%s: got %+v, want mentions of %v, %v, all %v", tt.name, m, tt.mobiles, tt.users, tt.all)
			}
		}
	}
}

func TestRobotsAndFaults(t *testing.T) {
	s, _ := newServer()
	s.Stop("t1")
	if code := call(t, s, "access_token=t1", text("x")); code != 400102 {
		t.Errorf("got %d from a stopped robot, want 400102", code)
	}
	s.Remove("t1")
	if code := call(t, s, "access_token=t1", text("x")); code != 300005 {
		t.Errorf("got %d from a removed robot, want 300005", code)
	}
	s.Add("t1", Robot{})
	s.Inject(2, Reject(-1, "系统繁忙"))
	s.Inject(1, fault.Pass)
	for i, want := range []int{-1, -1, 0, 0} {
		if code := call(t, s, "access_token=t1", text("x")); code != want {
			t.Errorf("request %d: got %d, want %d", i+1, code, want)
		}
	}
	if s.Calls() != 6 || len(s.Inbox()) != 2 {
		t.Errorf("got %d requests and %d messages, want 6 and 2", s.Calls(), len(s.Inbox()))
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/robot/elsewhere", nil))
	if w.Code != 404 {
		t.Errorf("got %d from another path, want 404", w.Code)
	}
}

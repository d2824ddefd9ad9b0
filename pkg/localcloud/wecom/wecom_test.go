package wecom

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func start() (*Server, *clock) {
	c := &clock{time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC)}
	s := New(c.Now)
	s.Add("k1")
	return s, c
}

// call makes one request and returns the errcode and errmsg of the answer.
func call(t *testing.T, s *Server, method, key, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, Path+"?key="+key, strings.NewReader(body)))
	var answer struct {
		Code int    `json:"errcode"`
		Msg  string `json:"errmsg"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
		t.Fatalf("HTTP %d, %v: %s", w.Code, err, w.Body)
	}
	return answer.Code, answer.Msg
}

func markdown(content string) string {
	return fmt.Sprintf(`{"msgtype":"markdown","markdown":{"content":%q}}`, content)
}

func text(content string) string {
	return fmt.Sprintf(`{"msgtype":"text","text":{"content":%q}}`, content)
}

func TestRules(t *testing.T) {
	tests := []struct {
		name, method, key, body string
		code                    int
		says                    string
	}{
		{"markdown", "POST", "k1", markdown("hello"), 0, "ok"},
		{"as long as may be", "POST", "k1", markdown(strings.Repeat("中", 1365) + "a"), 0, "ok"}, // 4096 bytes
		{"a byte too long", "POST", "k1", markdown(strings.Repeat("中", 1365) + "ab"), 40058, "markdown.content exceed max length 4096"},
		{"a text as long as may be", "POST", "k1", text(strings.Repeat("a", 2048)), 0, "ok"},
		{"a text too long", "POST", "k1", text(strings.Repeat("a", 2049)), 40058, "text.content exceed max length 2048"},
		{"an unknown key", "POST", "k2", markdown("hello"), 93000, "invalid webhook url"},
		{"no key", "POST", "", markdown("hello"), 93000, "invalid webhook url"},
		{"GET", "GET", "k1", markdown("hello"), 40058, "invalid Request Parameter"},
		{"no JSON", "POST", "k1", `{"msgtype"`, 40058, "invalid Request Parameter"},
		{"no msgtype", "POST", "k1", `{"markdown":{"content":"x"}}`, 40058, "invalid Request Parameter"},
		{"not UTF-8", "POST", "k1", markdown("x") + "\xff", 40058, "UTF-8"},
		{"an unknown type", "POST", "k1", `{"msgtype":"poem","poem":{}}`, 40008, "invalid message type"},
		{"no content", "POST", "k1", `{"msgtype":"text"}`, 40063, "empty"},
		{"a content that is no object", "POST", "k1", `{"msgtype":"text","text":"x"}`, 40058, "invalid Request Parameter"},
		{"an empty content", "POST", "k1", markdown(" \n"), 44004, "empty content"},
		{"HTML escapes", "POST", "k1", `{"msgtype":"text","text":{"content":"\u003Cb\u003e"}}`, 40033, "illegal characters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := start()
			code, msg := call(t, s, tt.method, tt.key, tt.body)
			if code != tt.code || !strings.Contains(msg, tt.says) {
				t.Errorf("%d %s, want %d %s", code, msg, tt.code, tt.says)
			}
			if got := len(s.Inbox()); (got == 1) != (tt.code == 0) {
				t.Errorf("%d messages in the inbox", got)
			}
		})
	}
}

func TestTwentyAMinute(t *testing.T) {
	s, clock := start()
	s.Add("k2")
	for i := range PerMinute {
		if code, msg := call(t, s, "POST", "k1", markdown("x")); code != 0 {
			t.Fatalf("message %d: %d %s", i+1, code, msg)
		}
		clock.now = clock.now.Add(time.Second)
	}
	if code, msg := call(t, s, "POST", "k1", markdown("x")); code != 45009 || !strings.Contains(msg, "api freq out of limit") {
		t.Errorf("message 21: %d %s", code, msg)
	}
	if code, _ := call(t, s, "POST", "k2", markdown("x")); code != 0 {
		t.Errorf("another robot: %d", code)
	}
	clock.now = clock.now.Add(40*time.Second - 1) // 60 s after the first, but for a nanosecond
	if code, _ := call(t, s, "POST", "k1", markdown("x")); code != 45009 {
		t.Errorf("just before the minute is over: %d", code)
	}
	clock.now = clock.now.Add(1)
	if code, _ := call(t, s, "POST", "k1", markdown("x")); code != 0 {
		t.Errorf("after the minute: %d", code)
	}
}

func TestMentions(t *testing.T) {
	s, clock := start()
	var seen []Message
	s.OnMessage(func(m Message) { seen = append(seen, m) })
	call(t, s, "POST", "k1", `{"msgtype":"text","text":{"content":"a <@u3>","mentioned_list":["u1","@all"],"mentioned_mobile_list":["13800000000"]}}`)
	call(t, s, "POST", "k1", `{"msgtype":"markdown","markdown":{"content":"a <@u1><@u2","mentioned_list":["u9"],"mentioned_mobile_list":["13800000000"]}}`)
	call(t, s, "POST", "k1", `{"msgtype":"markdown_v2","markdown_v2":{"content":"a <@u1>"}}`)
	want := []Message{
		{Key: "k1", Type: "text", Content: "a <@u3>", Users: []string{"u1", "@all", "u3"}, Mobiles: []string{"13800000000"}, At: clock.now},
		{Key: "k1", Type: "markdown", Content: "a <@u1><@u2", Users: []string{"u1"}, At: clock.now},
		{Key: "k1", Type: "markdown_v2", Content: "a <@u1>", At: clock.now},
	}
	same := func(a, b Message) bool {
		return a.Key == b.Key && a.Type == b.Type && a.Content == b.Content && slices.Equal(a.Users, b.Users) && slices.Equal(a.Mobiles, b.Mobiles) && a.At.Equal(b.At)
	}
	if !slices.EqualFunc(s.Inbox(), want, same) || !slices.EqualFunc(seen, want, same) {
		t.Errorf("inbox %+v\nseen %+v", s.Inbox(), seen)
	}
}

func TestRobotsAndFaults(t *testing.T) {
	s, _ := start()
	s.Disable("k1")
	if code, _ := call(t, s, "POST", "k1", markdown("x")); code != 93004 {
		t.Errorf("disabled: %d", code)
	}
	s.Remove("k1")
	if code, _ := call(t, s, "POST", "k1", markdown("x")); code != 93000 {
		t.Errorf("removed: %d", code)
	}
	s.Add("k1")
	s.Inject(2, Reject(-1, "system busy"))
	s.Inject(1, fault.Pass)
	for i, want := range []int{-1, -1, 0, 0} {
		if code, _ := call(t, s, "POST", "k1", markdown("x")); code != want {
			t.Errorf("call %d: %d, want %d", i, code, want)
		}
	}
	if s.Calls() != 6 || len(s.Inbox()) != 2 {
		t.Errorf("%d calls, %d messages", s.Calls(), len(s.Inbox()))
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/cgi-bin/elsewhere", nil))
	if w.Code != 404 {
		t.Errorf("another path: %d", w.Code)
	}
}

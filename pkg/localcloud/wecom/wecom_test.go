package wecom

import (
	"bytes"
	"encoding/base64"
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

// newServer returns a server with the robot k1.
func newServer() (*Server, *clock) {
	c := &clock{time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC)}
	s := New(c.Now)
	s.Add("k1")
	return s, c
}

// call makes one request and returns the errcode and errmsg of the response.
func call(t *testing.T, s *Server, method, key, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, Path+"?key="+key, strings.NewReader(body)))
	var response struct {
		Code int    `json:"errcode"`
		Msg  string `json:"errmsg"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &response); err != nil || w.Code != 200 {
		t.Fatalf("got status %d and %s, want 200 and JSON: %v", w.Code, w.Body, err)
	}
	return response.Code, response.Msg
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
		text                    string
	}{
		{"markdown", "POST", "k1", markdown("hello"), 0, "ok"},
		{"the longest markdown", "POST", "k1", markdown(strings.Repeat("中", 1365) + "a"), 0, "ok"}, // 4096 bytes
		{"a markdown too long", "POST", "k1", markdown(strings.Repeat("中", 1365) + "ab"), 40058, "markdown.content exceed max length 4096"},
		{"the longest text", "POST", "k1", text(strings.Repeat("a", 2048)), 0, "ok"},
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
			s, _ := newServer()
			code, msg := call(t, s, tt.method, tt.key, tt.body)
			if code != tt.code || !strings.Contains(msg, tt.text) {
				t.Errorf("got %d %s, want %d %s", code, msg, tt.code, tt.text)
			}
			if got := len(s.Inbox()); (got == 1) != (tt.code == 0) {
				t.Errorf("got %d messages with code %d", got, tt.code)
			}
		})
	}
}

func TestRateLimit(t *testing.T) {
	s, clock := newServer()
	s.Add("k2")
	for i := range PerMinute {
		if code, msg := call(t, s, "POST", "k1", markdown("x")); code != 0 {
			t.Fatalf("message %d: got %d %s, want 0", i+1, code, msg)
		}
		clock.now = clock.now.Add(time.Second)
	}
	if code, msg := call(t, s, "POST", "k1", markdown("x")); code != 45009 || !strings.Contains(msg, "api freq out of limit") {
		t.Errorf("message 21: got %d %s, want 45009", code, msg)
	}
	if code, _ := call(t, s, "POST", "k2", markdown("x")); code != 0 {
		t.Errorf("another robot: got %d, want 0", code)
	}
	clock.now = clock.now.Add(40*time.Second - 1) // 60 s after the first, but for a nanosecond
	if code, _ := call(t, s, "POST", "k1", markdown("x")); code != 45009 {
		t.Errorf("just before the minute ends: got %d, want 45009", code)
	}
	clock.now = clock.now.Add(1)
	if code, _ := call(t, s, "POST", "k1", markdown("x")); code != 0 {
		t.Errorf("after the minute: got %d, want 0", code)
	}
}

func TestMentions(t *testing.T) {
	s, clock := newServer()
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
		t.Errorf("got inbox %+v\nand OnMessage %+v\nwant %+v", s.Inbox(), seen, want)
	}
}

func TestRobotsAndFaults(t *testing.T) {
	s, _ := newServer()
	s.Disable("k1")
	if code, _ := call(t, s, "POST", "k1", markdown("x")); code != 93004 {
		t.Errorf("got %d from a disabled robot, want 93004", code)
	}
	s.Remove("k1")
	if code, _ := call(t, s, "POST", "k1", markdown("x")); code != 93000 {
		t.Errorf("got %d from a removed robot, want 93000", code)
	}
	s.Add("k1")
	s.Inject(2, Reject(-1, "system busy"))
	s.Inject(1, fault.Pass)
	for i, want := range []int{-1, -1, 0, 0} {
		if code, _ := call(t, s, "POST", "k1", markdown("x")); code != want {
			t.Errorf("request %d: got %d, want %d", i+1, code, want)
		}
	}
	if s.Calls() != 6 || len(s.Inbox()) != 2 {
		t.Errorf("got %d requests and %d messages, want 6 and 2", s.Calls(), len(s.Inbox()))
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/cgi-bin/elsewhere", nil))
	if w.Code != 404 {
		t.Errorf("got %d from another path, want 404", w.Code)
	}
}

// image returns an image message.
func image(base64, md5 string) string {
	return fmt.Sprintf(`{"msgtype":"image","image":{"base64":%q,"md5":%q}}`, base64, md5)
}

// The sums were computed with md5sum.
func TestImage(t *testing.T) {
	jpeg := func(size int) string {
		return base64.StdEncoding.EncodeToString(append([]byte{0xff, 0xd8, 0xff}, make([]byte, size-3)...))
	}
	for _, tt := range []struct {
		name, base64, md5 string
		code              int
	}{
		{"a PNG", "iVBORw0KGgo=", "e9dd2797018cad79186e03e8c5aec8dc", 0},
		{"a JPEG of 2 MB", jpeg(2 << 20), "f4177f6ec3353179303cc72a7aaae2e0", 0},
		{"a JPEG of 2 MB and a byte", jpeg(2<<20 + 1), "c15294ae303bf80830a6ea35ca0c36a3", 40009},
		{"another image's sum", "iVBORw0KGgo=", "d718f4d374abcade9c50585aeee2f713", 301019},
		{"a GIF", "R0lGODlh", "1ac2109d47dbc72551f71df89d01ed18", 40005},
		{"no base64", "iVBORw0KGgo", "e9dd2797018cad79186e03e8c5aec8dc", 40058},
		{"an empty image", "", "d41d8cd98f00b204e9800998ecf8427e", 40063},
		{"no sum", "iVBORw0KGgo=", "", 40063},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newServer()
			code, msg := call(t, s, "POST", "k1", image(tt.base64, tt.md5))
			if code != tt.code || (len(s.Inbox()) == 1) != (code == 0) {
				t.Errorf("got %d %s and %d messages, want %d", code, msg, len(s.Inbox()), tt.code)
			}
		})
	}
}

// Images and texts share the limit of a minute.
func TestImagesCount(t *testing.T) {
	s, _ := newServer()
	for i := range PerMinute {
		body := markdown("x")
		if i%2 == 0 {
			body = image("iVBORw0KGgo=", "e9dd2797018cad79186e03e8c5aec8dc")
		}
		if code, msg := call(t, s, "POST", "k1", body); code != 0 {
			t.Fatalf("message %d: got %d %s, want 0", i+1, code, msg)
		}
	}
	if code, _ := call(t, s, "POST", "k1", image("iVBORw0KGgo=", "e9dd2797018cad79186e03e8c5aec8dc")); code != 45009 {
		t.Errorf("message 21: got %d, want 45009", code)
	}
	if m := s.Inbox()[0]; m.Type != "image" || !bytes.Equal(m.Image, []byte("\x89PNG\r\n\x1a\n")) || strings.TrimSpace(m.Content) != "" {
		t.Errorf("got %+v, want the image", m)
	}
}

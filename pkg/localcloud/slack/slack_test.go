package slack

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// newServer returns a server with the hook T/B/x.
func newServer() (*Server, *clock) {
	c := &clock{time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC)}
	s := New(c.Now)
	s.Add("T/B/x")
	return s, c
}

// post makes one request and returns the status, the word and the Retry-After header.
func post(s *Server, path, body string) (status int, word, retryAfter string) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(body)))
	return w.Code, w.Body.String(), w.Header().Get("Retry-After")
}

func TestRules(t *testing.T) {
	text := func(s string) string { return fmt.Sprintf(`{"attachments":[{"text":%q}]}`, s) }
	tests := []struct {
		name, path, body string
		status           int
		word             string
	}{
		{"a text", "/services/T/B/x", `{"text":"x"}`, 200, "ok"},
		{"an attachment", "/services/T/B/x", text("x"), 200, "ok"},
		{"the longest text", "/services/T/B/x", text(strings.Repeat("中", 40000)), 200, "ok"},
		{"a text too long", "/services/T/B/x", text(strings.Repeat("中", 40001)), 400, "msg_too_long"},
		{"too many attachments", "/services/T/B/x", `{"text":"x","attachments":[` + strings.Repeat("{},", 100) + `{}]}`, 400, "too_many_attachments"},
		{"no text", "/services/T/B/x", `{"attachments":[{"color":"good"}]}`, 400, "no_text"},
		{"no JSON", "/services/T/B/x", "{", 400, "invalid_payload"},
		{"not UTF-8", "/services/T/B/x", "{\"text\":\"\xff\"}", 400, "invalid_payload"},
		{"another hook", "/services/T/B/y", text("x"), 404, "no_service"},
		{"another path", "/api/chat.postMessage", text("x"), 404, "no_service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newServer()
			status, word, _ := post(s, tt.path, tt.body)
			if status != tt.status || word != tt.word || (len(s.Inbox()) == 1) != (status == 200) {
				t.Errorf("got %d %s and %d messages, want %d %s", status, word, len(s.Inbox()), tt.status, tt.word)
			}
		})
	}
}

func TestRateLimit(t *testing.T) {
	s, clock := newServer()
	s.Add("T/B/y")
	for i, tt := range []struct {
		later  time.Duration
		hook   string
		status int
		after  string
	}{{0, "x", 200, ""}, {time.Second - 1, "x", 429, "1"}, {0, "y", 200, ""}, {1, "x", 200, ""}, {0, "x", 429, "1"}} {
		clock.now = clock.now.Add(tt.later)
		if status, _, after := post(s, "/services/T/B/"+tt.hook, `{"text":"x"}`); status != tt.status || after != tt.after {
			t.Errorf("message %d: got %d and Retry-After %q, want %d and %q", i+1, status, after, tt.status, tt.after)
		}
	}
}

func TestHooksAndFaults(t *testing.T) {
	s, _ := newServer()
	var seen []Message
	s.OnMessage(func(m Message) { seen = append(seen, m) })
	s.Inject(2, fault.Respond(500, "text/html", "rollup_error"))
	for i, want := range []int{500, 500, 200} {
		if status, _, _ := post(s, "/services/T/B/x", `{"text":"a <!here> &lt;!channel&gt;","channel":"#ops","attachments":[{"title":"<@U1|u>","text":"<https://example.com|x> <#C1"}]}`); status != want {
			t.Errorf("request %d: got %d, want %d", i+1, status, want)
		}
	}
	if len(seen) != 1 || seen[0].Hook != "T/B/x" || seen[0].Channel != "#ops" || !slices.Equal(seen[0].Mentions(), []string{"!here", "@U1|u"}) {
		t.Errorf("got %+v, want one message that mentions !here and @U1|u", seen)
	}
	s.Archive("T/B/x")
	if status, word, _ := post(s, "/services/T/B/x", `{"text":"x"}`); status != 410 || word != "channel_is_archived" {
		t.Errorf("got %d %s from an archived channel, want 410 channel_is_archived", status, word)
	}
	s.Remove("T/B/x")
	if status, word, _ := post(s, "/services/T/B/x", `{"text":"x"}`); status != 404 || word != "no_service" {
		t.Errorf("got %d %s from a removed hook, want 404 no_service", status, word)
	}
	if s.Calls() != 5 {
		t.Errorf("got %d requests, want 5", s.Calls())
	}
}

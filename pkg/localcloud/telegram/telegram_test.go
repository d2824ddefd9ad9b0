package telegram

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	token = "123456:ABC-def"
	group = -1009
)

type clock struct{ now time.Time }

// newServer returns a server whose bot is in a group with topic 7 and in the private
// chat 5.
func newServer() (*Server, *clock) {
	c := &clock{time.Unix(1700000000, 0)}
	s := New(func() time.Time { return c.now })
	s.Add(token, Chat{ID: group, Topics: []int{7}})
	s.Add(token, Chat{ID: 5})
	return s, c
}

// post calls a method of the API and returns the HTTP status and the response.
func post(t *testing.T, s *Server, method, path, body string) (int, apiError) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	var answer apiError
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("got status %d and %s, want JSON", w.Code, w.Body)
	}
	if answer.OK != (w.Code == 200) || !answer.OK && answer.Code != w.Code {
		t.Errorf("got status %d and %s, want the same code in both", w.Code, w.Body)
	}
	return w.Code, answer
}

const path = "/bot" + token + "/sendMessage"

// text returns the body of a message to the group with further keys.
func text(s, more string) string {
	b, _ := json.Marshal(s)
	return fmt.Sprintf(`{"chat_id":%d,"text":%s%s}`, group, b, more)
}

func TestRequests(t *testing.T) {
	long := strings.Repeat("中", MaxText)
	tests := []struct {
		name, method, path, body string
		status                   int
		description              string
	}{
		{"a text", "POST", path, text("x", ""), 200, ""},
		{"a method in lower case", "POST", "/bot" + token + "/sendmessage", text("x", ""), 200, ""},
		{"a chat as text", "POST", path, `{"chat_id":"-1009","text":"x"}`, 200, ""},
		{"a topic", "POST", path, text("x", `,"message_thread_id":7`), 200, ""},
		{"the longest text", "POST", path, text(long, ""), 200, ""},
		{"the longest text in bold", "POST", path, text("<b>"+long+"</b>", `,"parse_mode":"html"`), 200, ""},
		{"a text too long", "POST", path, text(long+"x", ""), 400, "Bad Request: message is too long"},
		{"a text too long by surrogate pairs", "POST", path, text(strings.Repeat("😀", MaxText/2)+"x", ""), 400, "Bad Request: message is too long"},
		{"no text", "POST", path, text(" \n", ""), 400, "Bad Request: message text is empty"},
		{"only tags", "POST", path, text("<b> </b>", `,"parse_mode":"HTML"`), 400, "Bad Request: text must be non-empty"},
		{"an unknown parse mode", "POST", path, text("x", `,"parse_mode":"Wiki"`), 400, "Bad Request: unsupported parse_mode"},
		{"an unknown chat", "POST", path, `{"chat_id":6,"text":"x"}`, 400, "Bad Request: chat not found"},
		{"no chat", "POST", path, `{"text":"x"}`, 400, "Bad Request: chat_id is empty"},
		{"an unknown topic", "POST", path, text("x", `,"message_thread_id":8`), 400, "Bad Request: message thread not found"},
		{"no JSON", "POST", path, "{", 400, "Bad Request: can't parse JSON object"},
		{"GET", "GET", path, "", 400, "Bad Request: can't parse JSON object"},
		{"not UTF-8", "POST", path, "{\"chat_id\":5,\"text\":\"\xff\"}", 400, "Bad Request: strings must be encoded in UTF-8"},
		{"an unknown token", "POST", "/bot123456:other/sendMessage", text("x", ""), 401, "Unauthorized"},
		{"a malformed token", "POST", "/bot123456/sendMessage", text("x", ""), 404, "Not Found"},
		{"another path", "POST", "/sendMessage", text("x", ""), 404, "Not Found"},
		{"an unknown method", "POST", "/bot" + token + "/sendPoem", text("x", ""), 404, "Not Found: method not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newServer()
			status, answer := post(t, s, tt.method, tt.path, tt.body)
			if status != tt.status || answer.Description != tt.description || (len(s.Inbox()) == 1) != (status == 200) {
				t.Errorf("got %d %q and %d messages, want %d %q", status, answer.Description, len(s.Inbox()), tt.status, tt.description)
			}
		})
	}
}

func TestMarkup(t *testing.T) {
	tests := []struct {
		mode, source, text string
		entities           []string
		err                string
	}{
		{"HTML", `<b>a</b> <I>b</i> &lt;c&gt; &amp; &quot;d&#39; &nbsp; <a href="https://example.com/?a=1&amp;b=2">e</a>`, `a b <c> & "d' &nbsp; e`, []string{"bold", "italic", "text_link"}, ""},
		{"HTML", `<b><u>a</u></b><a href="tg://user?id=9">b</a><a>c</a>`, "abc", []string{"bold", "underline", "text_mention"}, ""},
		{"HTML", `<span class="tg-spoiler">a</span><blockquote>b</blockquote>`, "ab", []string{"spoiler", "blockquote"}, ""},
		{"HTML", "<font>a</font>", "", nil, `Unsupported start tag "font" at byte offset 0`},
		{"HTML", "中 < 5", "", nil, "Unclosed start tag at byte offset 4"},
		{"HTML", "4 < 5 > 2", "", nil, `Unsupported start tag "" at byte offset 2`},
		{"HTML", "<span>a</span>", "", nil, `Unsupported start tag "span" at byte offset 0`},
		{"HTML", "<b>a", "", nil, `Can't find end tag corresponding to start tag "b"`},
		{"HTML", "a</b>", "", nil, "Unexpected end tag at byte offset 1"},
		{"HTML", "<b>a</i>", "", nil, `Unmatched end tag at byte offset 4, expected "</b>", found "</i>"`},
		{"HTML", "<b>a</b", "", nil, "Unclosed end tag at byte offset 4"},
		{"HTML", `<a href="x>a</a>`, "", nil, `Unclosed attribute value in the tag "a" at byte offset 0`},
		{"MarkdownV2", `*a* _b_ \(c\. \\ [d\-e](https://example.com/a.b)`, `a b (c. \ d-e`, []string{"bold", "italic", "text_link"}, ""},
		{"MarkdownV2", "`a.b_c`", "a.b_c", []string{"code"}, ""},
		{"MarkdownV2", "a.", "", nil, `Character '.' is reserved and must be escaped with the preceding '\'`},
		{"MarkdownV2", "*a", "", nil, "Can't find end of the entity starting at byte offset 0"},
		{"MarkdownV2", "[a](b", "", nil, "Can't find end of the entity starting at byte offset 0"},
		{"Markdown", `*a.b* c\_d [e](https://example.com)`, "a.b c_d e", []string{"bold", "text_link"}, ""},
		{"Markdown", "order_created", "", nil, "Can't find end of the entity starting at byte offset 5"},
		{"", "<b>*a*", "<b>*a*", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.mode+" "+tt.source, func(t *testing.T) {
			s, _ := newServer()
			status, answer := post(t, s, "POST", path, text(tt.source, `,"parse_mode":"`+tt.mode+`"`))
			if tt.err != "" {
				if want := "Bad Request: can't parse entities: " + tt.err; status != 400 || answer.Description != want {
					t.Errorf("got %d %q, want %q", status, answer.Description, want)
				}
				return
			}
			if status != 200 {
				t.Fatalf("got %d %q, want it accepted", status, answer.Description)
			}
			if m := s.Inbox()[0]; m.Text != tt.text || m.Source != tt.source || !slices.Equal(m.Entities, tt.entities) {
				t.Errorf("got %q with %q, want %q with %q", m.Text, m.Entities, tt.text, tt.entities)
			}
		})
	}
}

func TestMentions(t *testing.T) {
	s, _ := newServer()
	post(t, s, "POST", path, text(`@ops_team a@example.com (@dba) ＠x <a href="tg://user?id=42">Li</a>`, `,"parse_mode":"HTML"`))
	if got, want := s.Inbox()[0].Mentions, []string{"42", "ops_team", "dba"}; !slices.Equal(got, want) {
		t.Errorf("got mentions %q, want %q", got, want)
	}
}

func TestLimits(t *testing.T) {
	t.Run("a group", func(t *testing.T) {
		s, c := newServer()
		for i := range GroupPerMinute {
			if status, answer := post(t, s, "POST", path, text("x", "")); status != 200 {
				t.Fatalf("message %d: got %d %q, want it accepted", i+1, status, answer.Description)
			}
			c.now = c.now.Add(time.Second)
		}
		status, answer := post(t, s, "POST", path, text("x", ""))
		if status != 429 || answer.Description != "Too Many Requests: retry after 40" || answer.Parameters == nil || answer.Parameters.RetryAfter != 40 {
			t.Errorf("got %d %+v, want 429 with 40 seconds to wait", status, answer)
		}
		c.now = c.now.Add(40 * time.Second)
		if status, answer := post(t, s, "POST", path, text("x", "")); status != 200 {
			t.Errorf("got %d %q after the wait, want it accepted", status, answer.Description)
		}
	})
	t.Run("all chats", func(t *testing.T) {
		s, c := newServer()
		for i := range PerSecond {
			if status, answer := post(t, s, "POST", path, `{"chat_id":5,"text":"x"}`); status != 200 {
				t.Fatalf("message %d: got %d %q, want it accepted", i+1, status, answer.Description)
			}
		}
		if status, answer := post(t, s, "POST", path, text("x", "")); status != 429 || answer.Parameters.RetryAfter != 1 {
			t.Errorf("got %d %+v, want 429 with a second to wait", status, answer)
		}
		c.now = c.now.Add(time.Second)
		if status, answer := post(t, s, "POST", path, text("x", "")); status != 200 {
			t.Errorf("got %d %q after a second, want it accepted", status, answer.Description)
		}
	})
}

func TestChanges(t *testing.T) {
	s, _ := newServer()
	s.Kick(token, 5)
	if status, answer := post(t, s, "POST", path, `{"chat_id":5,"text":"x"}`); status != 403 || answer.Description != "Forbidden: bot was blocked by the user" {
		t.Errorf("blocked: got %d %q", status, answer.Description)
	}
	s.Mute(token, group)
	if status, answer := post(t, s, "POST", path, text("x", "")); status != 400 || answer.Description != "Bad Request: not enough rights to send text messages to the chat" {
		t.Errorf("muted: got %d %q", status, answer.Description)
	}
	s.Migrate(token, group, -5)
	if status, answer := post(t, s, "POST", path, text("x", "")); status != 400 || answer.Parameters == nil || answer.Parameters.MigrateToChatID != -5 {
		t.Errorf("migrated: got %d %+v", status, answer)
	}
	if status, answer := post(t, s, "POST", path, `{"chat_id":-5,"text":"x","message_thread_id":7}`); status != 200 {
		t.Errorf("the new group: got %d %q", status, answer.Description)
	}
	s.Kick(token, -5)
	if status, answer := post(t, s, "POST", path, `{"chat_id":-5,"text":"x"}`); status != 403 || answer.Description != "Forbidden: bot was kicked from the supergroup chat" {
		t.Errorf("kicked: got %d %q", status, answer.Description)
	}
	s.Revoke(token)
	if status, _ := post(t, s, "POST", path, text("x", "")); status != 401 {
		t.Errorf("revoked: got %d, want 401", status)
	}
}

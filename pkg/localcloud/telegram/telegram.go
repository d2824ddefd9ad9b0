// Package telegram is Telegram's Bot API on one machine, for development and tests. It
// has the method sendMessage and is as strict as the vendor's: unknown tokens, chats
// and topics, markup that cannot be parsed, more than 4096 characters, more than 20
// messages a minute to a group, and more than 30 a second are rejected with the
// vendor's errors.
package telegram

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/mailbox"
)

const (
	// MaxText is how many UTF-16 code units a text may have after its markup is
	// parsed.
	MaxText = 4096
	// GroupPerMinute is how many messages a minute a bot may send to one group, and
	// PerSecond how many a second it may send in total (core.telegram.org/bots/faq).
	GroupPerMinute = 20
	PerSecond      = 30

	maxBody = 1 << 20
)

// Chat is a chat that a bot may write to.
type Chat struct {
	// ID is negative for a group or a channel.
	ID int64
	// Topics are those of a forum.
	Topics []int
}

// Message is one message that a chat has received.
type Message struct {
	ChatID int64
	Topic  int
	// Source is the text as it was sent, Text as it is read.
	Source, Text string
	// Entities are the kinds of markup in the text, such as bold and text_link.
	Entities []string
	// Mentions are the names that the text mentions, and the ids of users that it
	// links to.
	Mentions []string
	Silent   bool
	At       time.Time
}

// Length returns how many UTF-16 code units of a message count.
func (m Message) Length() int { return length(m.Text) }

// Server serves the Bot API. It is an http.Handler, safe for concurrent use.
type Server struct {
	fault.Queue
	mailbox.Box[Message]
	now func() time.Time

	mu   sync.Mutex
	bots map[string]*bot // by token
}

// bot is a bot and the chats it knows.
type bot struct {
	chats map[int64]*chat
	sent  []time.Time // within the last second
}

type chat struct {
	Chat
	sent     []time.Time // within the last minute
	migrated int64
	rejected *apiError // the answer to every message, nil for none
}

// New returns a server without bots. now is its clock.
func New(now func() time.Time) *Server {
	return &Server{now: now, bots: map[string]*bot{}}
}

// Add adds a chat of the bot with a token, and the bot.
func (s *Server) Add(token string, c Chat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.bots[token]
	if b == nil {
		b = &bot{chats: map[int64]*chat{}}
		s.bots[token] = b
	}
	b.chats[c.ID] = &chat{Chat: c}
}

// Revoke makes a bot's token invalid.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bots, token)
}

// Kick removes the bot from a group, and blocks it in a private chat.
func (s *Server) Kick(token string, id int64) {
	reason := "bot was blocked by the user"
	if id < 0 {
		reason = "bot was kicked from the supergroup chat"
	}
	s.reject(token, id, &apiError{Code: 403, Description: "Forbidden: " + reason})
}

// Mute takes from the bot the right to write to a chat.
func (s *Server) Mute(token string, id int64) {
	s.reject(token, id, badRequest("not enough rights to send text messages to the chat"))
}

func (s *Server) reject(token string, id int64, e *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bots[token].chats[id].rejected = e
}

// Migrate makes a group a supergroup with another id.
func (s *Server) Migrate(token string, from, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	chats := s.bots[token].chats
	chats[from].migrated = to
	chats[to] = &chat{Chat: Chat{ID: to, Topics: chats[from].Topics}}
}

var tokenForm = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Handle(w, r, func() {
		m, err := s.sendMessage(r)
		if err != nil {
			err.write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "result": map[string]any{
			"message_id": s.Calls(), "date": m.At.Unix(), "chat": map[string]any{"id": m.ChatID}, "text": m.Text,
		}})
	})
}

// request is the body of sendMessage. The API takes ids as text as well.
type request struct {
	ChatID    json.Number `json:"chat_id"`
	Topic     int         `json:"message_thread_id"`
	Text      string      `json:"text"`
	ParseMode string      `json:"parse_mode"`
	Silent    bool        `json:"disable_notification"`
}

func (s *Server) sendMessage(r *http.Request) (*Message, *apiError) {
	token, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/bot"), "/")
	if !strings.HasPrefix(r.URL.Path, "/bot") || !tokenForm.MatchString(token) {
		return nil, &apiError{Code: 404, Description: "Not Found"}
	}
	s.mu.Lock()
	known := s.bots[token] != nil
	s.mu.Unlock()
	switch {
	case !known:
		return nil, &apiError{Code: 401, Description: "Unauthorized"}
	case !strings.EqualFold(method, "sendMessage"):
		return nil, &apiError{Code: 404, Description: "Not Found: method not found"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	var req request
	switch {
	case err != nil, r.Method != http.MethodPost, json.Unmarshal(body, &req) != nil:
		return nil, badRequest("can't parse JSON object")
	case !utf8.Valid(body):
		return nil, badRequest("strings must be encoded in UTF-8")
	}
	m, bad := parse(req.Text, req.ParseMode)
	if bad == nil {
		m.Topic, m.Silent = req.Topic, req.Silent
	}
	if bad = s.admit(token, &req, m, bad); bad != nil {
		return nil, bad
	}
	s.Deliver(*m)
	return m, nil
}

// admit checks what depends on the chat, and counts a message that it accepts. bad is
// the error of the text, if any.
func (s *Server) admit(token string, req *request, m *Message, bad *apiError) *apiError {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, now := s.bots[token], s.now()
	id, err := req.ChatID.Int64()
	if err != nil {
		return badRequest("chat_id is empty")
	}
	c := b.chats[id]
	switch {
	case c == nil:
		return badRequest("chat not found")
	case c.migrated != 0:
		e := badRequest("group chat was upgraded to a supergroup chat")
		e.Parameters = &parameters{MigrateToChatID: c.migrated}
		return e
	case c.rejected != nil:
		return c.rejected
	case bad != nil:
		return bad
	case req.Topic != 0 && !slices.Contains(c.Topics, req.Topic):
		return badRequest("message thread not found")
	}
	b.sent = within(b.sent, now, time.Second)
	c.sent = within(c.sent, now, time.Minute)
	if id < 0 && len(c.sent) >= GroupPerMinute {
		return tooMany(c.sent[0].Add(time.Minute).Sub(now))
	}
	if len(b.sent) >= PerSecond {
		return tooMany(b.sent[0].Add(time.Second).Sub(now))
	}
	b.sent, c.sent = append(b.sent, now), append(c.sent, now)
	m.ChatID, m.At = id, now
	return nil
}

// parse checks a text and returns it as a message.
func parse(text, mode string) (*Message, *apiError) {
	if strings.TrimSpace(text) == "" {
		return nil, badRequest("message text is empty")
	}
	m := &Message{Source: text, Text: text}
	var err error
	switch strings.ToLower(mode) {
	case "":
	case "html":
		err = m.parseHTML(text)
	case "markdownv2":
		err = m.parseMarkdown(text, true)
	case "markdown":
		err = m.parseMarkdown(text, false)
	default:
		return nil, badRequest("unsupported parse_mode")
	}
	switch {
	case err != nil:
		return nil, badRequest("can't parse entities: " + err.Error())
	case strings.TrimSpace(m.Text) == "":
		return nil, badRequest("text must be non-empty")
	case length(m.Text) > MaxText:
		return nil, badRequest("message is too long")
	}
	for _, name := range mention.FindAllStringSubmatch(m.Text, -1) {
		m.Mentions = append(m.Mentions, name[1])
	}
	return m, nil
}

// mention finds names as Telegram does: not inside a word such as an e-mail address.
var mention = regexp.MustCompile(`(?:^|[^A-Za-z0-9_])@([A-Za-z0-9_]{3,32})`)

func length(text string) int { return len(utf16.Encode([]rune(text))) }

// within returns the times that are less than span before now.
func within(times []time.Time, now time.Time, span time.Duration) []time.Time {
	return slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) >= span })
}

// apiError is an error of the Bot API. Its HTTP status is the code.
type apiError struct {
	OK          bool        `json:"ok"` // false
	Code        int         `json:"error_code"`
	Description string      `json:"description"`
	Parameters  *parameters `json:"parameters,omitempty"`
}

type parameters struct {
	MigrateToChatID int64 `json:"migrate_to_chat_id,omitempty"`
	RetryAfter      int   `json:"retry_after,omitempty"`
}

func (e *apiError) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Code)
	_ = json.NewEncoder(w).Encode(e)
}

func badRequest(description string) *apiError {
	return &apiError{Code: 400, Description: "Bad Request: " + description}
}

func tooMany(wait time.Duration) *apiError {
	seconds := int((wait + time.Second - 1) / time.Second)
	return &apiError{Code: 429, Description: fmt.Sprintf("Too Many Requests: retry after %d", seconds), Parameters: &parameters{RetryAfter: seconds}}
}

// Reject responds with an error of the Bot API.
func Reject(code int, description string) fault.Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		(&apiError{Code: code, Description: description}).write(w)
	}
}

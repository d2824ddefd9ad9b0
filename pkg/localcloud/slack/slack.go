// Package slack is Slack's incoming webhooks on one machine, for development and tests.
// It is as strict as the vendor's: unknown hooks, archived channels, bodies that are not
// JSON, messages without a text, and more than one message a second are rejected with
// the vendor's statuses and words.
package slack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/mailbox"
)

const (
	// Path is the path of every hook, without its name at the end.
	Path = "/services/"

	maxText        = 40000 // characters of a message
	maxAttachments = 100
	maxBody        = 1 << 20
)

// Attachment is a part of a message. Its keys are Slack's.
type Attachment struct {
	Fallback  string   `json:"fallback"`
	Color     string   `json:"color"`
	Title     string   `json:"title"`
	TitleLink string   `json:"title_link"`
	Text      string   `json:"text"`
	Mrkdwn    []string `json:"mrkdwn_in"`
}

// Message is one message that a channel has received.
type Message struct {
	Hook        string       `json:"-"`
	At          time.Time    `json:"-"`
	Channel     string       `json:"channel"`
	Username    string       `json:"username"`
	IconEmoji   string       `json:"icon_emoji"`
	IconURL     string       `json:"icon_url"`
	Text        string       `json:"text"`
	Attachments []Attachment `json:"attachments"`
}

// Mentions returns the markup in any text of a message that notifies people or names a
// channel: <!here>, <@U…>, <!subteam^…> and <#C…>.
func (m Message) Mentions() []string {
	texts := []string{m.Text}
	for _, a := range m.Attachments {
		texts = append(texts, a.Title, a.Text, a.Fallback)
	}
	var out []string
	for _, s := range texts {
		for _, tag := range strings.Split(s, "<")[1:] {
			if inner, _, closed := strings.Cut(tag, ">"); closed && inner != "" && strings.ContainsAny(inner[:1], "!@#") {
				out = append(out, inner)
			}
		}
	}
	return out
}

// Server answers hooks' requests. It is an http.Handler, safe for concurrent use.
type Server struct {
	fault.Queue
	mailbox.Box[Message]

	now func() time.Time

	mu    sync.Mutex
	hooks map[string]*hook
}

// hook is one incoming webhook.
type hook struct {
	archived bool
	last     time.Time
}

// New returns a server without hooks. now is its clock.
func New(now func() time.Time) *Server {
	return &Server{now: now, hooks: map[string]*hook{}}
}

// Add adds a hook, such as T000/B000/abcd. Its address is Path and its name.
func (s *Server) Add(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks[name] = &hook{}
}

// Remove turns a hook off.
func (s *Server) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hooks, name)
}

// Archive archives the channel of a hook.
func (s *Server) Archive(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.hooks[name]; h != nil {
		h.archived = true
	}
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve := func() {
		status, word := s.accept(r)
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprint(w, word)
	}
	s.Handle(w, r, serve)
}

// accept checks a request and delivers its message.
func (s *Server) accept(r *http.Request) (status int, word string) {
	name, ok := strings.CutPrefix(r.URL.Path, Path)
	if !ok || r.Method != http.MethodPost {
		return http.StatusNotFound, "no_service"
	}
	message, status, word := parse(r)

	s.mu.Lock()
	h, now := s.hooks[name], s.now()
	switch {
	case h == nil:
		status, word = http.StatusNotFound, "no_service"
	case h.archived:
		status, word = http.StatusGone, "channel_is_archived"
	case message == nil:
	case now.Sub(h.last) < time.Second:
		status, word = http.StatusTooManyRequests, "rate_limited"
	default:
		status, word = http.StatusOK, "ok"
	}
	if status != http.StatusOK {
		s.mu.Unlock()
		return status, word
	}
	h.last = now
	message.Hook, message.At = name, now
	s.mu.Unlock()
	s.Deliver(*message)
	return status, word
}

// parse returns a message, or the status and the word of its error.
func parse(r *http.Request) (m *Message, status int, word string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	m = &Message{}
	if err != nil || !utf8.Valid(body) || json.Unmarshal(body, m) != nil {
		return nil, http.StatusBadRequest, "invalid_payload"
	}
	length, empty := utf8.RuneCountInString(m.Text), m.Text == ""
	for _, a := range m.Attachments {
		length += utf8.RuneCountInString(a.Text)
		empty = empty && a.Text == "" && a.Title == "" && a.Fallback == ""
	}
	switch {
	case empty:
		return nil, http.StatusBadRequest, "no_text"
	case len(m.Attachments) > maxAttachments:
		return nil, http.StatusBadRequest, "too_many_attachments"
	case length > maxText:
		return nil, http.StatusBadRequest, "msg_too_long"
	}
	return m, 0, ""
}

// Package feishu is Feishu's custom robots on one machine, for development and
// tests. It is as strict as the vendor's: unknown tokens, wrong or old
// signatures, missing keywords, strange addresses, more than 5 messages a second
// or 100 a minute, bodies above 20 KB, and cards that are wrong or mention
// strangers are refused with the vendor's codes. It takes the types text and
// interactive.
package feishu

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/mailbox"
)

const (
	// Path is what the address of every robot begins with; its token follows.
	Path = "/open-apis/bot/v2/hook/"
	// PerSecond and PerMinute are how many requests a robot may make.
	PerSecond, PerMinute = 5, 100
	// MaxBody is how many bytes a request may have.
	MaxBody = 20 << 10
	// Skew is how far a signature's time may be from the server's.
	MaxClockSkew = time.Hour
)

// Robot is a custom robot of a group, with the security settings that its owner
// has chosen. None of them is needed.
type Robot struct {
	// Token is the last part of the robot's address.
	Token string
	// Secret is the key of signatures.
	Secret string
	// Keywords are words of which every message must have one.
	Keywords []string
	// Addresses are the IP addresses that may call.
	Addresses []string
	// Members are the open_ids of the group.
	Members []string
	// MentionAll tells that the group lets robots mention everybody.
	MentionAll bool
}

// Message is one message that a group has got.
type Message struct {
	Token string
	// Type is text or interactive.
	Type string
	// Title and Colour are those of a card's header.
	Title, Color string
	// Content is the text, or the markdown of a card's elements, one below the
	// other, with its markup.
	Content string
	// Mentions are the open_ids of who was mentioned, and all for everybody.
	Mentions []string
	At       time.Time
}

// Server answers robots' requests. It is an http.Handler, safe for concurrent
// use.
type Server struct {
	// What befalls the requests, and what was accepted of them.
	fault.Queue
	mailbox.Box[Message]

	now func() time.Time

	mu     sync.Mutex
	robots map[string]*robot
}

type robot struct {
	Robot
	requests []time.Time // within the last minute
}

// New returns a server without robots. now is its clock.
func New(now func() time.Time) *Server {
	return &Server{now: now, robots: map[string]*robot{}}
}

// Add makes a robot known. Its address is Path and its token.
func (s *Server) Add(r Robot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.robots[r.Token] = &robot{Robot: r}
}

// Remove removes a robot from its group: its token is not known any more.
func (s *Server) Remove(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.robots, token)
}

// ServeHTTP takes one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.URL.Path, Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	own := func() {
		if refused := s.accept(r, token); refused != nil {
			refused.write(w)
			return
		}
		success(w)
	}
	s.Handle(w, r, own)
}

// take judges a request and delivers its message.
func (s *Server) accept(r *http.Request, token string) *apiError {
	settings, now, refused := s.check(r, token)
	if refused != nil {
		return refused
	}
	message, refused := parse(r, settings, now)
	if refused != nil {
		return refused
	}
	message.Token, message.At = token, now
	s.Deliver(*message)
	return nil
}

// admit judges all of a request but its body, and counts it.
func (s *Server) check(r *http.Request, token string) (Robot, time.Time, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, robot := s.now(), s.robots[token]
	switch {
	case robot == nil:
		return Robot{}, now, unknownToken
	case !robot.trusts(r.RemoteAddr):
		return Robot{}, now, untrustedAddress
	}
	robot.requests = slices.DeleteFunc(robot.requests, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if n := len(robot.requests); n >= PerSecond && now.Sub(robot.requests[n-PerSecond]) < time.Second {
		return Robot{}, now, tooMany
	} else if n >= PerMinute {
		return Robot{}, now, limited
	}
	robot.requests = append(robot.requests, now)
	return robot.Robot, now, nil
}

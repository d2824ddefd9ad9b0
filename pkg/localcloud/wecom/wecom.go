// Package wecom is WeCom's group robots and applications on one machine, for
// development and tests. The robots are as strict as the vendor's: unknown keys,
// bodies that are not JSON, messages over the limit, empty messages and more than 20
// messages a minute are rejected with the vendor's codes, which arrive with HTTP status
// 200. They take the types text, markdown, markdown_v2 and image.
package wecom

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/mailbox"
)

const (
	// PerMinute is how many messages a robot may send within a minute.
	PerMinute = 20
	// Path is the path of messages, with ?key=.
	Path = "/cgi-bin/webhook/send"
)

// Message is one message that a group has received.
type Message struct {
	Key  string
	Type string
	// Content is the text as it was sent, with its markup.
	Content string
	// Image is the PNG or JPEG of an image.
	Image []byte
	// Users and Mobiles are the mentioned people: by the lists of a text, which have no
	// effect in other types, and by <@userid>, which has none in markdown_v2.
	Users, Mobiles []string
	At             time.Time
}

// Server answers robots' requests. It is an http.Handler, safe for concurrent
// use.
type Server struct {
	fault.Queue
	mailbox.Box[Message]

	now func() time.Time

	mu     sync.Mutex
	robots map[string]*robot
}

// robot is one robot of a group.
type robot struct {
	sent      []time.Time // within the last minute
	rejection *apiError   // the response to every message, nil for none
}

// New returns a server without robots. now is its clock.
func New(now func() time.Time) *Server {
	return &Server{now: now, robots: map[string]*robot{}}
}

// Add adds a robot. Its address is Path?key=KEY.
func (s *Server) Add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.robots[key] = &robot{}
}

// Remove removes a robot from its group: its key becomes unknown.
func (s *Server) Remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.robots, key)
}

// Disable makes a robot reject every message, as the group's owner can.
func (s *Server) Disable(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.robots[key]; r != nil {
		r.rejection = &apiError{93004, "robot is disabled"}
	}
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != Path {
		http.NotFound(w, r)
		return
	}
	serve := func() {
		if err := s.accept(r); err != nil {
			err.write(w)
			return
		}
		writeJSON(w, 0, "ok")
	}
	s.Handle(w, r, serve)
}

// accept checks a request and delivers its message.
func (s *Server) accept(r *http.Request) *apiError {
	key := r.URL.Query().Get("key")
	message, bad := parse(r)

	s.mu.Lock()
	robot, now := s.robots[key], s.now()
	switch {
	case robot == nil:
		bad = &apiError{93000, "invalid webhook url"}
	case robot.rejection != nil:
		bad = robot.rejection
	case bad == nil:
		robot.sent = within(robot.sent, now, time.Minute)
		if len(robot.sent) >= PerMinute {
			bad = &apiError{45009, "api freq out of limit"}
		}
	}
	if bad != nil {
		s.mu.Unlock()
		return bad
	}
	robot.sent = append(robot.sent, now)
	message.Key, message.At = key, now
	s.mu.Unlock()
	s.Deliver(*message)
	return nil
}

// apiError is an error of the API.
type apiError struct {
	code int
	msg  string
}

// write responds with the error in the vendor's wording.
func (e *apiError) write(w http.ResponseWriter) {
	writeJSON(w, e.code, fmt.Sprintf("%s, hint: [1700000000000000000000000], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=%d", e.msg, e.code))
}

// Reject responds with an error of the API.
func Reject(code int, msg string) fault.Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) { (&apiError{code, msg}).write(w) }
}

func writeJSON(w http.ResponseWriter, code int, msg string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	fmt.Fprintf(w, `{"errcode":%d,"errmsg":%q}`, code, msg)
}

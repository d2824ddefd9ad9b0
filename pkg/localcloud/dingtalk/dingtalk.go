// Package dingtalk is DingTalk's group robots on one machine, for development and
// tests. It is as strict as the vendor's: unknown tokens, wrong or old signatures,
// missing keywords, callers that are not on the list, bodies over 20000 bytes, and more
// than 20 messages a minute are rejected with the vendor's codes, which arrive with HTTP
// status 200. After too many messages a robot is locked out for ten minutes; after too
// many calls an address is banned for five, and that response has no errcode. It takes
// the types text and markdown.
package dingtalk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/mailbox"
)

const (
	// Path is the path of messages, with ?access_token=.
	Path = "/robot/send"
	// PerMinute is how many messages a robot may send within a minute, and
	// LockoutDuration for how long it is locked out when it tries to send more.
	PerMinute       = 20
	LockoutDuration = 10 * time.Minute
	// MaxBody is the longest body, in bytes.
	MaxBody = 20000
)

// Robot has the settings of a robot.
type Robot struct {
	// Secret makes the server require signatures (加签); "" for no signatures.
	Secret string
	// Keywords are words of which a message must have one; none for no such setting.
	Keywords []string
	// From are the addresses that may call; none for all.
	From []netip.Prefix
}

// Message is one message that a group has received.
type Message struct {
	Token string
	Type  string
	// Title is the line that phones show of a markdown message; a text has none.
	Title string
	// Text is the text as it was sent, with its markup.
	Text string
	// Mobiles, Users and All are the notified people: those who are in the lists and in
	// the text. One without the other has no effect.
	Mobiles, Users []string
	All            bool
	At             time.Time
}

// Server answers robots' requests. It is an http.Handler, safe for concurrent
// use.
type Server struct {
	fault.Queue
	mailbox.Box[Message]

	now func() time.Time

	mu      sync.Mutex
	robots  map[string]*robot
	callers map[string]*caller
}

// robot is one robot of a group.
type robot struct {
	Robot
	sent        []time.Time // within the last minute
	lockedUntil time.Time
	rejection   *apiError // the response to every message, nil for none
}

// New returns a server without robots. now is its clock.
func New(now func() time.Time) *Server {
	return &Server{now: now, robots: map[string]*robot{}, callers: map[string]*caller{}}
}

// Add adds a robot, or changes its settings. Its address is Path?access_token=TOKEN.
func (s *Server) Add(token string, r Robot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.robots[token] = &robot{Robot: r}
}

// Remove removes a robot: its token becomes unknown.
func (s *Server) Remove(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.robots, token)
}

// Stop makes a robot reject every message, as the group's owner can.
func (s *Server) Stop(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.robots[token]; r != nil {
		r.rejection = withSolution(400102, "机器人已停用", "请联系管理员启用机器人")
	}
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != Path {
		http.NotFound(w, r)
		return
	}
	serve := func() {
		if s.flooded(r) {
			RejectAddress(w, r, nil)
			return
		}
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
	token := r.URL.Query().Get("access_token")
	message, bad := parse(r)

	s.mu.Lock()
	now := s.now()
	if err := s.check(token, r, message, now); err != nil {
		bad = err
	}
	if bad != nil {
		s.mu.Unlock()
		return bad
	}
	message.Token, message.At = token, now
	s.mu.Unlock()
	s.Deliver(*message)
	return nil
}

// check returns the error that depends on the robot, and counts a message that it accepts.
// m is nil when the request has no valid message.
func (s *Server) check(token string, r *http.Request, m *Message, now time.Time) *apiError {
	robot := s.robots[token]
	switch {
	case token == "":
		return &apiError{40035, "缺少参数 access_token"}
	case robot == nil:
		return &apiError{300005, "token is not exist"}
	case robot.rejection != nil:
		return robot.rejection
	case m == nil:
		return nil
	}
	if bad := robot.checkSecurity(r, m, now); bad != nil {
		return bad
	}
	tooFast := withSolution(410100, "发送速度太快而限流", "请降低发送速度")
	if now.Before(robot.lockedUntil) {
		return tooFast
	}
	robot.sent = slices.DeleteFunc(robot.sent, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(robot.sent) >= PerMinute {
		robot.lockedUntil = now.Add(LockoutDuration)
		return tooFast
	}
	robot.sent = append(robot.sent, now)
	return nil
}

// apiError is an error of the API.
type apiError struct {
	code int
	msg  string
}

// withSolution returns an error in the wording that DingTalk uses now.
func withSolution(code int, what, solution string) *apiError {
	return &apiError{code, "错误描述:" + what + ";解决方案:" + solution + ";"}
}

func (e *apiError) write(w http.ResponseWriter) { writeJSON(w, e.code, e.msg) }

// Reject responds with an error of the API.
func Reject(code int, msg string) fault.Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) { writeJSON(w, code, msg) }
}

// RejectAddress responds as the limiter in front of the API does, without an errcode.
func RejectAddress(w http.ResponseWriter, _ *http.Request, _ func()) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"00000000000000000000000000000000"}`)
}

func writeJSON(w http.ResponseWriter, code int, msg string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"errcode": code, "errmsg": msg})
}

// Package feishu is Feishu's custom robots on one machine, for development and tests.
// It is as strict as the vendor's: unknown tokens, wrong or old signatures, missing
// keywords, untrusted addresses, more than 5 messages a second or 100 a minute, bodies
// above 20 KB, and cards that are invalid or mention unknown people are rejected with
// the vendor's codes. It takes the types text and interactive.
package feishu

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/mailbox"
)

const (
	// Path is the path of every robot, without its token at the end.
	Path = "/open-apis/bot/v2/hook/"
	// PerSecond and PerMinute are how many requests a robot may make.
	PerSecond, PerMinute = 5, 100
	// MaxBody is how many bytes a request may have.
	MaxBody = 20 << 10
	// MaxClockSkew is how far a signature's time may be from the server's.
	MaxClockSkew = time.Hour
)

// Robot has the settings of a custom robot. All security settings are optional.
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
	// MentionAll reports whether the group lets robots mention everybody.
	MentionAll bool
}

// Message is one message that a group has received.
type Message struct {
	Token string
	// Type is text or interactive.
	Type string
	// Title and Color are those of a card's header.
	Title, Color string
	// Content is the text, or the markdown of a card's elements, one below the
	// other, with its markup.
	Content string
	// Mentions are the open_ids of the mentioned people, and all for everybody.
	Mentions []string
	At       time.Time
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

type robot struct {
	Robot
	requests []time.Time // within the last minute
}

// New returns a server without robots. now is its clock.
func New(now func() time.Time) *Server {
	return &Server{now: now, robots: map[string]*robot{}}
}

// Add adds a robot. Its address is Path and its token.
func (s *Server) Add(r Robot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.robots[r.Token] = &robot{Robot: r}
}

// Remove removes a robot from its group: its token becomes unknown.
func (s *Server) Remove(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.robots, token)
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.URL.Path, Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	serve := func() {
		if bad := s.accept(r, token); bad != nil {
			bad.write(w)
			return
		}
		success(w)
	}
	s.Handle(w, r, serve)
}

// accept checks a request and delivers its message.
func (s *Server) accept(r *http.Request, token string) *apiError {
	settings, now, bad := s.check(r, token)
	if bad != nil {
		return bad
	}
	message, bad := parse(r, settings, now)
	if bad != nil {
		return bad
	}
	message.Token, message.At = token, now
	s.Deliver(*message)
	return nil
}

// check checks a request without its body, and counts it.
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

// apiError is an error of the API.
type apiError struct {
	status, code int
	msg          string
}

// The errors are from open.feishu.cn/document/client-docs/bot-v3/add-custom-bot and
// from reports of others. 9499 stands for two errors. Which of tooMany and limited
// belongs to which of the two limits is not documented.
var (
	badRequest       = &apiError{400, 9499, "Bad Request"}
	tooMany          = &apiError{400, 9499, "too many request"}
	limited          = &apiError{200, 11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]"}
	unknownToken     = &apiError{200, 19001, "param invalid: incoming webhook access token invalid"}
	badParameters    = &apiError{200, 19002, "params error, msg_type need"}
	badSignature     = &apiError{200, 19021, "sign match fail or timestamp is not within one hour from current time"}
	untrustedAddress = &apiError{200, 19022, "Ip Not Allowed"}
	noKeyword        = &apiError{200, 19024, "Key Words Not Found"}
	tooLarge         = &apiError{200, 19036, "the request body exceeds the size limit of 30KB"}
	tooManyTables    = &apiError{200, 11310, "ErrCode: 11310; ErrMsg: card table number over limit; "}
)

// badCard returns the error of a card, with the reason as its inner code.
func badCard(inner int, why string) *apiError {
	return &apiError{200, 11246, fmt.Sprintf("ErrCode: %d; ErrMsg: %s; ", inner, why)}
}

func unparsable() *apiError { return badCard(200621, "parse card json err") }

// Reject responds with an error of the API, most of which have status 200.
func Reject(status, code int, msg string) fault.Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) { (&apiError{status, code, msg}).write(w) }
}

func (e *apiError) write(w http.ResponseWriter) {
	msg, _ := json.Marshal(e.msg) // a string always encodes
	writeJSON(w, e.status, fmt.Sprintf(`{"code":%d,"msg":%s,"data":{}}`, e.code, msg))
}

func success(w http.ResponseWriter) {
	writeJSON(w, http.StatusOK, `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`)
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

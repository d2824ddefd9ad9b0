package dingtalk

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// Fault is something that goes wrong with the next requests.
type Fault struct {
	// Times is how many requests it befalls; 0 means one.
	Times int
	// Do answers instead of the server; next is the server's own answer.
	Do func(w http.ResponseWriter, r *http.Request, next func())
}

// Fail lets a fault befall the next requests, after those that already wait.
func (s *Server) Fail(f Fault) {
	f.Times = max(f.Times, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// nextFault counts a request and returns what befalls it, nil for nothing.
func (s *Server) nextFault() func(http.ResponseWriter, *http.Request, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if len(s.faults) == 0 {
		return nil
	}
	f := &s.faults[0]
	do := f.Do
	if f.Times--; f.Times == 0 {
		s.faults = s.faults[1:]
	}
	return do
}

// Refuse answers with an error of the API.
func Refuse(code int, msg string) func(http.ResponseWriter, *http.Request, func()) {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) { writeJSON(w, code, msg) }
}

// Deny answers as the limiter in front of the API does, which has no errcode.
func Deny(w http.ResponseWriter, _ *http.Request, _ func()) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, `{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"00000000000000000000000000000000"}`)
}

// Answer answers with any text, such as the HTML page of a proxy.
func Answer(status int, contentType, body string) func(http.ResponseWriter, *http.Request, func()) {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// Hang takes the message but answers nothing until the client has gone away.
func Hang(_ http.ResponseWriter, r *http.Request, _ func()) {
	// net/http notices that a client has gone only once the body is read.
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// Slow answers as usual, but late.
func Slow(by time.Duration) func(http.ResponseWriter, *http.Request, func()) {
	return func(_ http.ResponseWriter, r *http.Request, next func()) {
		select {
		case <-time.After(by):
			next()
		case <-r.Context().Done():
		}
	}
}

// Half sends the first half of an answer and closes the connection.
func Half(w http.ResponseWriter, _ *http.Request, _ func()) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "27")
	fmt.Fprint(w, `{"errcode":0,"er`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

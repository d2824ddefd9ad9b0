package feishu

import (
	"fmt"
	"io"
	"net/http"
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

// Pass lets a request through, so that a later fault befalls a later one.
func Pass(_ http.ResponseWriter, _ *http.Request, next func()) { next() }

// Refuse answers with an error of the API, most of which come with status 200.
func Refuse(status, code int, msg string) func(http.ResponseWriter, *http.Request, func()) {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) { (&refusal{status, code, msg}).write(w) }
}

// Answer answers with any text, such as the HTML page of a proxy, and with the
// headers given as pairs of name and value.
func Answer(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request, func()) {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
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

// Half sends the first half of an answer and closes the connection.
func Half(w http.ResponseWriter, _ *http.Request, _ func()) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", "42")
	fmt.Fprint(w, `{"code":0,"dat`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

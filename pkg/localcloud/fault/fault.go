// Package fault injects faults into the responses of the local cloud's servers.
package fault

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// Handler responds to a request instead of the server; next makes the server's own
// response.
type Handler func(w http.ResponseWriter, r *http.Request, next func())

// Queue counts a server's requests and holds the faults of the next ones. The zero
// Queue has none. It is safe for concurrent use.
type Queue struct {
	mu      sync.Mutex
	pending []Handler // one per request
	calls   int
}

// Inject applies a fault to the next requests, after the faults that are already
// queued.
func (q *Queue) Inject(times int, fault Handler) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending = append(q.pending, slices.Repeat([]Handler{fault}, times)...)
}

// Calls returns the number of requests, with or without a fault.
func (q *Queue) Calls() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls
}

// Handle counts a request and responds to it by the next fault, or else by own, the
// server's own response.
func (q *Queue) Handle(w http.ResponseWriter, r *http.Request, own func()) {
	if fault := q.next(); fault != nil {
		fault(w, r, own)
		return
	}
	own()
}

func (q *Queue) next() Handler {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls++
	if len(q.pending) == 0 {
		return nil
	}
	fault := q.pending[0]
	q.pending = q.pending[1:]
	return fault
}

// Pass is no fault: it leaves a request to the server, so that the next fault in the
// queue applies to the one after it.
func Pass(_ http.ResponseWriter, _ *http.Request, next func()) { next() }

// Respond responds with a text, such as the HTML page of a proxy, and with headers
// given as pairs of name and value.
func Respond(status int, contentType, body string, headers ...string) Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// Hang reads the request and does not respond until the client has disconnected.
func Hang(_ http.ResponseWriter, r *http.Request, _ func()) {
	// net/http detects a disconnect only after the body was read.
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler) // a return would send a response, which a client could still read
}

// DropAfterAccept lets the server accept the message, and closes the connection
// without a response.
func DropAfterAccept(_ http.ResponseWriter, _ *http.Request, next func()) {
	next()
	panic(http.ErrAbortHandler)
}

// Truncate sends the first half of a JSON response and closes the connection.
func Truncate(response string) Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(response)))
		fmt.Fprint(w, response[:len(response)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

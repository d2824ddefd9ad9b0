// Package webhook is somebody's server that takes webhooks, on one machine, for
// development and tests. It checks what a careful receiver checks: the method,
// the media type, that the body is JSON, and, once it has a secret, the
// signature, age and id by the Standard Webhooks specification. A message that
// it has had already is acknowledged and not delivered again.
package webhook

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/mailbox"
)

// maxBody is the longest body that is taken, in bytes.
const maxBody = 4 << 20

// Message is one body that was accepted.
type Message struct {
	Path   string
	Header http.Header
	Body   []byte
	At     time.Time
}

// Server takes requests on any path. It is an http.Handler, safe for concurrent
// use.
type Server struct {
	// What befalls the requests, and what was accepted of them.
	fault.Queue
	mailbox.Box[Message]

	now func() time.Time

	mu   sync.Mutex
	keys [][]byte // of signatures; none for no check
	seen map[string]bool
}

// New returns a server that wants no signature. now is its clock.
func New(now func() time.Time) *Server {
	return &Server{now: now, seen: map[string]bool{}}
}

// ServeHTTP takes one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Handle(w, r, func() { s.take(w, r) })
}

func (s *Server) take(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		http.Error(w, "only application/json", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "too large, or cut off", http.StatusRequestEntityTooLarge)
		return
	}

	now := s.now()
	s.mu.Lock()
	keys := s.keys
	s.mu.Unlock()
	id := ""
	if len(keys) > 0 {
		if id, err = verify(r.Header, keys, now, body); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
	}
	if !json.Valid(body) {
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
		return
	}
	m := Message{Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body, At: now}
	if s.fresh(id) {
		s.Deliver(m)
	}
	w.WriteHeader(http.StatusNoContent)
}

// fresh tells whether no message of this id has come yet; "" is none.
func (s *Server) fresh(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.seen[id]
	s.seen[id] = id != ""
	return !again
}

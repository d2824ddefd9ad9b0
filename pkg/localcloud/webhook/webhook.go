// Package webhook is a server that receives webhooks, for development and tests. It
// checks the method, the media type, that the body is JSON, and, if it has secrets, the
// signature, age and id by the Standard Webhooks specification. It responds with success
// to a message that it has accepted before, and does not deliver it again.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/mailbox"
)

const (
	// maxBody is the maximum size of a body, in bytes.
	maxBody = 4 << 20
	// maxClockSkew is how far a request's timestamp may be from the server's clock,
	// as in the reference library of Standard Webhooks.
	maxClockSkew = 5 * time.Minute
)

// Message is an accepted request.
type Message struct {
	Path   string
	Header http.Header
	Body   []byte
	At     time.Time
}

// Entry returns the message with its body as text.
func (m Message) Entry() inbox.Entry {
	return inbox.Entry{Channel: "Webhook", To: m.Path, Text: string(m.Body), HTML: inbox.Text(string(m.Body))}
}

// Server accepts requests on any path. It is an http.Handler, safe for concurrent
// use.
type Server struct {
	fault.Queue          // the faults of the next requests
	mailbox.Box[Message] // the accepted messages

	now func() time.Time

	mu   sync.Mutex
	keys [][]byte        // for signatures; none if they are not checked
	seen map[string]bool // ids of accepted messages
}

// New returns a server that requires no signature. now is its clock.
func New(now func() time.Time) *Server {
	return &Server{now: now, seen: map[string]bool{}}
}

// RequireSignature makes the server reject requests that are not signed with one of
// the secrets, each whsec_ and base64.
func (s *Server) RequireSignature(secrets ...string) error {
	var keys [][]byte
	for _, secret := range secrets {
		encoded, ok := strings.CutPrefix(secret, "whsec_")
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil {
			return errors.New("a secret is whsec_ and base64")
		}
		keys = append(keys, key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
	return nil
}

// ServeHTTP responds to a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Handle(w, r, func() { s.receive(w, r) })
}

func (s *Server) receive(w http.ResponseWriter, r *http.Request) {
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
		http.Error(w, "the body is too large or incomplete", http.StatusRequestEntityTooLarge)
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
	if s.isNew(id) {
		s.Deliver(Message{Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: body, At: now})
	}
	w.WriteHeader(http.StatusNoContent)
}

// isNew records the id of a message, and reports whether it is new. It returns true for
// "", a message without an id.
func (s *Server) isNew(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen[id]
	s.seen[id] = id != ""
	return !seen
}

// verify checks the headers of Standard Webhooks and returns the id. It compares
// signatures in constant time.
func verify(h http.Header, keys [][]byte, now time.Time, body []byte) (id string, err error) {
	id, timestamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	if id == "" || strings.Contains(id, ".") {
		return "", errors.New("webhook-id is missing or has a dot")
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return "", errors.New("webhook-timestamp is not a number")
	}
	if skew := now.Sub(time.Unix(seconds, 0)); skew > maxClockSkew || skew < -maxClockSkew {
		return "", fmt.Errorf("webhook-timestamp is %s away", skew)
	}
	for signature := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
		version, encoded, _ := strings.Cut(signature, ",")
		given, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || version != "v1" {
			continue
		}
		for _, key := range keys {
			mac := hmac.New(sha256.New, key)
			fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
			if hmac.Equal(given, mac.Sum(nil)) {
				return id, nil
			}
		}
	}
	return "", errors.New("no signature matches")
}

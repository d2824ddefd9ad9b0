package agent

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const testToken = "0123456789abcdef-agent-token"

// server is the other end: it holds the agent to the contract, and can be away.
type server struct {
	t testing.TB

	mu       sync.Mutex
	services string // of the configuration, JSON
	away     bool
	refuse   func(w http.ResponseWriter, r *http.Request) bool // answers instead
	reports  []gotReport
	asked    int // configurations given
	same     int // configurations answered with 304
	tries    int
	arrived  chan struct{}
}

// gotReport is a report as it came.
type gotReport struct {
	ClientID    string         `json:"client_id"`
	ServiceName string         `json:"service_name"`
	Data        map[string]any `json:"data"`
	At          time.Time      `json:"at"`
}

func newServer(t testing.TB, services string) *server {
	return &server{t: t, services: services, arrived: make(chan struct{}, 1<<16)}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil && s.refuse(w, r) {
		return
	}
	if got := r.Header.Get("Authorization"); got != "Bearer "+testToken {
		s.t.Errorf("%s %s: Authorization %q", r.Method, r.URL, got)
	}
	if !strings.HasPrefix(r.Header.Get("User-Agent"), "tocsin-agent/") {
		s.t.Errorf("User-Agent %q", r.Header.Get("User-Agent"))
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /agents/web-1/config":
		etag := fmt.Sprintf(`"%x"`, s.services)
		if r.Header.Get("If-None-Match") == etag {
			s.same++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		s.asked++
		w.Header().Set("ETag", etag)
		fmt.Fprintf(w, `{"services": %s}`, s.services)
	case "POST /agents/web-1/report":
		var got gotReport
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil || got.ClientID != "web-1" || got.At.IsZero() || r.Header.Get("Content-Type") != "application/json" {
			s.t.Errorf("report %+v, %v", got, err)
		}
		s.reports = append(s.reports, got)
		s.arrived <- struct{}{}
		io.WriteString(w, `{"status":"ok"}`)
	default:
		s.t.Errorf("%s %s is no path of the contract", r.Method, r.URL.Path)
	}
}

// RoundTrip brings requests to the server without a network, so that a test can
// run in virtual time.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	away := s.away
	s.tries++
	port := s.tries
	s.mu.Unlock()
	if away {
		return nil, fmt.Errorf("read tcp 127.0.0.1:%d: connection refused", port)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

func (s *server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *server) got() []gotReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]gotReport(nil), s.reports...)
}

// logs is what was logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// has tells how many lines have all of the texts.
func (l *logs) has(texts ...string) (n int) {
lines:
	for line := range strings.Lines(l.String()) {
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue lines
			}
		}
		n++
	}
	return n
}

func newLog() (*slog.Logger, *logs) {
	l := new(logs)
	return slog.New(slog.NewTextHandler(l, nil)), l
}

// newAgent returns an agent of a server without a network.
func newAgent(t *testing.T, s *server, state string) (*Agent, *logs) {
	t.Helper()
	log, l := newLog()
	a, err := New(Options{Server: "https://alerts.example.com/", ID: "web-1", Token: testToken, StateDir: state, BufferSize: minBuffer, Version: "test", Transport: s, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.lock.Close() })
	return a, l
}

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

// testServer is the server of the agents' API. It verifies each request and can be
// unreachable.
type testServer struct {
	t testing.TB

	mu             sync.Mutex
	services       string // of the configuration, JSON
	unreachable    bool
	intercept      func(w http.ResponseWriter, r *http.Request) bool // reports whether it has responded
	reports        []receivedReport
	configsSent    int
	configsCurrent int // requests for a configuration answered with 304
	requests       int
	arrived        chan struct{}
}

type receivedReport struct {
	ClientID    string         `json:"client_id"`
	ServiceName string         `json:"service_name"`
	Data        map[string]any `json:"data"`
	At          time.Time      `json:"at"`
	RunID       string         `json:"run_id"`
}

func newTestServer(t testing.TB, services string) *testServer {
	return &testServer{t: t, services: services, arrived: make(chan struct{}, 1<<16)}
}

func (s *testServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.intercept != nil && s.intercept(w, r) {
		return
	}
	if got, want := r.Header.Get("Authorization"), "Bearer "+testToken; got != want {
		s.t.Errorf("%s %s: got Authorization %q, want %q", r.Method, r.URL, got, want)
	}
	if got := r.Header.Get("User-Agent"); !strings.HasPrefix(got, "tocsin-agent/") {
		s.t.Errorf("%s %s: got User-Agent %q, want tocsin-agent/…", r.Method, r.URL, got)
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /agents/web-1/config":
		etag := fmt.Sprintf(`"%x"`, s.services)
		if r.Header.Get("If-None-Match") == etag {
			s.configsCurrent++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		s.configsSent++
		w.Header().Set("ETag", etag)
		fmt.Fprintf(w, `{"services": %s}`, s.services)
	case "POST /agents/web-1/report":
		var got receivedReport
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&got); err != nil || got.ClientID != "web-1" || got.At.IsZero() || r.Header.Get("Content-Type") != "application/json" {
			s.t.Errorf("got report %+v, %v, want a valid one of web-1 as JSON", got, err)
		}
		s.reports = append(s.reports, got)
		s.arrived <- struct{}{}
		io.WriteString(w, `{"status":"ok"}`)
	default:
		s.t.Errorf("got request %s %s, want a path of the API", r.Method, r.URL.Path)
	}
}

// RoundTrip calls the server without a network, so that a test can run in virtual
// time.
func (s *testServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	unreachable := s.unreachable
	s.requests++
	port := s.requests
	s.mu.Unlock()
	if unreachable {
		return nil, fmt.Errorf("read tcp 127.0.0.1:%d: connection refused", port)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

// update changes the server under its lock.
func (s *testServer) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *testServer) received() []receivedReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]receivedReport(nil), s.reports...)
}

// logOutput collects a log.
type logOutput struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logOutput) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logOutput) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// count returns how many lines contain all of the texts.
func (l *logOutput) count(texts ...string) (n int) {
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

// wantLine fails the test unless exactly one line contains all of the texts.
func (l *logOutput) wantLine(t testing.TB, texts ...string) {
	t.Helper()
	if n := l.count(texts...); n != 1 {
		t.Errorf("got %d log lines with %q, want 1:\n%s", n, texts, l)
	}
}

func newTestLog() (*slog.Logger, *logOutput) {
	l := new(logOutput)
	return slog.New(slog.NewTextHandler(l, nil)), l
}

// newTestAgent returns an agent that reports to s without a network.
func newTestAgent(t *testing.T, s *testServer, stateDir string) (*Agent, *logOutput) {
	t.Helper()
	log, l := newTestLog()
	a, err := New(Options{
		Server: "https://alerts.example.com/", ID: "web-1", Token: testToken, StateDir: stateDir,
		BufferSize: minBufferSize, Version: "test", Transport: s, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.lock.Close() })
	return a, l
}

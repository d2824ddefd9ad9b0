package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/app"
)

// TestServeAfterDowntime has a process in virtual time that receives an alert of four
// minutes, is down for an hour, and receives the alert again 90 s after its return.
func TestServeAfterDowntime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	synctest.Test(t, func(t *testing.T) {
		var received statusRecorder
		wait := func(d time.Duration) { <-time.After(d) }
		started := time.Now()

		s, stop := startServer(t, path, &received)
		pushAlert(t, s, started, 4*time.Minute)
		wait(time.Minute)
		received.expect(t, "firing")
		stop()
		wait(time.Hour)
		s, stop = startServer(t, path, &received)
		wait(90 * time.Second)
		pushAlert(t, s, started, 4*time.Minute)
		wait(3 * time.Minute)
		received.expect(t)
		wait(2 * time.Minute) // its source is silent
		received.expect(t, "resolved")
		stop()
	})
}

// TestServeAfterShortDowntime has a process in virtual time that is down for a shorter time
// than the one in which it records that it can receive alerts, but longer than an alert's
// lease lasts.
func TestServeAfterShortDowntime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.db")
	synctest.Test(t, func(t *testing.T) {
		var received statusRecorder
		wait := func(d time.Duration) { <-time.After(d) }
		started := time.Now()

		s, stop := startServer(t, path, &received)
		wait(2 * time.Second)
		pushAlert(t, s, started, 10*time.Second)
		wait(3 * time.Second)
		received.expect(t, "firing")
		stop()
		wait(9 * time.Second)
		s, stop = startServer(t, path, &received)
		wait(6 * time.Second) // the lease ends 21 seconds after the start
		received.expect(t)
		pushAlert(t, s, started, 10*time.Second)
		wait(9 * time.Second)
		received.expect(t)
		wait(6 * time.Second) // its source is silent
		received.expect(t, "resolved")
		stop()
	})
}

// statusRecorder is a webhook that records the status of each notification.
type statusRecorder struct {
	mu       sync.Mutex
	statuses []string
}

func (r *statusRecorder) expect(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.statuses, want) {
		t.Fatalf("notified: got %q, want %q", r.statuses, want)
	}
	r.statuses = nil
}

// dial returns a connection on which one request is answered.
func (r *statusRecorder) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		req, err := http.ReadRequest(bufio.NewReader(server))
		if err != nil {
			return
		}
		var body struct{ Status string }
		if json.NewDecoder(req.Body).Decode(&body) == nil {
			r.mu.Lock()
			r.statuses = append(r.statuses, body.Status)
			r.mu.Unlock()
		}
		fmt.Fprint(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	}()
	return client, nil
}

// startServer starts a Server on the file at path that notifies r.
func startServer(t *testing.T, path string, r *statusRecorder) (s *app.Server, stop func()) {
	t.Helper()
	text := `
dispatch: {late_after: 0s}
route: {receiver: hook, group_wait: 1s, group_interval: 4s, repeat_interval: 24h}
receivers: [{name: hook, webhook_configs: [{url: "http://hooks.example.com/"}]}]
`
	s = newServer(t.Context(), t, text, "bolt:"+path, r.dial)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Loop(ctx) }()
	return s, func() {
		cancel()
		<-ended
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// pushAlert sends an alert that ends after the lease, as Prometheus does.
func pushAlert(t *testing.T, s *app.Server, startsAt time.Time, lease time.Duration) {
	t.Helper()
	body := fmt.Sprintf(`[{"labels": {"alertname": "Down"}, "startsAt": %q, "endsAt": %q}]`,
		startsAt.Format(time.RFC3339), time.Now().Add(lease).Format(time.RFC3339))
	r := httptest.NewRequest("POST", "http://127.0.0.1:9093/api/v2/alerts", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("push: got %d %s, want 200", w.Code, w.Body)
	}
}

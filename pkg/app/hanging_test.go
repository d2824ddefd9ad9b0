package app_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/app"
)

// deliveryServer is a Server in virtual time whose receivers are webhooks named by
// their path. Receivers called hangs… accept connections and do not answer.
type deliveryServer struct {
	t      *testing.T
	server *app.Server
	cancel context.CancelFunc
	ended  chan struct{}

	vendor *memoryListener

	mu       sync.Mutex
	requests map[string][]time.Time // by path
}

// serveReceivers starts a server that routes alerts to the receiver with the name in
// their label receiver.
func serveReceivers(t *testing.T, receivers ...string) *deliveryServer {
	t.Helper()
	d := &deliveryServer{t: t, requests: map[string][]time.Time{}, ended: make(chan struct{})}
	l := &memoryListener{conns: make(chan net.Conn), done: make(chan struct{})}
	d.vendor = l
	release := make(chan struct{})
	vendor := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the end of the connection
		name := strings.TrimPrefix(r.URL.Path, "/")
		d.mu.Lock()
		d.requests[name] = append(d.requests[name], time.Now())
		d.mu.Unlock()
		if strings.HasPrefix(name, "hangs") {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	})}
	go func() { _ = vendor.Serve(l) }()
	text := "route:\n  receiver: " + receivers[0] + "\n  group_by: [alertname]\n  group_wait: 0s\n  routes:\n"
	for _, r := range receivers {
		text += fmt.Sprintf("  - {receiver: %s, matchers: [receiver=%s]}\n", r, r)
	}
	text += "receivers:\n"
	for _, r := range receivers {
		text += fmt.Sprintf("- {name: %s, webhook_configs: [{url: http://hooks.example.com/%s}]}\n", r, r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d.server = newServer(ctx, t, text, "memory:", func(context.Context, string, string) (net.Conn, error) { return l.dial(), nil })
	go func() { defer close(d.ended); d.server.Loop(ctx) }()
	d.cancel = cancel
	t.Cleanup(func() {
		cancel()
		close(release)
		<-d.ended
		if err := vendor.Close(); err != nil {
			t.Error(err)
		}
		if err := d.server.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// post sends an alert to a receiver.
func (d *deliveryServer) post(receiver, alertname string) {
	d.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:9093/api/v2/alerts",
		strings.NewReader(fmt.Sprintf(`[{"labels":{"alertname":%q,"receiver":%q}}]`, alertname, receiver)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	d.server.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		d.t.Fatalf("POST /api/v2/alerts: got %d %s, want 200", w.Code, w.Body)
	}
}

// received returns when a receiver got its requests.
func (d *deliveryServer) received(receiver string) []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]time.Time(nil), d.requests[receiver]...)
}

func TestHangingReceiversDelayNoOther(t *testing.T) {
	for _, test := range []struct {
		name    string
		hanging int
		seconds int
	}{{"one hangs", 1, 120}, {"nine hang", 9, 60}, {"forty hang", 40, 20}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				receivers := []string{"works"} // after all others in the alphabet
				for i := range test.hanging {
					receivers = append(receivers, fmt.Sprintf("hangs%d", i))
				}
				d := serveReceivers(t, receivers...)
				goroutines := runtime.NumGoroutine()
				var posted []time.Time
				for half := range 2 * test.seconds { // two new groups a second each
					for _, r := range receivers[1:] {
						d.post(r, fmt.Sprintf("A%d", half))
					}
					if half%10 == 5 {
						posted = append(posted, time.Now())
						d.post("works", fmt.Sprintf("A%d", half))
					}
					time.Sleep(500 * time.Millisecond)
				}
				// A request has a worker, an attempt, and a few goroutines for its connection.
				if conns, n := int(d.vendor.open.Load()), runtime.NumGoroutine()-goroutines; conns > test.hanging+1 || n > 10*(test.hanging+1) {
					t.Errorf("got %d connections and %d goroutines, want at most %d and ten times as many", conns, n, test.hanging+1)
				}
				got := d.received("works")
				if len(got) != len(posted) {
					t.Fatalf("got %d notifications, want %d", len(got), len(posted))
				}
				for i, at := range got {
					if took := at.Sub(posted[i]); took > time.Second {
						t.Errorf("notification %d: got it after %v, want at most 1s", i, took)
					}
				}
				for _, r := range receivers[1:] {
					if n := len(d.received(r)); n < 1 || n > 6 {
						t.Errorf("%s: got %d attempts, want one at a time", r, n)
					}
				}
			})
		})
	}
}

func TestHangingReceiverDelaysNoShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := serveReceivers(t, "works", "hangs")
		for i := range 20 {
			d.post("hangs", fmt.Sprintf("A%d", i))
		}
		time.Sleep(time.Second)
		begin := time.Now()
		d.cancel()
		<-d.ended
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("got the end after %v, want at most 5s", took)
		}
		if n := len(d.received("hangs")); n != 1 {
			t.Errorf("got %d attempts, want 1", n)
		}
	})
}

func TestReloadWhileAReceiverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := serveReceivers(t, "works", "hangs")
		for i := range 3 {
			d.post("hangs", fmt.Sprintf("A%d", i))
		}
		time.Sleep(time.Second)
		begin := time.Now()
		if err := d.server.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.post("works", "B")
		time.Sleep(time.Second)
		if got := d.received("works"); len(got) != 1 || got[0].Sub(begin) > time.Second {
			t.Errorf("after the reload: got notifications at %v, want one within 1s", got)
		}
		if n := len(d.received("hangs")); n > 2 {
			t.Errorf("got %d attempts at the receiver that hangs, want the one before the reload and one after", n)
		}
	})
}

package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"tocsin/pkg/app"
)

// TestFrozenInstance has a webhook function that is frozen between two requests, for longer
// than a gateway remembers its connections. All messages of both leave before the answer.
func TestFrozenInstance(t *testing.T) {
	var received atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { received.Add(1) }))
	defer receiver.Close()
	g := newGateway(t, receiver.Listener.Addr().String())
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	text := `
store: {url: "memory:"}
webhook: {auth: {public: true}}
route: {receiver: hook, group_by: [n], group_wait: 0s}
receivers: [{name: hook, webhook_configs: [{url: "http://` + g.addr + `/"}]}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TOCSIN_CONFIG", path)
	f, err := app.WebhookFunction(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for invocation := range 3 {
		var alerts []string
		for n := range 12 {
			alerts = append(alerts, fmt.Sprintf(`{"labels": {"alertname": "Down", "n": "%d-%d"}}`, invocation, n))
		}
		r := httptest.NewRequest("POST", "/api/v2/alerts", strings.NewReader("["+strings.Join(alerts, ",")+"]"))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatalf("got %d %s, want 200", w.Code, w.Body)
		}
		if got := received.Swap(0); got != 12 {
			t.Errorf("invocation %d: got %d messages before the answer, want 12", invocation, got)
		}
		g.forget()
	}
}

// gateway forwards connections to a server until it forgets them: what is sent on one after
// that is answered with a reset.
type gateway struct {
	addr string

	mu    sync.Mutex
	conns []*net.TCPConn
	gone  map[*net.TCPConn]bool
}

func newGateway(t *testing.T, to string) *gateway {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{addr: l.Addr().String(), gone: map[*net.TCPConn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			client := c.(*net.TCPConn)
			g.mu.Lock()
			g.conns = append(g.conns, client)
			g.mu.Unlock()
			wg.Go(func() { g.forward(client, to) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		g.mu.Lock()
		for _, c := range g.conns {
			c.Close()
		}
		g.mu.Unlock()
		wg.Wait()
	})
	return g
}

func (g *gateway) forward(client *net.TCPConn, to string) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go io.Copy(client, server)
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		g.mu.Lock()
		gone := g.gone[client]
		g.mu.Unlock()
		if gone {
			_ = client.SetLinger(0) // closing it sends a reset
			return
		}
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
	}
}

// forget makes the gateway forget all connections.
func (g *gateway) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		g.gone[c] = true
	}
}

package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/app"
)

const (
	openServer = "route: {receiver: ops}\nreceivers: [{name: ops}]\n"
	withToken  = openServer + "webhook: {auth: {tokens: [{name: prometheus, token: 0123456789abcdef}]}}\n"
)

// memoryListener is a listener without a network, for virtual time.
type memoryListener struct {
	conns chan net.Conn
	done  chan struct{}
	open  atomic.Int64 // the server's connections
}

// countedConn is the server's end of a connection.
type countedConn struct {
	net.Conn
	listener *memoryListener
	closed   atomic.Bool
}

func (c *countedConn) Close() error {
	if !c.closed.Swap(true) {
		c.listener.open.Add(-1)
	}
	return c.Conn.Close()
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error   { close(l.done); return nil }
func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9093} }

func (l *memoryListener) dial() net.Conn {
	client, server := net.Pipe()
	l.open.Add(1)
	l.conns <- &countedConn{Conn: server, listener: l}
	return client
}

// serveInMemory runs a Server with virtual time until the test ends.
func serveInMemory(t *testing.T, text string) *memoryListener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(ctx, t, text, "memory:", nil)
	l := &memoryListener{conns: make(chan net.Conn), done: make(chan struct{})}
	ended := make(chan error)
	go func() { ended <- s.Run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stop: got error %v, want none", err)
		}
	})
	return l
}

// response reads the response from a connection, whose status is 0 if the server
// closes it without one.
func response(t *testing.T, c net.Conn) (status int, header http.Header) {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r.Body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, r.Header
}

// untilClosed returns how long it takes the server to close a connection, at most an hour.
func untilClosed(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	begin := time.Now()
	_ = c.SetReadDeadline(begin.Add(time.Hour))
	if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return time.Since(begin)
}

// postHead is the head of a POST of alerts whose body has 1,000 bytes.
const postHead = "POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1:9093\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"

func TestConnectionsEnd(t *testing.T) {
	t.Run("without a request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := serveInMemory(t, openServer).dial()
			if got := untilClosed(t, c); got > 10*time.Second {
				t.Errorf("closed after %v, want at most 10s", got)
			}
		})
	})
	t.Run("idle after a request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := serveInMemory(t, openServer).dial()
			fmt.Fprint(c, "GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1:9093\r\n\r\n")
			if got := untilClosed(t, c); got < time.Minute || got > 5*time.Minute {
				t.Errorf("closed after %v, want 1m to 5m: Prometheus sends every minute", got)
			}
		})
	})
	t.Run("a body that never ends, without a token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := serveInMemory(t, withToken).dial()
			fmt.Fprint(c, postHead+"[")
			begin := time.Now()
			if status, _ := response(t, c); status != 401 || time.Since(begin) != 0 {
				t.Errorf("got %d after %v, want 401 at once", status, time.Since(begin))
			}
			if got := untilClosed(t, c); got > time.Second {
				t.Errorf("closed after %v, want at once", got)
			}
		})
	})
	t.Run("a body that never ends, on an open server", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := serveInMemory(t, openServer).dial()
			sent := make(chan struct{})
			defer func() { <-sent }()
			go func() {
				defer close(sent)
				for _, err := io.WriteString(c, postHead); err == nil; _, err = io.WriteString(c, " ") {
					time.Sleep(time.Second)
				}
			}()
			begin := time.Now()
			if status, _ := response(t, c); status != 408 || time.Since(begin) > 30*time.Second {
				t.Errorf("got %d after %v, want 408 within 30s", status, time.Since(begin))
			}
			if got := untilClosed(t, c); got > time.Second {
				t.Errorf("closed after %v, want at once", got)
			}
		})
	})
	t.Run("a response that is not read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := serveInMemory(t, openServer)
			fmt.Fprint(l.dial(), "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9093\r\n\r\n")
			time.Sleep(2 * time.Minute)
			if got := l.open.Load(); got != 0 {
				t.Errorf("got %d open connections after 2m, want none", got)
			}
		})
	})
}

// A body that was sent completely keeps the connection, with whatever response.
func TestConnectionIsKeptAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serveInMemory(t, withToken).dial()
		r := bufio.NewReader(c)
		for range 2 {
			fmt.Fprint(c, strings.Replace(postHead, "1000", "2", 1)+"[]")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 401 || resp.Close {
				t.Errorf("got %d, close %v, error %v; want 401 and the connection kept", resp.StatusCode, resp.Close, err)
			}
		}
		c.Close()
	})
}

// newLimitedServer serves h on memory with at most limit connections until the test ends.
func newLimitedServer(t *testing.T, limit int, h http.HandlerFunc) *memoryListener {
	l := &memoryListener{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := app.NewLimitedServer(h, limit)
	go srv.Serve(l)
	t.Cleanup(func() { _ = srv.Close() })
	return l
}

func TestIdleConnectionsGiveWay(t *testing.T) {
	const limit, request = 100, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, sent := range map[string]string{"without a request": "", "with half a header": request[:10], "after a request": request} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimitedServer(t, limit, func(http.ResponseWriter, *http.Request) {})
				used := l.dial() // stays in use
				for range 10 * limit {
					c := l.dial()
					go func() { _, _ = io.Copy(io.Discard, c) }()
					_, _ = io.WriteString(c, sent)
					fmt.Fprint(used, request)
					if status, _ := response(t, used); status != 200 {
						t.Fatalf("the connection in use: got %d, want 200", status)
					}
				}
				synctest.Wait()
				if got := l.open.Load(); got > limit {
					t.Errorf("got %d open connections, want at most %d", got, limit)
				}
			})
		})
	}
}

// Requests beyond the limit are refused at once, and accepted again afterwards.
func TestRequestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 100
		release := make(chan struct{})
		l := newLimitedServer(t, limit, func(http.ResponseWriter, *http.Request) { <-release })
		statuses := make(chan int, 2*limit)
		request := func() {
			c := l.dial()
			defer c.Close()
			fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			status, header := response(t, c)
			if status == 503 && (header.Get("Retry-After") == "" || header.Get("Content-Type") != "application/json") {
				t.Errorf("got 503 with %v, want Retry-After and JSON", header)
			}
			statuses <- status
		}
		for range 2 * limit {
			go request()
			synctest.Wait()
		}
		refused := len(statuses)
		for range refused {
			if status := <-statuses; status != 503 {
				t.Errorf("got %d while the limit is reached, want 503", status)
			}
		}
		close(release)
		for range 2*limit - refused {
			if status := <-statuses; status != 200 {
				t.Errorf("a request within the limit: got %d, want 200", status)
			}
		}
		if accepted := 2*limit - refused; accepted < limit/2 || accepted >= limit {
			t.Errorf("accepted %d requests at once, want at least %d and less than the connections, %d", accepted, limit/2, limit)
		}
		request()
		if status := <-statuses; status != 200 {
			t.Errorf("a request after the others: got %d, want 200", status)
		}
	})
}

// An open server on loopback does not answer a page whose name was rebound to it.
func TestServerRefusesOtherHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := serveInMemory(t, openServer+"global: {external_url: \"https://alerts.example.com/tocsin\"}\n")
		for host, want := range map[string]int{"127.0.0.1:9093": 200, "alerts.example.com": 200, "evil.example:9093": 403} {
			c := l.dial()
			fmt.Fprintf(c, "GET /api/v2/silences HTTP/1.1\r\nHost: %s\r\n\r\n", host)
			if status, _ := response(t, c); status != want {
				t.Errorf("Host %s: got %d, want %d", host, status, want)
			}
			c.Close()
		}
	})
}

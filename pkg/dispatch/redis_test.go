package dispatch_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"tocsin/pkg/store"
	"tocsin/pkg/store/redis"
	"tocsin/pkg/store/redis/redistest"
	"tocsin/pkg/store/storetest"
)

func openRedis(t *testing.T, url string) store.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// disturbed is a store that something happens to at one operation: before it, or
// after it so that its result is lost.
type disturbed struct {
	store.Store
	after  bool
	happen func()

	mu   sync.Mutex
	left int // operations before it
}

func disturb(s store.Store, operation int, after bool, happen func()) *disturbed {
	d := &disturbed{left: operation, after: after, happen: happen}
	d.Store = storetest.Intercept(s, func(_ context.Context, _ storetest.Op, do func() error) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.left--
		if d.left == -1 && !d.after {
			d.happen()
		}
		err := do()
		if d.left == -1 && d.after {
			d.happen()
			return errKilled
		}
		return err
	})
	return d
}

// happened reports whether the operation was reached.
func (d *disturbed) happened() bool { return d.left < 0 }

// TestRedisServerRestarts kills the server before and after each operation in turn
// and starts it again.
func TestRedisServerRestarts(t *testing.T) {
	server := redistest.Start(t)
	first, second := openRedis(t, server.URL()), openRedis(t, server.URL())
	for _, after := range []bool{false, true} {
		for operation := 0; ; operation++ {
			server.MustCommand("FLUSHALL")
			down := false
			d := disturb(first, operation, after, func() { down = true; server.Kill() })
			fault := outageTest{d, second, func() {
				if down {
					server.Restart()
					down = false
				}
			}}.run(t)
			if fault != "" {
				t.Fatalf("killed at operation %d (after it: %v): %s", operation, after, fault)
			}
			if !d.happened() {
				if operation < 10 {
					t.Errorf("got %d operations, want at least 10 for this test to mean something", operation)
				}
				break
			}
		}
	}
}

// proxy is a TCP proxy to a server that can refuse connections, or accept them and
// forward nothing.
type proxy struct {
	server, addr string

	mu       sync.Mutex
	listener net.Listener
	silent   bool
	conns    []net.Conn
	running  sync.WaitGroup
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	p := &proxy{server: server, listener: listen(t, "127.0.0.1:0")}
	p.addr = p.listener.Addr().String()
	p.running.Go(func() { p.serve(p.listener) })
	t.Cleanup(func() {
		p.refuse()
		p.running.Wait()
	})
	return p
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (p *proxy) serve(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.running.Go(func() { p.copy(server, client) })
		p.running.Go(func() { p.copy(client, server) })
	}
}

func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		p.mu.Lock()
		silent := p.silent
		p.mu.Unlock()
		if err != nil {
			return
		}
		if silent {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// refuse closes all connections and the port.
func (p *proxy) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener.Close()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// hang forwards nothing any more.
func (p *proxy) hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = true
}

// repair closes all connections and accepts new ones.
func (p *proxy) repair(t *testing.T) {
	p.refuse()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = false
	p.listener = listen(t, p.addr)
	l := p.listener
	p.running.Go(func() { p.serve(l) })
}

// TestRedisConnectionFails cuts the connection to the server before each operation
// in turn, and repairs it.
func TestRedisConnectionFails(t *testing.T) {
	server := redistest.Start(t)
	second := openRedis(t, server.URL())
	p := newProxy(t, server.Addr)
	first := openRedis(t, "redis://"+p.addr)
	run := func(operation int, cut func()) (happened bool) {
		server.MustCommand("FLUSHALL")
		d := disturb(first, operation, false, cut)
		if fault := (outageTest{d, second, func() { p.repair(t) }}).run(t); fault != "" {
			t.Fatalf("cut at operation %d: %s", operation, fault)
		}
		return d.happened()
	}
	t.Run("refused", func(t *testing.T) {
		for operation := 0; run(operation, p.refuse); operation++ {
		}
	})
	t.Run("hung", func(t *testing.T) {
		for _, operation := range []int{0, 5} { // each costs the second that a caller waits
			run(operation, p.hang)
		}
	})
}

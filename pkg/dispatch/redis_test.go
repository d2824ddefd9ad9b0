package dispatch_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/dispatch"
	"tocsin/pkg/store"
	"tocsin/pkg/store/redis"
)

// redisServer is a real redis-server that loses nothing when it is killed.
type redisServer struct {
	t         *testing.T
	dir, addr string
	cmd       *exec.Cmd
	exited    chan struct{}
}

func newRedis(t *testing.T) *redisServer {
	t.Helper()
	// The port is free a moment later, too.
	l := listen(t, "127.0.0.1:0")
	s := &redisServer{t: t, dir: t.TempDir(), addr: l.Addr().String()}
	l.Close()
	s.start()
	t.Cleanup(s.kill)
	return s
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// start returns when the server answers.
func (s *redisServer) start() {
	s.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("this test needs redis-server: run ./scripts/test, which installs it, or apt-get install redis-server")
	}
	_, port, _ := net.SplitHostPort(s.addr)
	s.cmd = exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always")
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan struct{})
	s.exited = exited
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // it is killed
		close(exited)
	}(s.cmd)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !strings.HasPrefix(s.ask("PING"), "+PONG") {
		select {
		case <-exited:
			s.t.Fatalf("redis-server ended at once: see %s", filepath.Join(s.dir, "log"))
		case <-tick.C:
		}
	}
}

// kill kills the server as a crash would.
func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill() // or it is gone already
	<-s.exited
}

// ask sends a command beside the stores and returns the first line of the answer.
func (s *redisServer) ask(command string) string {
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if _, err := io.WriteString(c, command+"\r\n"); err != nil {
		return err.Error()
	}
	b := make([]byte, 100)
	n, _ := c.Read(b)
	return string(b[:n])
}

func (s *redisServer) empty() {
	s.t.Helper()
	if answer := s.ask("FLUSHALL"); !strings.HasPrefix(answer, "+OK") {
		s.t.Fatalf("empty the server: %s", answer)
	}
}

func (s *redisServer) open() store.Store { return openRedis(s.t, s.addr) }

func openRedis(t *testing.T, addr string) store.Store {
	t.Helper()
	st, err := redis.Open(t.Context(), "redis://"+addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// trouble is a store in front of which something happens at one operation, or
// right after it.
type trouble struct {
	store.Store
	mu     sync.Mutex // held by the operation that goes on
	left   int
	after  bool
	happen func()
}

func (s *trouble) around(op func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left--
	if s.left == -1 && !s.after {
		s.happen()
	}
	err := op()
	if s.left == -1 && s.after {
		s.happen()
		return errKilled // the answer does not arrive
	}
	return err
}

func (s *trouble) Get(ctx context.Context, keys ...string) (items []store.Item, err error) {
	err = s.around(func() error { items, err = s.Store.Get(ctx, keys...); return err })
	return items, err
}

func (s *trouble) List(ctx context.Context, prefix, after string, limit int) (items []store.Item, err error) {
	err = s.around(func() error { items, err = s.Store.List(ctx, prefix, after, limit); return err })
	return items, err
}

func (s *trouble) Due(ctx context.Context, kind string, now time.Time, limit int) (items []store.Item, err error) {
	err = s.around(func() error { items, err = s.Store.Due(ctx, kind, now, limit); return err })
	return items, err
}

func (s *trouble) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	return s.around(func() error { return s.Store.Commit(ctx, now, changes...) })
}

// The server is killed at every operation in turn, before it or right after it,
// and started again. Two engines go on with it.
func TestRedisRestarts(t *testing.T) {
	server := newRedis(t)
	first, second := server.open(), server.open()
	for _, after := range []bool{false, true} {
		for ops := 0; ; ops++ {
			server.empty()
			down := false
			s := &trouble{Store: first, left: ops, after: after, happen: func() { down = true; server.kill() }}
			wrong := survives(t, s, second, func() {
				if down {
					server.start()
					down = false
				}
			})
			if wrong != "" {
				t.Fatalf("killed at operation %d (after it: %v): %s", ops, after, wrong)
			}
			if s.left >= 0 {
				if ops < 10 {
					t.Errorf("only %d operations", ops)
				}
				break
			}
		}
	}
}

// survives has two engines take in and say three alerts, while something happens
// to the first one's store. mend is called when an engine has met with an error.
// It tells what is wrong with what was said, "" if nothing.
func survives(t *testing.T, first, second store.Store, mend func()) string {
	c := &channel{}
	r := byTopic()
	w := newWorld(t, r, oneReceiver(c))
	w.store = first
	w.restart(r)
	a := w.engine
	w.store = second
	w.restart(r)
	b := w.engine
	faults := 0
	// try calls until the store is there again, in the time that a caller has.
	try := func(call func(ctx context.Context) error) {
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := call(ctx)
			cancel()
			if err == nil {
				return
			}
			if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("an error of another kind: %v", err)
			}
			if faults++; faults > 20 {
				t.Fatalf("the store does not come back: %v", err)
			}
			mend()
		}
	}
	topics := []string{"x", "y", "z"}
	for i, e := range []*dispatch.Engine{a, b, a} {
		now := at(float64(60 * i))
		try(func(ctx context.Context) error { return e.Ingest(ctx, now, lagAlerts(now, false, topics[i])) })
		// A tick that fails is not called again: the next one does its work.
		try(func(ctx context.Context) error { _, err := e.Tick(ctx, now); return err })
	}
	for i, e := range []*dispatch.Engine{b, a, b} {
		now := at(float64(600 * (i + 1))) // leases have run out
		try(func(ctx context.Context) error { _, err := e.Tick(ctx, now); return err })
	}
	said := c.heard()
	for _, topic := range topics {
		if n := count(said, "first notification:"+topic+";"); n < 1 || n > 2 || faults == 0 && n != 1 {
			return topic + " was not said once, or twice: " + strings.Join(said, " ")
		}
	}
	if len(said) > len(topics)+1 {
		return "more than what was in flight was said twice: " + strings.Join(said, " ")
	}
	return ""
}

// gateway is a way to a server that can be cut: connections are refused, or
// accepted and never answered.
type gateway struct {
	to, addr string

	mu     sync.Mutex
	l      net.Listener
	silent bool
	conns  []net.Conn
	done   sync.WaitGroup
}

func newGateway(t *testing.T, to string) *gateway {
	g := &gateway{to: to, l: listen(t, "127.0.0.1:0")}
	g.addr = g.l.Addr().String()
	g.done.Go(func() { g.serve(g.l) })
	t.Cleanup(func() {
		g.refuse()
		g.done.Wait()
	})
	return g
}

func (g *gateway) serve(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", g.to)
		if err != nil {
			in.Close()
			continue
		}
		g.mu.Lock()
		g.conns = append(g.conns, in, out)
		g.mu.Unlock()
		g.done.Go(func() { g.copy(out, in) })
		g.done.Go(func() { g.copy(in, out) })
	}
}

func (g *gateway) copy(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		g.mu.Lock()
		silent := g.silent
		g.mu.Unlock()
		if err != nil {
			return
		}
		if silent {
			continue // what was said is lost, and nobody is told
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

// refuse closes all connections and takes no more.
func (g *gateway) refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.l.Close()
	for _, c := range g.conns {
		c.Close()
	}
	g.conns = nil
}

func (g *gateway) hang() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silent = true
}

// mend makes the way free again.
func (g *gateway) mend(t *testing.T) {
	g.refuse()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.silent = false
	g.l = listen(t, g.addr)
	l := g.l
	g.done.Go(func() { g.serve(l) })
}

// The way to the server is cut in front of every operation in turn, and mended.
func TestRedisCutOff(t *testing.T) {
	server := newRedis(t)
	second := server.open()
	gate := newGateway(t, server.addr)
	first := openRedis(t, gate.addr)
	survive := func(ops int, cut func()) (reached bool) {
		server.empty()
		s := &trouble{Store: first, left: ops, happen: cut}
		if wrong := survives(t, s, second, func() { gate.mend(t) }); wrong != "" {
			t.Fatalf("cut at operation %d: %s", ops, wrong)
		}
		return s.left < 0
	}
	t.Run("refused", func(t *testing.T) {
		for ops := 0; survive(ops, gate.refuse); ops++ {
		}
	})
	t.Run("hung", func(t *testing.T) {
		// Each costs the second that the caller has.
		for _, ops := range []int{0, 5} {
			survive(ops, gate.hang)
		}
	})
}

package redis

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/redis/redistest"
)

// proxy forwards connections of a store to its server and can drop replies.
type proxy struct {
	addr string
	to   atomic.Value // the address that new connections lead to
	// dropReplies is how many replies to drop, each with its connection.
	dropReplies atomic.Int32
	// holdReplies drops every reply and keeps the connections.
	holdReplies atomic.Bool
	// replace is sent instead of the next reply; empty sends the reply.
	replace atomic.Value
	wg      sync.WaitGroup
}

// newProxy starts a proxy from a port to an address.
func newProxy(t *testing.T, port, to string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: listener.Addr().String()}
	p.to.Store(to)
	p.replace.Store("")
	p.wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.forward(client) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.wg.Wait()
	})
	return p
}

// forward forwards one connection until either end closes it.
func (p *proxy) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to.Load().(string))
	if err != nil {
		return
	}
	p.wg.Go(func() {
		defer server.Close()
		io.Copy(server, client)
	})
	reply := make([]byte, 64<<10)
	for {
		n, err := server.Read(reply)
		if err != nil || p.dropReplies.Add(-1) >= 0 {
			return
		}
		p.dropReplies.Store(0)
		if p.holdReplies.Load() {
			continue
		}
		sent := reply[:n]
		if other := p.replace.Swap("").(string); other != "" {
			sent = []byte(other)
		}
		if _, err := client.Write(sent); err != nil {
			return
		}
	}
}

// TestLostReply: a read whose reply is lost is repeated; a commit is not, because it may
// have been applied.
func TestLostReply(t *testing.T) {
	t.Parallel()
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		testLostReply(t, newProxy(t, "0", newServer(t).Addr))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		port := redistest.FreePort(t)
		node, _ := newNode(t, "--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", port)
		node.MustCommand("CLUSTER ADDSLOTSRANGE 0 16383")
		node.waitForCluster()
		testLostReply(t, newProxy(t, port, node.Addr))
	})
}

func testLostReply(t *testing.T, p *proxy) {
	s, err := Open(t.Context(), "redis://"+p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustCommit(t, s, set("a/1", "one"))
	read := mustGet(t, s, "a/1")

	p.dropReplies.Store(1)
	err = s.Commit(t.Context(), noon, store.Change{Key: "a/1", Value: []byte("two"), If: store.Unchanged(read)})
	if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v from a commit whose reply is lost, want ErrUnavailable", err)
	}
	if it := mustGet(t, s, "a/1"); string(it.Value) != "two" || it.Version == read.Version {
		t.Errorf("got %q, version %d from the next read, want the commit applied", it.Value, it.Version)
	}
	for name, call := range storeCalls(s) {
		if name == "Commit" {
			continue
		}
		p.dropReplies.Store(1)
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: got %v after one lost reply, want no error", name, err)
		}
		if p.dropReplies.Load() > 0 {
			t.Errorf("%s: got no lost reply, want one", name)
		}
	}
}

// TestServerHangs: a call to a server that does not reply ends with its context.
func TestServerHangs(t *testing.T) {
	p := newProxy(t, "0", newServer(t).Addr)
	s, err := Open(t.Context(), "redis://"+p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p.holdReplies.Store(true)
	for name, call := range storeCalls(s) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begin := time.Now()
		err := call(ctx)
		if took := time.Since(begin); took > 3*time.Second { // without a deadline it is 5 s
			t.Errorf("%s: got a return after %v, want one soon after 100ms", name, took)
		}
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
		cancel()
	}
	p.holdReplies.Store(false)
	for name, call := range storeCalls(s) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: got %v when the server replies again, want no error", name, err)
		}
	}
}

// TestOpenHangs: Open of a server that does not reply ends with its context, with advice.
func TestOpenHangs(t *testing.T) {
	p := newProxy(t, "0", newServer(t).Addr)
	p.holdReplies.Store(true)
	for _, url := range []string{"redis://" + p.addr, "redis://:password@" + p.addr} {
		t.Run(url, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			begin := time.Now()
			s, err := Open(ctx, url)
			if took := time.Since(begin); took > 3*time.Second { // without a deadline it is 10 s
				t.Errorf("got a return after %v, want one soon after 100ms", took)
			}
			if s != nil || !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "in its network (VPC)") {
				t.Errorf("got %v, want ErrUnavailable with advice", err)
			}
		})
	}
}

func TestServerDown(t *testing.T) {
	server := newServer(t)
	server.Kill()
	s, err := Open(t.Context(), server.URL())
	if s != nil || !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("got %v, %v, want ErrUnavailable", s, err)
	}
	for _, want := range []string{server.URL() + "/0: open: ", "connection refused", "check that Redis is running"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
}

// TestFailover has a name that leads new connections to another server after a failover,
// while those to the former primary stay.
func TestFailover(t *testing.T) {
	replica := func(t *testing.T, s *server) {
		s.MustCommand("CONFIG SET replica-serve-stale-data no")
		s.MustCommand("REPLICAOF 127.0.0.1 1") // nobody is there
	}
	for name, test := range map[string]struct {
		demote func(t *testing.T, s *server)
		calls  []string
	}{
		"READONLY":   {func(_ *testing.T, s *server) { s.MustCommand("REPLICAOF 127.0.0.1 1") }, []string{"Commit"}},
		"MASTERDOWN": {replica, []string{"Get", "List", "Due", "NextDue", "Commit"}},
	} {
		for _, call := range test.calls {
			t.Run(call+" after "+name, func(t *testing.T) {
				former, next := newServer(t), newServer(t)
				p := newProxy(t, "0", former.Addr)
				s, err := Open(t.Context(), "redis://"+p.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				mustCommit(t, s, set("a/1", "x"))
				test.demote(t, former)
				if err := storeCalls(s)[call](t.Context()); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "let the url name the primary") {
					t.Errorf("before the name follows: got %v, want ErrUnavailable with advice", err)
				}
				_, _ = s.Get(t.Context(), "a/1") // leaves a connection to the former primary
				p.to.Store(next.Addr)
				for range 2 {
					if err := storeCalls(s)[call](t.Context()); err != nil {
						t.Fatalf("after the name follows: got %v, want no error", err)
					}
				}
			})
		}
	}
}

// TestLoading has a server that loads its data when the connection is made, and does not
// any more when the next one is.
func TestLoading(t *testing.T) {
	p := newProxy(t, "0", newServer(t).Addr)
	s, err := Open(t.Context(), "redis://"+p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, call := range storeCalls(s) {
		p.replace.Store("-LOADING Redis is loading the dataset in memory\r\n")
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: got %v, want no error", name, err)
		}
	}
}

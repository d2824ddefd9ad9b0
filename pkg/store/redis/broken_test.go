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
)

// wire stands between a store and its server and can lose answers.
type proxy struct {
	addr, to string
	// lose is how many answers are to be lost, each with its connection.
	dropReplies atomic.Int32
	// silent keeps back every answer.
	holdReplies atomic.Bool
	wg     sync.WaitGroup
}

// newWire lays a wire from a port to an address.
func newProxy(t *testing.T, port, to string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatal(err)
	}
	w := &proxy{addr: listener.Addr().String(), to: to}
	w.wg.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			w.wg.Go(func() { w.forward(near) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		w.wg.Wait()
	})
	return w
}

func (w *proxy) forward(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	w.wg.Go(func() {
		defer far.Close()
		io.Copy(far, near)
	})
	answer := make([]byte, 64<<10)
	for {
		n, err := far.Read(answer)
		if err != nil || w.dropReplies.Add(-1) >= 0 {
			return
		}
		w.dropReplies.Store(0)
		if w.holdReplies.Load() {
			continue
		}
		if _, err := near.Write(answer[:n]); err != nil {
			return
		}
	}
}

// TestLostAnswer: a read is repeated, a commit is not, as it may have been done.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		testLostAnswer(t, newProxy(t, "0", newServer(t).addr))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		port := freePort(t)
		node, _ := newNode(t, "--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", port)
		node.mustCommand("CLUSTER ADDSLOTSRANGE 0 16383")
		node.waitForCluster()
		testLostAnswer(t, newProxy(t, port, node.addr))
	})
}

func testLostAnswer(t *testing.T, w *proxy) {
	s, err := Open(t.Context(), "redis://"+w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustCommit(t, s, set("a/1", "one"))
	read := mustGet(t, s, "a/1")

	w.dropReplies.Store(1)
	err = s.Commit(t.Context(), noon, store.Change{Key: "a/1", Value: []byte("two"), If: store.Unchanged(read)})
	if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrConflict) {
		t.Errorf("a commit without an answer: %v", err)
	}
	// It was done, and the caller who reads again sees it.
	if it := mustGet(t, s, "a/1"); string(it.Value) != "two" || it.Version == read.Version {
		t.Errorf("a/1 holds %q", it.Value)
	}
	for name, call := range storeCalls(s) {
		if name == "Commit" {
			continue
		}
		w.dropReplies.Store(1)
		if err := call(t.Context()); err != nil {
			t.Errorf("%s without an answer at first: %v", name, err)
		}
		if w.dropReplies.Load() > 0 {
			t.Errorf("%s lost no answer", name)
		}
	}
}

// TestSilent: a server that does not answer costs no more than the caller's time.
func TestSilent(t *testing.T) {
	w := newProxy(t, "0", newServer(t).addr)
	s, err := Open(t.Context(), "redis://"+w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w.holdReplies.Store(true)
	for name, call := range storeCalls(s) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begin := time.Now()
		err := call(ctx)
		if took := time.Since(begin); took > 3*time.Second { // without a deadline it is 5 s
			t.Errorf("%s returned after %v", name, took)
		}
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
		cancel()
	}
	w.holdReplies.Store(false)
	for name, call := range storeCalls(s) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s when it answers again: %v", name, err)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	server := newServer(t)
	server.kill()
	s, err := Open(t.Context(), server.url())
	if s != nil || !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("Open: %v, %v", s, err)
	}
	for _, want := range []string{server.url() + "/0: open: ", "connection refused", "see that Redis runs"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q, want %q in it", err, want)
		}
	}
}

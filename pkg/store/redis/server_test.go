package redis

import (
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// server is a redis-server process with its own directory.
type server struct {
	t        testing.TB
	dir      string
	args     []string
	addr     string
	password string // for the commands of the test itself
	cmd      *exec.Cmd
	exited   chan struct{}
}

// newServer starts a server on a free port, configured to be as durable as Redis can be.
// It keeps its data when it is killed and started again.
func newServer(t testing.TB, args ...string) *server {
	t.Helper()
	addr := net.JoinHostPort("127.0.0.1", freePort(t))
	s := &server{t: t, dir: t.TempDir(), args: args, addr: addr}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err := errors.Join(err, listener.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}

func (s *server) start() {
	s.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("this test needs redis-server: run ./scripts/test, which installs it, or apt-get install redis-server")
	}
	_, port, _ := net.SplitHostPort(s.addr)
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always"}
	s.cmd, s.exited = exec.Command(path, append(args, s.args...)...), make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		s.cmd.Wait()
		close(s.exited)
	}()
	s.waitUntil("it replies", func() bool {
		_, err := s.command("PING")
		return err == nil || strings.HasPrefix(err.Error(), "NOAUTH")
	})
}

// kill kills the process, like a crash.
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.exited
}

// waitUntil polls done until it returns true.
func (s *server) waitUntil(what string, done func() bool) {
	s.t.Helper()
	timeout := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-s.exited:
			s.t.Fatal("redis-server exited before " + what + ": see the log in " + s.dir)
		case <-timeout:
			s.t.Fatal("redis-server: got a timeout, want that " + what)
		case <-tick.C:
		}
	}
}

// command sends a command, its words separated by spaces, on a connection of its own.
func (s *server) command(command string) (any, error) {
	c, err := redis.DialContext(s.t.Context(), "tcp", s.addr, redis.DialPassword(s.password))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	words := strings.Fields(command)
	var args []any
	for _, word := range words[1:] {
		args = append(args, word)
	}
	return c.Do(words[0], args...)
}

// mustCommand sends a command and returns the reply if it is a string.
func (s *server) mustCommand(command string) string {
	s.t.Helper()
	reply, err := s.command(command)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	text, _ := redis.String(reply, nil)
	return text
}

func (s *server) url() string { return "redis://" + s.addr }

// open opens the store on the server.
func (s *server) open() *Store {
	s.t.Helper()
	st, err := Open(s.t.Context(), s.url())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { st.Close() })
	return st
}

// openEmpty deletes everything on the server and opens the store.
func (s *server) openEmpty() *Store {
	s.t.Helper()
	s.mustCommand("FLUSHALL")
	return s.open()
}

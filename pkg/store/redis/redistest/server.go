// Package redistest starts a redis-server process for tests.
package redistest

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

// Server is a redis-server process with its own directory.
type Server struct {
	// Addr is host:port.
	Addr string
	// Dir is the working directory; its file "log" is the server's log.
	Dir string
	// Password is used by Command.
	Password string

	t      testing.TB
	args   []string
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts a server on a free port and stops it at the end of the test. The server
// is configured to be as durable as Redis can be; args are further command line
// arguments, which win. A missing redis-server fails the test.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{Dir: t.TempDir(), t: t, args: args}
	t.Cleanup(func() { s.Kill() })
	for range 5 { // another process may take the port
		s.Addr = net.JoinHostPort("127.0.0.1", FreePort(t))
		s.launch()
		for range 4000 {
			if !s.running() {
				break
			}
			if s.replies() && s.running() { // it, and not the server that has its port
				return s
			}
		}
		s.Kill()
	}
	t.Fatal("got no redis-server that replies, want one: see the log in " + s.Dir)
	return nil
}

// FreePort returns a TCP port on 127.0.0.1 that was free a moment ago.
func FreePort(t testing.TB) string {
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

// URL returns the URL of the server for package redis.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Restart starts the server again after Kill, on the same port with the data that it
// had. It returns when the server replies.
func (s *Server) Restart() {
	s.t.Helper()
	s.launch()
	s.WaitUntil("it replies", s.replies)
}

// launch starts the process.
func (s *Server) launch() {
	s.t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatal("this test needs redis-server: run ./scripts/test, which installs it, or apt-get install redis-server")
	}
	_, port, _ := net.SplitHostPort(s.Addr)
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", s.Dir, "--logfile", filepath.Join(s.Dir, "log"),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always"}
	s.cmd, s.exited = exec.Command(path, append(args, s.args...)...), make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, exited chan struct{}) {
		cmd.Wait()
		close(exited)
	}(s.cmd, s.exited)
}

func (s *Server) replies() bool {
	_, err := s.Command("PING")
	return err == nil || strings.HasPrefix(err.Error(), "NOAUTH")
}

// running reports whether the process runs, after a moment.
func (s *Server) running() bool {
	select {
	case <-s.exited:
		return false
	case <-time.After(5 * time.Millisecond):
		return true
	}
}

// Kill kills the process, like a crash.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	<-s.exited
}

// WaitUntil polls done until it returns true, and fails the test after 20 seconds or
// when the server exits. what completes the sentence "the server … until".
func (s *Server) WaitUntil(what string, done func() bool) {
	s.t.Helper()
	timeout := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-s.exited:
			s.t.Fatal("redis-server exited before " + what + ": see the log in " + s.Dir)
		case <-timeout:
			s.t.Fatal("redis-server: got a timeout, want that " + what)
		case <-tick.C:
		}
	}
}

// Command sends a command, its words separated by spaces, on a connection of its own.
func (s *Server) Command(command string) (any, error) {
	c, err := redis.DialContext(s.t.Context(), "tcp", s.Addr, redis.DialPassword(s.Password))
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

// MustCommand sends a command and returns the reply if it is a string. An error reply
// fails the test.
func (s *Server) MustCommand(command string) string {
	s.t.Helper()
	reply, err := s.Command(command)
	if err != nil {
		s.t.Fatalf("%s: got %v, want no error", command, err)
	}
	text, _ := redis.String(reply, nil)
	return text
}

// Package smtp is a mail provider on one machine: a real SMTP server that
// speaks TLS, demands a login and keeps to the habits of the providers that
// alerts are sent through, their refusals included. What it accepts lies in an
// inbox.
package smtp

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"slices"
	"sync"

	"github.com/emersion/go-smtp"
)

// Config describes the provider.
type Config struct {
	// Username and Password are the one account. Username is also the only
	// address that the account may send from, as with qq.com and exmail.
	Username string
	Password string
	// TLS holds the server's certificate. Without it only Serve works, and
	// passwords travel in the open.
	TLS *tls.Config
	// Mechanisms are the ways to log in that are offered; default PLAIN and
	// LOGIN.
	Mechanisms []string
	// OnMail, if set, is called with each mail that was accepted, before the
	// client hears of it.
	OnMail func(Mail)
}

// Reply is an answer of the server. The zero Reply means that the server
// answers as it should.
type Reply struct {
	Code int
	// Text may hold any bytes: some providers answer in GBK.
	Text string
}

// Script is how the server misbehaves. The zero Script is good behaviour.
type Script struct {
	// Greeting is said instead of a greeting; the connection is closed then.
	Greeting Reply
	// Auth answers every attempt to log in.
	Auth Reply
	// Recipients refuses single recipients, by address.
	Recipients map[string]Reply
	// Data answers a message after it was transferred; it is not accepted.
	Data Reply
	// Hang takes connections and never says a word.
	Hang bool
	// Drop accepts a message but breaks the connection instead of saying so.
	DropAfterAccept bool
}

// Server is a running provider. It may serve several listeners.
type Server struct {
	config Config
	server *smtp.Server

	mu     sync.Mutex
	script Script
	inbox  []Mail
	held   []net.Conn
	closed bool
}

// New returns a server that is ready to serve.
func New(config Config) *Server {
	if config.Mechanisms == nil {
		config.Mechanisms = []string{"PLAIN", "LOGIN"}
	}
	s := &Server{config: config}
	s.server = smtp.NewServer(smtp.BackendFunc(s.session))
	s.server.Domain = "localhost"
	s.server.TLSConfig = config.TLS
	s.server.AllowInsecureAuth = config.TLS == nil
	s.server.MaxMessageBytes = 16 << 20
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

// Serve takes connections that begin in the open and are encrypted by STARTTLS,
// as on port 587. It returns nil after Close.
func (s *Server) Serve(l net.Listener) error { return s.server.Serve(listener{l, s}) }

// ServeTLS takes connections that are encrypted from the start, as on port 465.
// It returns nil after Close.
func (s *Server) ServeTLS(l net.Listener) error {
	return s.server.Serve(listener{tls.NewListener(l, s.config.TLS), s})
}

// Close ends all connections and closes the listeners.
func (s *Server) Close() error {
	s.mu.Lock()
	for _, c := range s.held {
		c.Close()
	}
	s.held, s.closed = nil, true
	s.mu.Unlock()
	return s.server.Close()
}

// Play makes the server follow a script from now on.
func (s *Server) SetScript(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Inbox returns the mails that were accepted, in order.
func (s *Server) Inbox() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.inbox)
}

func (s *Server) current() Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.script
}

func (s *Server) accept(m Mail) {
	s.mu.Lock()
	s.inbox = append(s.inbox, m)
	s.mu.Unlock()
	if s.config.OnMail != nil {
		s.config.OnMail(m)
	}
}

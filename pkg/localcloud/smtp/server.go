// Package smtp is a mail provider for development and tests: an SMTP server with TLS that
// requires a login, and accepts and rejects mails by the rules of real providers.
package smtp

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"sync"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"tocsin/pkg/localcloud/mailbox"
)

// Config describes the provider.
type Config struct {
	// Username and Password are the only account. Username is also the only address
	// from which the account may send, as with qq.com and exmail.
	Username string
	Password string
	// TLS contains the server's certificate. If it is nil, only Serve works, without
	// encryption.
	TLS *tls.Config
	// Mechanisms are the login mechanisms; default PLAIN and LOGIN.
	Mechanisms []string
}

// Reply is a reply of the server. The zero Reply is the server's usual one.
type Reply struct {
	Code int
	// Text may hold any bytes: some providers reply in GBK.
	Text string
}

// Script are the faults of the server. The zero Script has none.
type Script struct {
	// Greeting replaces the greeting, after which the connection is closed.
	Greeting Reply
	// Auth replaces the reply to every login.
	Auth Reply
	// Recipients replace the replies to some recipients, by address.
	Recipients map[string]Reply
	// Data replaces the reply to a message, which then is not accepted.
	Data Reply
	// Hang accepts connections and sends nothing.
	Hang bool
	// DropAfterAccept accepts a message and closes the connection without a reply.
	DropAfterAccept bool
}

// Server is a running provider. It may serve several listeners.
type Server struct {
	// Box holds the accepted mails. The function set by OnMessage is called before
	// the client gets the reply.
	mailbox.Box[Mail]

	config Config
	server *smtp.Server

	mu      sync.Mutex
	script  Script
	hanging []net.Conn
	closed  bool
}

// New returns a server that is ready to serve.
func New(config Config) *Server {
	if config.Mechanisms == nil {
		config.Mechanisms = []string{"PLAIN", "LOGIN"}
	}
	s := &Server{config: config}
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	s.server.Domain = "localhost"
	s.server.TLSConfig = config.TLS
	s.server.AllowInsecureAuth = config.TLS == nil
	s.server.MaxMessageBytes = 16 << 20
	s.server.ErrorLog = log.New(io.Discard, "", 0)
	return s
}

// Serve accepts connections that are encrypted by STARTTLS, as on port 587. It
// returns nil after Close.
func (s *Server) Serve(l net.Listener) error { return s.server.Serve(listener{l, s}) }

// ServeTLS accepts connections that are encrypted from the start, as on port 465. It
// returns nil after Close.
func (s *Server) ServeTLS(l net.Listener) error {
	return s.server.Serve(listener{tls.NewListener(l, s.config.TLS), s})
}

// Close closes all connections and listeners.
func (s *Server) Close() error {
	s.mu.Lock()
	for _, c := range s.hanging {
		c.Close()
	}
	s.hanging, s.closed = nil, true
	s.mu.Unlock()
	return s.server.Close()
}

// SetScript makes the server follow a script from now on.
func (s *Server) SetScript(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

func (s *Server) currentScript() Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.script
}

// listener applies the parts of a script that precede the first command.
type listener struct {
	net.Listener
	server *Server
}

func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		script := l.server.currentScript()
		switch {
		case script.Hang:
			l.server.hang(c)
		case script.Greeting.Code != 0:
			go refuse(c, script.Greeting)
		default:
			return c, nil
		}
	}
}

// refuse sends a greeting and closes c. It runs in a goroutine of its own, because a
// TLS handshake may precede the greeting.
func refuse(c net.Conn, greeting Reply) {
	defer c.Close()
	fmt.Fprintf(c, "%d %s\r\n", greeting.Code, greeting.Text)
}

// hang keeps c open until the server is closed.
func (s *Server) hang(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Close()
		return
	}
	s.hanging = append(s.hanging, c)
}

var (
	errNoLogin    = newError(530, "Authentication required")
	errWrongLogin = newError(535, "Error: authentication failed")
	errSender     = newError(501, "mail from address must be same as authorization user")
	errNestedMail = newError(503, "Error: nested MAIL command")
	errDropped    = errors.New("connection dropped")
)

func newError(code int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
}

// error returns the reply as an error, nil for the zero Reply.
func (r Reply) error() error {
	if r.Code == 0 {
		return nil
	}
	return newError(r.Code, r.Text)
}

// session is a connection after its greeting.
type session struct {
	server *Server
	conn   *smtp.Conn

	loggedIn bool
	from     string
	to       []string
}

func (s *session) AuthMechanisms() []string { return s.server.config.Mechanisms }

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	if mechanism == "LOGIN" {
		return &loginServer{check: s.login}, nil
	}
	return sasl.NewPlainServer(func(identity, username, password string) error {
		if identity != "" && identity != username {
			return errWrongLogin
		}
		return s.login(username, password)
	}), nil
}

func (s *session) login(username, password string) error {
	if err := s.server.currentScript().Auth.error(); err != nil {
		return err
	}
	if username != s.server.config.Username || password != s.server.config.Password {
		return errWrongLogin
	}
	s.loggedIn = true
	return nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	switch {
	case !s.loggedIn:
		return errNoLogin
	case from != s.server.config.Username:
		return errSender
	case s.from != "":
		return errNestedMail
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.server.currentScript().Recipients[to].error(); err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	script := s.server.currentScript()
	if err := script.Data.error(); err != nil {
		return err
	}
	m, err := parse(raw)
	if err != nil {
		return newError(550, "Mail content error: "+err.Error())
	}
	m.From, m.To = s.from, s.to
	s.server.Deliver(m)
	if script.DropAfterAccept {
		s.conn.Conn().Close()
		return errDropped
	}
	return nil
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }

// loginServer is the server of the LOGIN mechanism: it asks for the user name, unless
// the client sent it with the command, and then for the password.
type loginServer struct {
	check    func(username, password string) error
	username []byte
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case l.username == nil:
		l.username = bytes.Clone(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(string(l.username), string(response))
}

package smtp

import (
	"bytes"
	"errors"
	"io"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var (
	errNoLogin = &smtp.SMTPError{Code: 530, EnhancedCode: smtp.NoEnhancedCode, Message: "Authentication required"}
	errLogin   = &smtp.SMTPError{Code: 535, EnhancedCode: smtp.NoEnhancedCode, Message: "Error: authentication failed"}
	errSender  = &smtp.SMTPError{Code: 501, EnhancedCode: smtp.NoEnhancedCode, Message: "mail from address must be same as authorization user"}
	errNested  = &smtp.SMTPError{Code: 503, EnhancedCode: smtp.NoEnhancedCode, Message: "Error: nested MAIL command"}
	errDropped = errors.New("connection dropped")
)

// session is one connection after its greeting.
type session struct {
	server *Server
	conn   *smtp.Conn

	loggedIn bool
	from     string
	to       []string
}

func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

func (s *session) AuthMechanisms() []string { return s.server.config.Mechanisms }

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	if mechanism == "LOGIN" {
		return &login{check: s.login}, nil
	}
	return sasl.NewPlainServer(func(identity, username, password string) error {
		if identity != "" && identity != username {
			return errLogin
		}
		return s.login(username, password)
	}), nil
}

func (s *session) login(username, password string) error {
	if err := s.server.current().Auth.err(); err != nil {
		return err
	}
	if username != s.server.config.Username || password != s.server.config.Password {
		return errLogin
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
		return errNested
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.server.current().Recipients[to].err(); err != nil {
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
	script := s.server.current()
	if err := script.Data.err(); err != nil {
		return err
	}
	m, err := parse(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.NoEnhancedCode, Message: "Mail content error: " + err.Error()}
	}
	m.From, m.To = s.from, s.to
	s.server.accept(m)
	if script.DropAfterAccept {
		s.conn.Conn().Close()
		return errDropped
	}
	return nil
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }

// err returns the reply as go-smtp wants it, nil for the zero Reply.
func (r Reply) err() error {
	if r.Code == 0 {
		return nil
	}
	return &smtp.SMTPError{Code: r.Code, EnhancedCode: smtp.NoEnhancedCode, Message: r.Text}
}

// login is the server's side of the LOGIN mechanism: it asks for the user name,
// unless it came with the command, and then for the password.
type login struct {
	check    func(username, password string) error
	username []byte
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte("Username:"), false, nil
	case l.username == nil:
		l.username = bytes.Clone(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(string(l.username), string(response))
}

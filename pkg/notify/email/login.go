package email

import (
	"errors"
	"slices"

	"github.com/wneessen/go-mail/smtp"
)

var errNoLogin = errors.New("the server offers none of PLAIN, LOGIN and CRAM-MD5 to log in with")

// login is one attempt to log in, by the first of CRAM-MD5 (if there is a
// secret), PLAIN and LOGIN that the server offers. PLAIN and LOGIN are refused
// on a connection that is not encrypted, except to this machine.
type login struct {
	smtp.Auth
	credentials
	// tried tells that the server was asked: what it answers from then on is
	// about the login.
	tried bool
}

type credentials struct{ host, identity, username, password, secret string }

// Start chooses the mechanism.
func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	offered := func(mechanism string) bool { return slices.Contains(server.Auth, mechanism) }
	switch {
	case l.secret != "" && offered("CRAM-MD5"):
		l.Auth = smtp.CRAMMD5Auth(l.username, l.secret)
	case l.password != "" && offered("PLAIN"):
		l.Auth = smtp.PlainAuth(l.identity, l.username, l.password, l.host, false)
	case l.password != "" && offered("LOGIN"):
		l.Auth = smtp.LoginAuth(l.username, l.password, l.host, false)
	default:
		return "", nil, errNoLogin
	}
	mechanism, response, err := l.Auth.Start(server)
	l.tried = err == nil
	return mechanism, response, err
}

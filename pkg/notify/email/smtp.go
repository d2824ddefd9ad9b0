package email

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"tocsin/pkg/notify"
)

// maxSession bounds one connection from its start to its end.
const maxSession = time.Minute

// server is the SMTP server of a configuration, and how to connect to it.
type server struct {
	addr        string
	port        int
	implicitTLS bool
	tlsPolicy   gomail.TLSPolicy
	hello       string
	credentials credentials
	tls         *tls.Config
	dial        func(ctx context.Context, network, addr string) (net.Conn, error)
	// secrets masks the password, in every encoding in which it was sent, in the
	// server's replies.
	secrets *strings.Replacer
}

func newServer(c *Config, env *notify.Env) (*server, error) {
	host, port, err := c.server()
	if err != nil {
		return nil, fmt.Errorf("smarthost: %q is not host:port", c.Smarthost)
	}
	s := &server{
		addr:        c.Smarthost,
		port:        port,
		implicitTLS: c.implicitTLS(port),
		tlsPolicy:   gomail.TLSMandatory,
		hello:       cmp.Or(c.Hello, "localhost"),
		credentials: credentials{host, c.AuthIdentity, c.AuthUsername, string(c.AuthPassword), string(c.AuthSecret)},
		tls:         &tls.Config{MinVersion: tls.VersionTLS12},
		dial:        env.Dial,
	}
	if !c.requireTLS() {
		s.tlsPolicy = gomail.TLSOpportunistic
	}
	if env.TLS != nil {
		s.tls = env.TLS.Clone()
	}
	s.tls.ServerName = host
	s.secrets = s.credentials.replacer()
	return s, nil
}

// send delivers m to each recipient over one connection.
func (s *server) send(ctx context.Context, m *renderedMessage, recipients []string) []notify.Outcome {
	if len(recipients) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, maxSession)
	defer cancel()
	client, disconnect, e := s.connect(ctx)
	defer disconnect()
	if e != nil {
		return notify.Outcomes(recipients, e)
	}
	out := make([]notify.Outcome, 0, len(recipients))
	for _, recipient := range recipients {
		o := notify.Outcome{Unit: recipient}
		if e := s.deliver(ctx, client, m, recipient); e != nil { // a nil *Error in Err would not be nil
			o.Err = e
		}
		out = append(out, o)
	}
	_ = client.Quit()
	return out
}

// connect opens a connection, encrypts it and logs in. The connection is closed when
// ctx is done. disconnect is never nil.
func (s *server) connect(ctx context.Context) (client *smtp.Client, disconnect func(), e *notify.Error) {
	disconnect = func() {}
	dial := func(dialCtx context.Context, _, _ string) (net.Conn, error) {
		conn, err := s.dial(dialCtx, "tcp", s.addr)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		disconnect = func() { stop(); conn.Close() }
		if !s.implicitTLS {
			return conn, nil
		}
		encrypted := tls.Client(conn, s.tls)
		return encrypted, encrypted.HandshakeContext(dialCtx)
	}
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithHELO(s.hello), gomail.WithTimeout(maxSession),
		gomail.WithTLSConfig(s.tls), gomail.WithTLSPolicy(s.tlsPolicy), gomail.WithDialContextFunc(dial),
	}
	if s.implicitTLS {
		options = append(options, gomail.WithSSL())
	}
	auth := &login{credentials: s.credentials}
	if s.credentials.username != "" {
		options = append(options, gomail.WithSMTPAuthCustom(auth))
	}
	c, err := gomail.NewClient(s.credentials.host, options...)
	if err != nil {
		return nil, disconnect, &notify.Error{Class: notify.Permanent, Message: s.addr + ": " + err.Error()}
	}
	client, err = c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		at := stepConnect
		if auth.started {
			at = stepLogin
		}
		return nil, disconnect, s.deliveryError(ctx, at, err)
	}
	return client, disconnect, nil
}

// deliver sends the mail for one recipient. After the server rejected it the
// connection can be used for the next one.
func (s *server) deliver(ctx context.Context, client *smtp.Client, m *renderedMessage, recipient string) *notify.Error {
	var content bytes.Buffer
	if _, err := m.mailTo(recipient).WriteTo(&content); err != nil {
		return &notify.Error{Class: notify.Permanent, Message: "cannot write the mail: " + err.Error()}
	}
	rejected := func(at step, err error) *notify.Error {
		_ = client.Reset()
		return s.deliveryError(ctx, at, err)
	}
	if err := client.Mail(addrSpec(m.from.Address)); err != nil {
		return rejected(stepSender, err)
	}
	if err := client.Rcpt(addrSpec(recipient)); err != nil {
		return rejected(stepRecipient, err)
	}
	w, err := client.Data()
	if err != nil {
		return rejected(stepData, err)
	}
	// A mail is accepted only after its end was sent (RFC 5321, 4.2.5): a
	// connection that breaks before is not ambiguous.
	if _, err := w.Write(content.Bytes()); err != nil {
		return s.deliveryError(ctx, stepData, err)
	}
	if err := w.Close(); err != nil {
		return s.deliveryError(ctx, stepEnd, err)
	}
	return nil
}

// addrSpec returns an address in the form of SMTP commands.
func addrSpec(address string) string { return (&mail.Address{Address: address}).String() }

var errNoMechanism = errors.New("the server offers none of PLAIN, LOGIN and CRAM-MD5 to log in with")

type credentials struct{ host, identity, username, password, secret string }

// replacer replaces the password, in the forms of PLAIN, LOGIN and as it is, by
// "<secret>".
func (c credentials) replacer() *strings.Replacer {
	encode := base64.StdEncoding.EncodeToString
	var pairs []string
	for _, secret := range []string{
		encode([]byte(c.identity + "\x00" + c.username + "\x00" + c.password)),
		encode([]byte(c.password)), c.password, c.secret,
	} {
		if secret != "" {
			pairs = append(pairs, secret, "<secret>")
		}
	}
	return strings.NewReplacer(pairs...)
}

// login authenticates by the first of CRAM-MD5 (if there is a secret), PLAIN and
// LOGIN that the server offers. PLAIN and LOGIN are used only on encrypted
// connections and to this machine.
type login struct {
	smtp.Auth
	credentials
	// started is set once the server was asked: its later replies are about the
	// login.
	started bool
}

// Start chooses the mechanism.
func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	offers := func(mechanism string) bool { return slices.Contains(server.Auth, mechanism) }
	switch {
	case l.secret != "" && offers("CRAM-MD5"):
		l.Auth = smtp.CRAMMD5Auth(l.username, l.secret)
	case l.password != "" && offers("PLAIN"):
		l.Auth = smtp.PlainAuth(l.identity, l.username, l.password, l.host, false)
	case l.password != "" && offers("LOGIN"):
		l.Auth = smtp.LoginAuth(l.username, l.password, l.host, false)
	default:
		return "", nil, errNoMechanism
	}
	mechanism, response, err := l.Auth.Start(server)
	l.started = err == nil
	return mechanism, response, err
}

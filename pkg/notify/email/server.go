package email

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"tocsin/pkg/notify"
)

// session bounds one connection from its beginning to its end.
const session = time.Minute

// server is where mails are handed in, and how.
type server struct {
	addr     string
	port     int
	implicit bool
	policy   gomail.TLSPolicy
	hello    string
	auth     credentials
	tls      *tls.Config
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	// secrets takes the password out of what a server says, in the forms in
	// which it was sent there.
	secrets *strings.Replacer
}

func newServer(c *Config, env *notify.Env) (*server, error) {
	host, port, err := c.server()
	if err != nil {
		return nil, fmt.Errorf("smarthost: %q is not host:port", c.Smarthost)
	}
	s := &server{
		addr:     c.Smarthost,
		port:     port,
		implicit: c.implicitTLS(port),
		policy:   gomail.TLSMandatory,
		hello:    cmp.Or(c.Hello, "localhost"),
		auth:     credentials{host, c.AuthIdentity, c.AuthUsername, string(c.AuthPassword), string(c.AuthSecret)},
		tls:      &tls.Config{MinVersion: tls.VersionTLS12},
		dial:     env.Dial,
	}
	if !c.requireTLS() {
		s.policy = gomail.TLSOpportunistic
	}
	if env.TLS != nil {
		s.tls = env.TLS.Clone()
	}
	s.tls.ServerName = host
	s.secrets = s.auth.secrets()
	return s, nil
}

func (c credentials) secrets() *strings.Replacer {
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

// send delivers l to each recipient over one connection.
func (s *server) send(ctx context.Context, l *letter, recipients []string) []notify.Outcome {
	if len(recipients) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, session)
	defer cancel()
	client, hangUp, fault := s.connect(ctx)
	defer hangUp()
	if fault != nil {
		return notify.Outcomes(recipients, fault)
	}
	out := make([]notify.Outcome, 0, len(recipients))
	for _, recipient := range recipients {
		o := notify.Outcome{Unit: recipient}
		if fault := s.deliver(ctx, client, l, recipient); fault != nil {
			o.Err = fault
		}
		out = append(out, o)
	}
	_ = client.Quit()
	return out
}

// connect opens a connection, encrypts it and logs in. When ctx is done the
// connection ends, whatever it is waiting for; hangUp is never nil.
func (s *server) connect(ctx context.Context) (client *smtp.Client, hangUp func(), fault *notify.Error) {
	hangUp = func() {}
	dial := func(dialCtx context.Context, _, _ string) (net.Conn, error) {
		conn, err := s.dial(dialCtx, "tcp", s.addr)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		hangUp = func() { stop(); conn.Close() }
		if !s.implicit {
			return conn, nil
		}
		encrypted := tls.Client(conn, s.tls)
		return encrypted, encrypted.HandshakeContext(dialCtx)
	}
	options := []gomail.Option{
		gomail.WithPort(s.port), gomail.WithHELO(s.hello), gomail.WithTimeout(session),
		gomail.WithTLSConfig(s.tls), gomail.WithTLSPolicy(s.policy), gomail.WithDialContextFunc(dial),
	}
	if s.implicit {
		options = append(options, gomail.WithSSL())
	}
	auth := &login{credentials: s.auth}
	if s.auth.username != "" {
		options = append(options, gomail.WithSMTPAuthCustom(auth))
	}
	c, err := gomail.NewClient(s.auth.host, options...)
	if err != nil {
		return nil, hangUp, &notify.Error{Class: notify.Permanent, Message: s.addr + ": " + err.Error()}
	}
	client, err = c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		at := toConnect
		if auth.tried {
			at = toLogIn
		}
		return nil, hangUp, s.fault(ctx, at, err)
	}
	return client, hangUp, nil
}

// deliver hands in the mail for one recipient. After a refusal the connection
// is as before, ready for the next.
func (s *server) deliver(ctx context.Context, client *smtp.Client, l *letter, recipient string) *notify.Error {
	var content bytes.Buffer
	if _, err := l.message(recipient).WriteTo(&content); err != nil {
		return &notify.Error{Class: notify.Permanent, Message: "cannot write the mail: " + err.Error()}
	}
	refused := func(at step, err error) *notify.Error {
		_ = client.Reset()
		return s.fault(ctx, at, err)
	}
	if err := client.Mail(path(l.from.Address)); err != nil {
		return refused(toSendFrom, err)
	}
	if err := client.Rcpt(path(recipient)); err != nil {
		return refused(toSendTo, err)
	}
	w, err := client.Data()
	if err != nil {
		return refused(toTransfer, err)
	}
	// A mail counts once its end was sent (RFC 5321, 4.2.5): what breaks
	// before leaves nothing behind.
	if _, err := w.Write(content.Bytes()); err != nil {
		return s.fault(ctx, toTransfer, err)
	}
	if err := w.Close(); err != nil {
		return s.fault(ctx, toEnd, err)
	}
	return nil
}

// path is an address as commands name it.
func path(address string) string { return (&mail.Address{Address: address}).String() }

package smtp

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"
)

const account, password = "alerts@example.com", "an-authorization-code"

// message is written by hand: a Chinese subject in an encoded word, base64 text
// and quoted-printable HTML.
const message = "From: alerts@example.com\r\n" +
	"To: ops@example.com\r\n" +
	"Subject: =?UTF-8?B?5ZGK6K2m?=\r\n" +
	"MIME-Version: 1.0\r\n" +
	"Content-Type: multipart/alternative; boundary=b\r\n" +
	"\r\n" +
	"--b\r\n" +
	"Content-Type: text/plain; charset=UTF-8\r\n" +
	"Content-Transfer-Encoding: base64\r\n" +
	"\r\n" +
	"56ev5Y6L\r\n" +
	"--b\r\n" +
	"Content-Type: text/html; charset=UTF-8\r\n" +
	"Content-Transfer-Encoding: quoted-printable\r\n" +
	"\r\n" +
	"<p>=E7=A7=AF=E5=8E=8B</p>\r\n" +
	"--b--\r\n"

// start serves a provider in the open with STARTTLS and with TLS from the
// start, and returns both addresses and the configuration of a client.
func start(t *testing.T, config Config) (s *Server, open, closed string, client *tls.Config) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	config.Username, config.Password = account, password
	config.TLS = &tls.Config{Certificates: web.TLS.Certificates}
	s = New(config)
	t.Cleanup(func() { s.Close() })
	listen := func(serve func(net.Listener) error) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go serve(l)
		return l.Addr().String()
	}
	return s, listen(s.Serve), listen(s.ServeTLS), &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
}

// loginAuth is a client of LOGIN, which the standard library lacks.
type loginAuth struct{ username, password string }

func (a loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a loginAuth) Next(challenge []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case string(challenge) == "Username:":
		return []byte(a.username), nil
	case string(challenge) == "Password:":
		return []byte(a.password), nil
	}
	return nil, errors.New("unexpected challenge " + string(challenge))
}

// deliver speaks with the standard library's client, up to the first refusal.
func deliver(c *smtp.Client, auth smtp.Auth, from, to string) error {
	if auth != nil {
		if err := c.Auth(auth); err != nil {
			return err
		}
	}
	if err := c.Mail(from); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	io.WriteString(w, message)
	return w.Close()
}

func TestMailArrives(t *testing.T) {
	for _, tt := range []struct {
		name string
		tls  bool
		auth smtp.Auth
	}{
		{"TLS from the start, PLAIN", true, smtp.PlainAuth("", account, password, "127.0.0.1")},
		{"STARTTLS, PLAIN", false, smtp.PlainAuth("", account, password, "127.0.0.1")},
		{"STARTTLS, LOGIN", false, loginAuth{account, password}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var heard []Mail
			s, open, closed, config := start(t, Config{OnMail: func(m Mail) { heard = append(heard, m) }})
			c := dial(t, open, closed, tt.tls, config)
			if err := deliver(c, tt.auth, account, "ops@example.com"); err != nil {
				t.Fatal(err)
			}
			inbox := s.Inbox()
			if len(inbox) != 1 || len(heard) != 1 {
				t.Fatalf("%d mails in the inbox, %d heard of, want 1 and 1", len(inbox), len(heard))
			}
			m := inbox[0]
			if m.From != account || len(m.To) != 1 || m.To[0] != "ops@example.com" {
				t.Errorf("envelope from %q to %q", m.From, m.To)
			}
			if m.Subject != "告警" || m.Text != "积压" || strings.TrimSpace(m.HTML) != "<p>积压</p>" {
				t.Errorf("subject %q, text %q, html %q", m.Subject, m.Text, m.HTML)
			}
			// SMTP has one line end, whatever the reader makes of it.
			if !bytes.Equal(bytes.ReplaceAll(m.Raw, []byte("\r\n"), []byte("\n")), []byte(strings.ReplaceAll(message, "\r\n", "\n"))) {
				t.Errorf("raw message differs:\n%q", m.Raw)
			}
		})
	}
}

func dial(t *testing.T, open, closed string, implicit bool, config *tls.Config) *smtp.Client {
	t.Helper()
	var conn net.Conn
	var err error
	if implicit {
		conn, err = tls.Dial("tcp", closed, config)
	} else {
		conn, err = net.Dial("tcp", open)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c, err := smtp.NewClient(conn, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if !implicit {
		if err := c.StartTLS(config); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestRefusals(t *testing.T) {
	plain := smtp.PlainAuth("", account, password, "127.0.0.1")
	for _, tt := range []struct {
		name   string
		script Script
		auth   smtp.Auth
		from   string
		code   int
		text   string
	}{
		{"no login", Script{}, nil, account, 530, "Authentication required"},
		{"wrong password", Script{}, smtp.PlainAuth("", account, "guess", "127.0.0.1"), account, 535, "Error: authentication failed"},
		{"wrong password, LOGIN", Script{}, loginAuth{account, "guess"}, account, 535, "Error: authentication failed"},
		{"another identity", Script{}, smtp.PlainAuth("boss", account, password, "127.0.0.1"), account, 535, "Error: authentication failed"},
		{"another sender", Script{}, plain, "boss@example.com", 501, "mail from address must be same as authorization user"},
		{"GBK at login", Script{Auth: Reply{501, "\xb5\xc7\xc2\xbc\xca\xa7\xb0\xdc"}}, plain, account, 501, "\xb5\xc7\xc2\xbc\xca\xa7\xb0\xdc"},
		{"recipient", Script{Recipients: map[string]Reply{"ops@example.com": {550, "User not found"}}}, plain, account, 550, "User not found"},
		{"another recipient", Script{Recipients: map[string]Reply{"gone@example.com": {550, "User not found"}}}, plain, account, 0, ""},
		{"content", Script{Data: Reply{554, "content rejected"}}, plain, account, 554, "content rejected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, open, closed, config := start(t, Config{})
			s.SetScript(tt.script)
			err := deliver(dial(t, open, closed, true, config), tt.auth, tt.from, "ops@example.com")
			if tt.code == 0 {
				if err != nil || len(s.Inbox()) != 1 {
					t.Fatalf("err %v, %d mails, want it delivered", err, len(s.Inbox()))
				}
				return
			}
			var reply *textproto.Error
			if !errors.As(err, &reply) || reply.Code != tt.code || reply.Msg != tt.text {
				t.Errorf("err %v, want %d %s", err, tt.code, tt.text)
			}
			if n := len(s.Inbox()); n != 0 {
				t.Errorf("%d mails accepted, want none", n)
			}
		})
	}
}

func TestTransactionsMustEnd(t *testing.T) {
	s, open, closed, config := start(t, Config{})
	s.SetScript(Script{Recipients: map[string]Reply{"gone@example.com": {550, "User not found"}}})
	c := dial(t, open, closed, true, config)
	if err := deliver(c, smtp.PlainAuth("", account, password, "127.0.0.1"), account, "gone@example.com"); err == nil {
		t.Fatal("the recipient was not refused")
	}
	var reply *textproto.Error
	if err := c.Mail(account); !errors.As(err, &reply) || reply.Code != 503 {
		t.Errorf("a transaction within another: %v, want 503", err)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := deliver(c, nil, account, "ops@example.com"); err != nil {
			t.Errorf("after the reset: %v", err)
		}
	}
}

func TestGreetingRefused(t *testing.T) {
	s, open, closed, config := start(t, Config{})
	s.SetScript(Script{Greeting: Reply{550, "Connection frequency limited"}})
	plain, err := net.Dial("tcp", open)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := tls.Dial("tcp", closed, config)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{plain, secret} {
		said, _ := io.ReadAll(c)
		if string(said) != "550 Connection frequency limited\r\n" {
			t.Errorf("greeting %q", said)
		}
	}
}

func TestDropLosesTheAnswer(t *testing.T) {
	s, open, closed, config := start(t, Config{})
	s.SetScript(Script{DropAfterAccept: true})
	err := deliver(dial(t, open, closed, true, config), smtp.PlainAuth("", account, password, "127.0.0.1"), account, "ops@example.com")
	var reply *textproto.Error
	if err == nil || errors.As(err, &reply) {
		t.Errorf("err %v, want a broken connection", err)
	}
	if n := len(s.Inbox()); n != 1 {
		t.Errorf("%d mails accepted, want 1", n)
	}
}

func TestHangEndsWithTheServer(t *testing.T) {
	s, open, _, _ := start(t, Config{})
	s.SetScript(Script{Hang: true})
	c, err := net.Dial("tcp", open)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if said, _ := io.ReadAll(c); len(said) != 0 {
		t.Errorf("the server said %q", said)
	}
}

// Pictures are found by what the HTML calls them; an attachment, and a picture
// whose id lacks its brackets, are not.
func TestInline(t *testing.T) {
	part := func(header string) string {
		return "--r\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n" + header + "\r\niVBORw0KGgo=\r\n"
	}
	m, err := parse([]byte("Subject: x\r\nContent-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: text/html\r\n\r\n<img src=\"cid:a@example.com\">\r\n" +
		part("Content-ID: <a@example.com>\r\n") + part("Content-ID: b@example.com\r\n") + part("Content-Disposition: attachment\r\n") + part("Content-ID: <>\r\n") + "--r--\r\n"))
	if err != nil || m.HTML != `<img src="cid:a@example.com">` {
		t.Fatalf("%q, %v", m.HTML, err)
	}
	if got := m.Inline["a@example.com"]; len(m.Inline) != 1 || got.Type != "image/png" || string(got.Content) != "\x89PNG\r\n\x1a\n" {
		t.Errorf("%q", m.Inline)
	}
}

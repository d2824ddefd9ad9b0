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

// message was written by hand: a Chinese subject as an encoded word, text in base64
// and HTML as quoted-printable.
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

// provider is a server that listens with STARTTLS and with TLS from the start.
type provider struct {
	*Server
	starttls, implicit string      // addresses
	client             *tls.Config // that trusts the server
}

func startProvider(t *testing.T, config Config) *provider {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	config.Username, config.Password = account, password
	config.TLS = &tls.Config{Certificates: web.TLS.Certificates}
	p := &provider{Server: New(config), client: &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}}
	t.Cleanup(func() { p.Close() })
	listen := func(serve func(net.Listener) error) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go serve(l)
		return l.Addr().String()
	}
	p.starttls, p.implicit = listen(p.Serve), listen(p.ServeTLS)
	return p
}

// dial returns a client on an encrypted connection.
func (p *provider) dial(t *testing.T, implicit bool) *smtp.Client {
	t.Helper()
	var conn net.Conn
	var err error
	if implicit {
		conn, err = tls.Dial("tcp", p.implicit, p.client)
	} else {
		conn, err = net.Dial("tcp", p.starttls)
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
		if err := c.StartTLS(p.client); err != nil {
			t.Fatal(err)
		}
	}
	return c
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

// deliver sends message and returns the first error.
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

func TestDelivery(t *testing.T) {
	for _, tt := range []struct {
		name     string
		implicit bool
		auth     smtp.Auth
	}{
		{"TLS from the start, PLAIN", true, smtp.PlainAuth("", account, password, "127.0.0.1")},
		{"STARTTLS, PLAIN", false, smtp.PlainAuth("", account, password, "127.0.0.1")},
		{"STARTTLS, LOGIN", false, loginAuth{account, password}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProvider(t, Config{})
			var seen []Mail
			p.OnMessage(func(m Mail) { seen = append(seen, m) })
			if err := deliver(p.dial(t, tt.implicit), tt.auth, account, "ops@example.com"); err != nil {
				t.Fatal(err)
			}
			inbox := p.Inbox()
			if len(inbox) != 1 || len(seen) != 1 {
				t.Fatalf("got %d mails in the inbox and %d from OnMessage, want 1 and 1", len(inbox), len(seen))
			}
			m := inbox[0]
			if m.From != account || len(m.To) != 1 || m.To[0] != "ops@example.com" {
				t.Errorf("got envelope from %q to %q, want %q to ops@example.com", m.From, m.To, account)
			}
			if m.Subject != "告警" || m.Text != "积压" || strings.TrimSpace(m.HTML) != "<p>积压</p>" {
				t.Errorf("got subject %q, text %q, html %q; want them decoded", m.Subject, m.Text, m.HTML)
			}
			// go-smtp may have changed the line ends.
			if !bytes.Equal(bytes.ReplaceAll(m.Raw, []byte("\r\n"), []byte("\n")), []byte(strings.ReplaceAll(message, "\r\n", "\n"))) {
				t.Errorf("got raw message %q, want %q", m.Raw, message)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	plain := smtp.PlainAuth("", account, password, "127.0.0.1")
	for _, tt := range []struct {
		name   string
		script Script
		auth   smtp.Auth
		from   string
		code   int // 0 for none
		text   string
	}{
		{"no login", Script{}, nil, account, 530, "Authentication required"},
		{"wrong password", Script{}, smtp.PlainAuth("", account, "guess", "127.0.0.1"), account, 535, "Error: authentication failed"},
		{"wrong password by LOGIN", Script{}, loginAuth{account, "guess"}, account, 535, "Error: authentication failed"},
		{"other identity", Script{}, smtp.PlainAuth("boss", account, password, "127.0.0.1"), account, 535, "Error: authentication failed"},
		{"other sender", Script{}, plain, "boss@example.com", 501, "mail from address must be same as authorization user"},
		{"scripted login in GBK", Script{Auth: Reply{501, "\xb5\xc7\xc2\xbc\xca\xa7\xb0\xdc"}}, plain, account, 501, "\xb5\xc7\xc2\xbc\xca\xa7\xb0\xdc"},
		{"scripted recipient", Script{Recipients: map[string]Reply{"ops@example.com": {550, "User not found"}}}, plain, account, 550, "User not found"},
		{"other recipient scripted", Script{Recipients: map[string]Reply{"gone@example.com": {550, "User not found"}}}, plain, account, 0, ""},
		{"scripted content", Script{Data: Reply{554, "content rejected"}}, plain, account, 554, "content rejected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startProvider(t, Config{})
			p.SetScript(tt.script)
			err := deliver(p.dial(t, true), tt.auth, tt.from, "ops@example.com")
			if tt.code == 0 {
				if err != nil || len(p.Inbox()) != 1 {
					t.Fatalf("got error %v and %d mails, want it delivered", err, len(p.Inbox()))
				}
				return
			}
			var reply *textproto.Error
			if !errors.As(err, &reply) || reply.Code != tt.code || reply.Msg != tt.text {
				t.Errorf("got error %v, want %d %s", err, tt.code, tt.text)
			}
			if got := len(p.Inbox()); got != 0 {
				t.Errorf("got %d mails, want none", got)
			}
		})
	}
}

func TestTransactionsMustBeReset(t *testing.T) {
	p := startProvider(t, Config{})
	p.SetScript(Script{Recipients: map[string]Reply{"gone@example.com": {550, "User not found"}}})
	c := p.dial(t, true)
	if err := deliver(c, smtp.PlainAuth("", account, password, "127.0.0.1"), account, "gone@example.com"); err == nil {
		t.Fatal("got no error for the recipient, want one")
	}
	var reply *textproto.Error
	if err := c.Mail(account); !errors.As(err, &reply) || reply.Code != 503 {
		t.Errorf("got error %v for a nested transaction, want 503", err)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := deliver(c, nil, account, "ops@example.com"); err != nil {
			t.Errorf("got error %v after the reset, want none", err)
		}
	}
}

func TestScriptedGreeting(t *testing.T) {
	p := startProvider(t, Config{})
	p.SetScript(Script{Greeting: Reply{550, "Connection frequency limited"}})
	plain, err := net.Dial("tcp", p.starttls)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := tls.Dial("tcp", p.implicit, p.client)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{plain, encrypted} {
		got, _ := io.ReadAll(c)
		if want := "550 Connection frequency limited\r\n"; string(got) != want {
			t.Errorf("got greeting %q, want %q", got, want)
		}
	}
}

func TestDropAfterAccept(t *testing.T) {
	p := startProvider(t, Config{})
	p.SetScript(Script{DropAfterAccept: true})
	err := deliver(p.dial(t, true), smtp.PlainAuth("", account, password, "127.0.0.1"), account, "ops@example.com")
	var reply *textproto.Error
	if err == nil || errors.As(err, &reply) {
		t.Errorf("got error %v, want a broken connection", err)
	}
	if got := len(p.Inbox()); got != 1 {
		t.Errorf("got %d mails, want 1", got)
	}
}

func TestHangEndsWhenTheServerIsClosed(t *testing.T) {
	p := startProvider(t, Config{})
	p.SetScript(Script{Hang: true})
	c, err := net.Dial("tcp", p.starttls)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if got, _ := io.ReadAll(c); len(got) != 0 {
		t.Errorf("got %q from the server, want nothing", got)
	}
}

// TestInline checks that attachments, and images whose id lacks its brackets, are not
// inline images.
func TestInline(t *testing.T) {
	part := func(header string) string {
		return "--r\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n" + header + "\r\niVBORw0KGgo=\r\n"
	}
	m, err := parse([]byte("Subject: x\r\nContent-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: text/html\r\n\r\n<img src=\"cid:a@example.com\">\r\n" +
		part("Content-ID: <a@example.com>\r\n") + part("Content-ID: b@example.com\r\n") + part("Content-Disposition: attachment\r\n") + part("Content-ID: <>\r\n") + "--r--\r\n"))
	if want := `<img src="cid:a@example.com">`; err != nil || m.HTML != want {
		t.Fatalf("got html %q, %v; want %q", m.HTML, err, want)
	}
	if got := m.Inline["a@example.com"]; len(m.Inline) != 1 || got.Type != "image/png" || string(got.Content) != "\x89PNG\r\n\x1a\n" {
		t.Errorf("got inline images %q, want one PNG", m.Inline)
	}
}

package email

import (
	"cmp"
	"maps"
	"net"
	"net/mail"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"tocsin/pkg/notify"
	"tocsin/pkg/setting"
)

// Config is one entry of email_configs. The keys, their meaning and their defaults
// are Alertmanager's, except that threading is on by default.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// To lists the recipients, separated by commas or semicolons. It is a
	// template.
	To string `yaml:"to"`
	// From is the sender, by default AuthUsername. It is a template.
	From string `yaml:"from,omitempty"`
	// Hello is the name sent in EHLO; default localhost.
	Hello string `yaml:"hello,omitempty"`
	// Smarthost is the server, host:port.
	Smarthost string `yaml:"smarthost,omitempty"`

	// AuthUsername and AuthPassword log in by PLAIN or LOGIN, AuthSecret by
	// CRAM-MD5. Without a user name there is no login.
	AuthUsername string         `yaml:"auth_username,omitempty"`
	AuthPassword setting.Secret `yaml:"auth_password,omitempty"`
	AuthSecret   setting.Secret `yaml:"auth_secret,omitempty"`
	AuthIdentity string         `yaml:"auth_identity,omitempty"`

	// Headers are further headers, or Subject. The values are templates.
	Headers map[string]string `yaml:"headers,omitempty"`
	// HTML and Text are templates of the two forms of the body; the default is the
	// built-in message.
	HTML string `yaml:"html,omitempty"`
	Text string `yaml:"text,omitempty"`
	// Picture adds charts of firing lag to the built-in HTML; default true.
	Picture *bool `yaml:"picture,omitempty"`

	// RequireTLS refuses to send without encryption; default true.
	RequireTLS *bool `yaml:"require_tls,omitempty"`
	// ForceImplicitTLS encrypts from the start (true) or by STARTTLS (false); by
	// default the former on port 465 and the latter on every other.
	ForceImplicitTLS *bool `yaml:"force_implicit_tls,omitempty"`

	Threading Threading `yaml:"threading,omitempty"`
}

// Threading makes mail clients show the mails of one alert group as one thread.
type Threading struct {
	// Enabled defaults to true; Alertmanager's default is false.
	Enabled *bool `yaml:"enabled,omitempty"`
	// ThreadByDate is daily (the default: one thread per day) or none.
	ThreadByDate string `yaml:"thread_by_date,omitempty"`
}

// Global holds Alertmanager's smtp_ keys of the global section: the defaults of
// entries.
type Global struct {
	From             string         `yaml:"smtp_from,omitempty"`
	Hello            string         `yaml:"smtp_hello,omitempty"`
	Smarthost        string         `yaml:"smtp_smarthost,omitempty"`
	AuthUsername     string         `yaml:"smtp_auth_username,omitempty"`
	AuthPassword     setting.Secret `yaml:"smtp_auth_password,omitempty"`
	AuthSecret       setting.Secret `yaml:"smtp_auth_secret,omitempty"`
	AuthIdentity     string         `yaml:"smtp_auth_identity,omitempty"`
	RequireTLS       *bool          `yaml:"smtp_require_tls,omitempty"`
	ForceImplicitTLS *bool          `yaml:"smtp_force_implicit_tls,omitempty"`
}

// Inherit fills in the keys that c leaves out. It must precede Validate.
func (c *Config) Inherit(g Global) {
	c.From = cmp.Or(c.From, g.From)
	c.Hello = cmp.Or(c.Hello, g.Hello)
	c.Smarthost = cmp.Or(c.Smarthost, g.Smarthost)
	c.AuthUsername = cmp.Or(c.AuthUsername, g.AuthUsername)
	c.AuthPassword = cmp.Or(c.AuthPassword, g.AuthPassword)
	c.AuthSecret = cmp.Or(c.AuthSecret, g.AuthSecret)
	c.AuthIdentity = cmp.Or(c.AuthIdentity, g.AuthIdentity)
	c.RequireTLS = cmp.Or(c.RequireTLS, g.RequireTLS)
	c.ForceImplicitTLS = cmp.Or(c.ForceImplicitTLS, g.ForceImplicitTLS)
}

// Kind returns the channel's properties. As in Alertmanager, resolved notifications
// are not sent by default.
func (*Config) Kind() notify.Kind { return notify.Kind{Name: "email"} }

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	if c.To == "" {
		f.Addf("to", "is missing: name the recipients, for example a@example.com, b@example.com")
	} else if !isTemplate(c.To) {
		if _, bad := parseRecipients(c.To); len(bad) > 0 {
			f.Addf("to", "%q is not an e-mail address", bad[0])
		}
	}
	if from := cmp.Or(c.From, c.AuthUsername); from == "" {
		f.Addf("from", "is missing: set it here or smtp_from under global")
	} else if _, err := mail.ParseAddress(from); err != nil && !isTemplate(from) {
		f.Addf("from", "%q is not an e-mail address; the sender is from, or else auth_username", from)
	}
	c.validateServer(f)
	if c.AuthUsername != "" && c.AuthPassword == "" && c.AuthSecret == "" {
		f.Addf("auth_password", "is missing: with qq.com, 163.com and exmail it is the authorization code, not the login password")
	}
	if c.AuthUsername == "" && c.AuthPassword != "" {
		f.Addf("auth_username", "is missing: there is an auth_password for it")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		switch {
		case name == "" || strings.Trim(name, headerName) != "":
			f.In("headers").Addf(name, "is not the name of a header: it consists of letters, digits and hyphens")
		case isReserved(name):
			f.In("headers").Warnf(name, "is ignored: Tocsin itself writes this header; the recipients are in to, the sender is in from")
		}
	}
	switch c.Threading.ThreadByDate {
	case "", "daily", "none":
	default:
		f.In("threading").Addf("thread_by_date", "%q is not possible: use daily or none", c.Threading.ThreadByDate)
	}
}

func (c *Config) validateServer(f *setting.Faults) {
	if c.Smarthost == "" {
		f.Addf("smarthost", "is missing: set it here or smtp_smarthost under global, for example smtp.exmail.qq.com:465")
		return
	}
	host, port, err := c.server()
	if err != nil {
		f.Addf("smarthost", "%q is not host:port: write it like smtp.exmail.qq.com:465", c.Smarthost)
		return
	}
	if port == 25 {
		f.Warnf("smarthost", "port 25 is closed for outgoing traffic on Tencent Cloud, Aliyun and AWS: use 465, or 587")
	}
	if !c.requireTLS() && !c.implicitTLS(port) && !setting.IsLoopback(host) {
		f.Warnf("require_tls", "is false: mails may travel unencrypted")
	}
}

// server returns the host and the port of Smarthost.
func (c *Config) server() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(c.Smarthost)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || host == "" {
		return "", 0, strconv.ErrRange
	}
	return host, int(n), nil
}

func (c *Config) requireTLS() bool { return c.RequireTLS == nil || *c.RequireTLS }

func (c *Config) implicitTLS(port int) bool {
	if c.ForceImplicitTLS != nil {
		return *c.ForceImplicitTLS
	}
	return port == 465
}

func (t Threading) enabled() bool { return t.Enabled == nil || *t.Enabled }

func isTemplate(s string) bool { return strings.Contains(s, "{{") }

// headerName holds the characters of header names in use; RFC 5322 allows more.
const headerName = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// isReserved reports whether Tocsin itself writes a header: those of the recipients,
// the sender, the identity of the mail, and the form of its body.
func isReserved(name string) bool {
	switch name = textproto.CanonicalMIMEHeaderKey(name); name {
	case "From", "Sender", "To", "Cc", "Bcc", "Date", "Message-Id", "Mime-Version", "Return-Path":
		return true
	default:
		return strings.HasPrefix(name, "Content-")
	}
}

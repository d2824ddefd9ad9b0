package email

import (
	"strings"
	"testing"

	"tocsin/pkg/notify/notifytest"
)

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"valid", func(*Config) {}, nil},
		{"templates", func(c *Config) { c.To, c.From = "{{ .CommonAnnotations.tos }}", "{{ .Receiver }}@example.com" }, nil},
		{"sender from the account", func(c *Config) { c.From = "" }, nil},
		{"no recipients", func(c *Config) { c.To = "" }, []string{"[to]"}},
		{"bad recipient", func(c *Config) { c.To = "ops@example.com, ops" }, []string{"[to]"}},
		{"account that is not an address", func(c *Config) { c.From, c.AuthUsername = "", "alerts" }, []string{"[from]"}},
		{"no sender", func(c *Config) { c.From, c.AuthUsername, c.AuthPassword = "", "", "" }, []string{"[from]"}},
		{"no server", func(c *Config) { c.Smarthost = "" }, []string{"[smarthost]"}},
		{"no port", func(c *Config) { c.Smarthost = host }, []string{"[smarthost]"}},
		{"bad port", func(c *Config) { c.Smarthost = host + ":smtps" }, []string{"[smarthost]"}},
		{"port 0", func(c *Config) { c.Smarthost = host + ":0" }, []string{"[smarthost]"}},
		{"port 25", func(c *Config) { c.Smarthost = host + ":25" }, []string{"?[smarthost]"}},
		{"no password", func(c *Config) { c.AuthPassword = "" }, []string{"[auth_password]"}},
		{"secret instead of a password", func(c *Config) { c.AuthPassword, c.AuthSecret = "", "s" }, nil},
		{"no user name", func(c *Config) { c.AuthUsername = "" }, []string{"[auth_username]"}},
		{"no TLS", func(c *Config) { c.Smarthost, c.RequireTLS = host+":587", new(false) }, []string{"?[require_tls]"}},
		{"no TLS on loopback", func(c *Config) { c.Smarthost, c.RequireTLS = "localhost:587", new(false) }, nil},
		{"implicit TLS without require_tls", func(c *Config) { c.RequireTLS = new(false) }, nil},
		{"bad header name", func(c *Config) { c.Headers = map[string]string{"X: y\r\nBcc": "x"} }, []string{"[headers X: y\r\nBcc]"}},
		{"reserved header", func(c *Config) { c.Headers = map[string]string{"bcc": "x", "Subject": "x"} }, []string{"?[headers bcc]"}},
		{"bad thread_by_date", func(c *Config) { c.Threading.ThreadByDate = "weekly" }, []string{"[threading thread_by_date]"}},
		{"empty entry", func(c *Config) { *c = Config{} }, []string{"[to]", "[from]", "[smarthost]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConfig("ops@example.com")
			tt.change(c)
			notifytest.CheckFaults(t, c.Validate, tt.want, password)
		})
	}
}

func TestInherit(t *testing.T) {
	g := Global{From: "g@example.com", Hello: "g", Smarthost: "g:465", AuthUsername: "gu", AuthPassword: "gp", AuthSecret: "gs", AuthIdentity: "gi", RequireTLS: new(false), ForceImplicitTLS: new(false)}
	var c Config
	c.Inherit(g)
	if c.From != g.From || c.Hello != g.Hello || c.Smarthost != g.Smarthost || c.AuthUsername != g.AuthUsername || c.AuthPassword != g.AuthPassword ||
		c.AuthSecret != g.AuthSecret || c.AuthIdentity != g.AuthIdentity || c.requireTLS() || c.implicitTLS(465) {
		t.Errorf("got %+v from an empty entry, want the global values", c)
	}
	c = Config{From: "f@example.com", Smarthost: "f:587", RequireTLS: new(true)}
	c.Inherit(g)
	if c.From != "f@example.com" || c.Smarthost != "f:587" || !c.requireTLS() {
		t.Errorf("got %+v, want the entry's own values", c)
	}
}

func TestNewNamesTheKeyInErrors(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"to: ":              func(c *Config) { c.To = "{{ .Nope" },
		"from: ":            func(c *Config) { c.From = "{{ nope }}" },
		"text: ":            func(c *Config) { c.Text = "{{ end }}" },
		"html: ":            func(c *Config) { c.HTML = `{{ template "nope" . }}` },
		"headers.Subject: ": func(c *Config) { c.Headers = map[string]string{"Subject": "{{ if }}"} },
	} {
		t.Run(want, func(t *testing.T) {
			c := newConfig("ops@example.com")
			change(c)
			if _, err := c.New(newEnv("zh"), nil); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got error %v, want it to begin with %q", err, want)
			}
		})
	}
}

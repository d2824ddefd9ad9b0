package email

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/pkg/setting"
)

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // the paths of the faults, with "~" before a warning
	}{
		{"valid", func(*Config) {}, ""},
		{"templates", func(c *Config) { c.To, c.From = "{{ .CommonAnnotations.tos }}", "{{ .Receiver }}@example.com" }, ""},
		{"sender from the account", func(c *Config) { c.From = "" }, ""},
		{"no recipients", func(c *Config) { c.To = "" }, "[to]"},
		{"bad recipient", func(c *Config) { c.To = "ops@example.com, ops" }, "[to]"},
		{"account that is not an address", func(c *Config) { c.From, c.AuthUsername = "", "alerts" }, "[from]"},
		{"no sender", func(c *Config) { c.From, c.AuthUsername, c.AuthPassword = "", "", "" }, "[from]"},
		{"no server", func(c *Config) { c.Smarthost = "" }, "[smarthost]"},
		{"no port", func(c *Config) { c.Smarthost = host }, "[smarthost]"},
		{"bad port", func(c *Config) { c.Smarthost = host + ":smtps" }, "[smarthost]"},
		{"port 0", func(c *Config) { c.Smarthost = host + ":0" }, "[smarthost]"},
		{"port 25", func(c *Config) { c.Smarthost = host + ":25" }, "~[smarthost]"},
		{"no password", func(c *Config) { c.AuthPassword = "" }, "[auth_password]"},
		{"secret instead of a password", func(c *Config) { c.AuthPassword, c.AuthSecret = "", "s" }, ""},
		{"no user name", func(c *Config) { c.AuthUsername = "" }, "[auth_username]"},
		{"no TLS", func(c *Config) { c.Smarthost, c.RequireTLS = host+":587", new(false) }, "~[require_tls]"},
		{"no TLS on loopback", func(c *Config) { c.Smarthost, c.RequireTLS = "localhost:587", new(false) }, ""},
		{"implicit TLS without require_tls", func(c *Config) { c.RequireTLS = new(false) }, ""},
		{"bad header name", func(c *Config) { c.Headers = map[string]string{"X: y\r\nBcc": "x"} }, "[headers X: y\r\nBcc]"},
		{"reserved header", func(c *Config) { c.Headers = map[string]string{"bcc": "x", "Subject": "x"} }, "~[headers bcc]"},
		{"bad thread_by_date", func(c *Config) { c.Threading.ThreadByDate = "weekly" }, "[threading thread_by_date]"},
		{"empty entry", func(c *Config) { *c = Config{} }, "[to] [from] [smarthost]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConfig("ops@example.com")
			tt.change(c)
			var f setting.Faults
			c.Validate(&f)
			var got []string
			for _, fault := range f.List() {
				path := fmt.Sprint(fault.Path)
				if fault.Warning {
					path = "~" + path
				}
				got = append(got, path)
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got faults at %q, want %q", s, tt.want)
			}
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
		"to: ":               func(c *Config) { c.To = "{{ .Nope" },
		"from: ":             func(c *Config) { c.From = "{{ nope }}" },
		"text: ":             func(c *Config) { c.Text = "{{ end }}" },
		"html: ":             func(c *Config) { c.HTML = `{{ template "nope" . }}` },
		"headers: Subject: ": func(c *Config) { c.Headers = map[string]string{"Subject": "{{ if }}"} },
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

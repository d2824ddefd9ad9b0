package email

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/setting"
)

func TestValidate(t *testing.T) {
	no := false
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // the path of the one fault, "" for none; "~" before a warning
	}{
		{"valid", func(*Config) {}, ""},
		{"templates", func(c *Config) { c.To, c.From = "{{ .CommonAnnotations.tos }}", "{{ .Receiver }}@example.com" }, ""},
		{"the sender is the account", func(c *Config) { c.From = "" }, ""},
		{"no recipients", func(c *Config) { c.To = "" }, "[to]"},
		{"a bad recipient", func(c *Config) { c.To = "ops@example.com, ops" }, "[to]"},
		{"an account that is no address", func(c *Config) { c.From, c.AuthUsername = "", "alerts" }, "[from]"},
		{"no sender", func(c *Config) { c.From, c.AuthUsername, c.AuthPassword = "", "", "" }, "[from]"},
		{"no server", func(c *Config) { c.Smarthost = "" }, "[smarthost]"},
		{"no port", func(c *Config) { c.Smarthost = host }, "[smarthost]"},
		{"a bad port", func(c *Config) { c.Smarthost = host + ":smtps" }, "[smarthost]"},
		{"port 0", func(c *Config) { c.Smarthost = host + ":0" }, "[smarthost]"},
		{"port 25", func(c *Config) { c.Smarthost = host + ":25" }, "~[smarthost]"},
		{"no password", func(c *Config) { c.AuthPassword = "" }, "[auth_password]"},
		{"a secret instead", func(c *Config) { c.AuthPassword, c.AuthSecret = "", "s" }, ""},
		{"no user", func(c *Config) { c.AuthUsername = "" }, "[auth_username]"},
		{"no TLS", func(c *Config) { c.Smarthost, c.RequireTLS = host+":587", &no }, "~[require_tls]"},
		{"no TLS to this machine", func(c *Config) { c.Smarthost, c.RequireTLS = "localhost:587", &no }, ""},
		{"TLS all the same", func(c *Config) { c.RequireTLS = &no }, ""},
		{"a header's name", func(c *Config) { c.Headers = map[string]string{"X: y\r\nBcc": "x"} }, "[headers X: y\r\nBcc]"},
		{"a reserved header", func(c *Config) { c.Headers = map[string]string{"bcc": "x", "Subject": "x"} }, "~[headers bcc]"},
		{"a bad date", func(c *Config) { c.Threading.ThreadByDate = "weekly" }, "[threading thread_by_date]"},
	} {
		c := newConfig("ops@example.com")
		tt.change(c)
		var f setting.Faults
		c.Validate(&f)
		var got []string
		for _, fault := range f.List() {
			warning := map[bool]string{true: "~"}[fault.Warning]
			got = append(got, warning+fmt.Sprint(fault.Path))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: faults at %q, want %q", tt.name, s, tt.want)
		}
	}
	var f setting.Faults
	new(Config).Validate(&f) // bears everything missing
	if len(f.List()) != 3 {
		t.Errorf("an empty entry has %d faults, want 3", len(f.List()))
	}
}

func TestInherit(t *testing.T) {
	no, yes := false, true
	g := Global{From: "g@example.com", Hello: "g", Smarthost: "g:465", AuthUsername: "gu", AuthPassword: "gp", AuthSecret: "gs", AuthIdentity: "gi", RequireTLS: &no, ForceImplicitTLS: &no}
	var c Config
	c.Inherit(g)
	if c.From != g.From || c.Hello != g.Hello || c.Smarthost != g.Smarthost || c.AuthUsername != g.AuthUsername || c.AuthPassword != g.AuthPassword ||
		c.AuthSecret != g.AuthSecret || c.AuthIdentity != g.AuthIdentity || c.requireTLS() || c.implicitTLS(465) {
		t.Errorf("inherited %+v", c)
	}
	c = Config{From: "f@example.com", Smarthost: "f:587", RequireTLS: &yes}
	c.Inherit(g)
	if c.From != "f@example.com" || c.Smarthost != "f:587" || !c.requireTLS() {
		t.Errorf("its own values were replaced: %+v", c)
	}
	if k := c.Kind(); k.Name != "email" || k.SendResolved || k.AtMostOnce {
		t.Errorf("kind %+v", k)
	}
}

func TestBadTemplatesAreNamed(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"to: ":               func(c *Config) { c.To = "{{ .Nope" },
		"from: ":             func(c *Config) { c.From = "{{ nope }}" },
		"text: ":             func(c *Config) { c.Text = "{{ end }}" },
		"html: ":             func(c *Config) { c.HTML = `{{ template "nope" . }}` },
		"headers: Subject: ": func(c *Config) { c.Headers = map[string]string{"Subject": "{{ if }}"} },
	} {
		c := newConfig("ops@example.com")
		change(c)
		if _, err := c.New(env(nil, "zh"), nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want it to begin with %q", err, want)
		}
	}
}

func TestParseRecipients(t *testing.T) {
	for _, tt := range []struct {
		in        string
		good, bad []string
	}{
		{"", nil, nil},
		{" , ;\n", nil, nil},
		{"a@example.com", []string{"a@example.com"}, nil},
		{"a@example.com, b@example.com;c@example.com；d@example.com，e@example.com\nf@example.com", []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com", "f@example.com"}, nil},
		{"a@example.com,A@Example.com, x <a@example.com>", []string{"a@example.com"}, nil},
		{`"Zhang, San" <a@example.com>, "a\"; b" <b@example.com>`, []string{"a@example.com", "b@example.com"}, nil},
		{"ops, a@example.com, @, b@", []string{"a@example.com"}, []string{"ops", "@", "b@"}},
		{"ops,ops", nil, []string{"ops"}},
		{`"open <a@example.com>, b@example.com`, nil, []string{`"open <a@example.com>, b@example.com`}},
		{"a@example.com\x00", nil, []string{"a@example.com"}},
	} {
		good, bad := parseRecipients(tt.in)
		var addresses []string
		for _, a := range good {
			addresses = append(addresses, a.Address)
		}
		if !slices.Equal(addresses, tt.good) || !slices.Equal(bad, tt.bad) {
			t.Errorf("%q: %q and %q, want %q and %q", tt.in, addresses, bad, tt.good, tt.bad)
		}
	}
}

func FuzzParseRecipients(f *testing.F) {
	for _, s := range []string{"a@example.com, b", `"x, y" <a@example.com>`, "=?utf-8?q?=0D=0A?= <a@b>", "a@b\r\nBcc: c@d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		good, bad := parseRecipients(s)
		for _, a := range good {
			if strings.ContainsAny(path(a.Address), "\r\n") {
				t.Fatalf("%q: %q breaks a command", s, path(a.Address))
			}
			if again, err := mail.ParseAddress(path(a.Address)); err != nil || again.Address != a.Address {
				t.Fatalf("%q: %q is %v, %v when it is read again", s, a.Address, again, err)
			}
		}
		for _, b := range bad {
			if len(b) > maxName {
				t.Fatalf("%q: a unit of %d bytes", s, len(b))
			}
		}
	})
}

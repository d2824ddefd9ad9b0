package email

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/network"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

const (
	account  = "alerts@example.com"
	password = "an-authorization-code"
	host     = "smtp.exmail.qq.com"
)

var now = time.Date(2026, 11, 20, 2, 30, 0, 0, time.UTC)

// startProvider starts a mail server with the names and ports of a real one, and the
// world in which channels find it. It knows no encryption on port 25.
func startProvider(t *testing.T, config smtp.Config) (*smtp.Server, *notify.Env) {
	t.Helper()
	world, err := network.New()
	if err != nil {
		t.Fatal(err)
	}
	config.Username, config.Password = account, password
	if config.TLS, err = world.ServerTLS(host); err != nil {
		t.Fatal(err)
	}
	server := smtp.New(config)
	config.TLS = nil
	bare := smtp.New(config)
	for addr, serve := range map[string]func(net.Listener) error{
		host + ":465": server.ServeTLS, host + ":2465": server.ServeTLS, "mail.example.com:465": server.ServeTLS,
		host + ":587": server.Serve, host + ":2587": server.Serve, host + ":25": bare.Serve,
	} {
		l, err := world.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		go serve(l)
	}
	t.Cleanup(func() { server.Close(); bare.Close(); world.Close() })
	return server, env(world, "zh")
}

func env(world *network.Network, language string) *notify.Env {
	e := &notify.Env{
		Now:   func() time.Time { return now },
		Style: render.Style{Language: language, Location: time.FixedZone("UTC+8", 8*60*60)},
	}
	if world != nil {
		e.Dial = world.DialContext
		e.TLS = &tls.Config{RootCAs: world.RootCAs()}
	}
	return e
}

// newConfig returns a valid configuration.
func newConfig(to string) *Config {
	return &Config{To: to, From: "Tocsin <" + account + ">", Smarthost: host + ":465", AuthUsername: account, AuthPassword: password}
}

func messages(t *testing.T, c *Config, e *notify.Env, n *alert.Notification) []notify.Message {
	t.Helper()
	var faults setting.Faults
	c.Validate(&faults)
	for _, fault := range faults.List() {
		if !fault.Warning {
			t.Fatalf("%v: %s", fault.Path, fault.Message)
		}
	}
	notifier, err := c.New(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := notifier.Messages(n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// send delivers a notification in one message and returns the outcomes by unit.
func send(ctx context.Context, t *testing.T, c *Config, e *notify.Env, n *alert.Notification) map[string]*notify.Error {
	t.Helper()
	list := messages(t, c, e, n)
	if len(list) != 1 {
		t.Fatalf("%d messages, want 1", len(list))
	}
	out := map[string]*notify.Error{}
	var units []string
	for _, o := range list[0].Send(ctx) {
		units = append(units, o.Unit)
		var fault *notify.Error
		if o.Err != nil && !errors.As(o.Err, &fault) {
			t.Errorf("%s: %T is not a notify.Error", o.Unit, o.Err)
		}
		if o.Err != nil && strings.Contains(o.Err.Error(), password) {
			t.Errorf("%s: the password is in the error: %v", o.Unit, o.Err)
		}
		out[o.Unit] = fault
	}
	if !slices.Equal(units, list[0].Units) {
		t.Errorf("outcomes of %q, want those of %q", units, list[0].Units)
	}
	return out
}

func diskFull() *alert.Notification {
	return &alert.Notification{
		ID: "n1", GroupKey: `{}:{alertname="DiskFull"}`, Receiver: "ops", At: now,
		Alerts: []*alert.Alert{{
			Labels:      alert.Labels{"alertname": "DiskFull", "instance": "db-1", "severity": "critical"},
			Annotations: alert.Labels{"summary": "磁盘将满 <95%>"},
			StartsAt:    now.Add(-10 * time.Minute),
		}},
	}
}

// all checks that every recipient was sent the mail.
func all(t *testing.T, out map[string]*notify.Error, recipients ...string) {
	t.Helper()
	for _, r := range recipients {
		if fault, known := out[r]; !known || fault != nil {
			t.Errorf("%s: known %v, error %v; want it delivered", r, known, fault)
		}
	}
	if len(out) != len(recipients) {
		t.Errorf("%d units, want %d", len(out), len(recipients))
	}
}

func TestMailArrives(t *testing.T) {
	yes, no := true, false
	for _, tt := range []struct {
		name   string
		server smtp.Config
		port   string
		change func(*Config)
	}{
		{"TLS from the start", smtp.Config{}, "465", nil},
		{"STARTTLS", smtp.Config{}, "587", nil},
		{"STARTTLS and LOGIN", smtp.Config{Mechanisms: []string{"LOGIN"}}, "587", nil},
		{"STARTTLS because it is there", smtp.Config{}, "587", func(c *Config) { c.RequireTLS = &no }},
		{"forced TLS from the start", smtp.Config{}, "2465", func(c *Config) { c.ForceImplicitTLS = &yes }},
		{"forced STARTTLS", smtp.Config{}, "465", func(c *Config) { c.Smarthost = host + ":2587"; c.ForceImplicitTLS = &no }},
		{"identity", smtp.Config{}, "465", func(c *Config) { c.AuthIdentity = account }},
		{"the sender is the account", smtp.Config{}, "465", func(c *Config) { c.From = "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, e := startProvider(t, tt.server)
			c := newConfig("ops@example.com, 张三 <zhang@example.com>; OPS@example.com")
			c.Smarthost = host + ":" + tt.port
			if tt.change != nil {
				tt.change(c)
			}
			all(t, send(t.Context(), t, c, e, diskFull()), "ops@example.com", "zhang@example.com")
			inbox := server.Inbox()
			if len(inbox) != 2 {
				t.Fatalf("%d mails, want 2", len(inbox))
			}
			for i, to := range []string{"ops@example.com", "zhang@example.com"} {
				m := inbox[i]
				if m.From != account || !slices.Equal(m.To, []string{to}) {
					t.Errorf("envelope from %s to %q, want %s to %s", m.From, m.To, account, to)
				}
				if want := "[告警] DiskFull · db-1"; m.Subject != want {
					t.Errorf("subject %q, want %q", m.Subject, want)
				}
				if want := "<ops@example.com>, 张三 <zhang@example.com>"; m.Header.Get("To") != want {
					t.Errorf("to %q, want %q", m.Header.Get("To"), want)
				}
				if want := "Fri, 20 Nov 2026 10:30:00 +0800"; m.Header.Get("Date") != want {
					t.Errorf("date %q, want %q", m.Header.Get("Date"), want)
				}
				for name, want := range map[string]string{"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "User-Agent": "", "X-Mailer": ""} {
					if got := m.Header.Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				if !strings.Contains(m.Text, "磁盘将满 <95%>") || !strings.Contains(m.HTML, "磁盘将满 &lt;95%&gt;") {
					t.Errorf("text:\n%s\nhtml:\n%s", m.Text, m.HTML)
				}
			}
		})
	}
}

func TestOneBadRecipientOfThree(t *testing.T) {
	server, e := startProvider(t, smtp.Config{})
	server.SetScript(smtp.Script{Recipients: map[string]smtp.Reply{"gone@example.com": {Code: 550, Text: "User not found"}, "full@example.com": {Code: 451, Text: "try later"}}})
	n := diskFull()
	n.Alerts[0].Annotations["tos"] = "a@example.com, gone@example.com, full@example.com, not an address, b@example.com"
	out := send(t.Context(), t, newConfig("{{ .CommonAnnotations.tos }}"), e, n)
	for unit, want := range map[string]struct {
		class notify.Class
		code  string
	}{
		"gone@example.com": {notify.Permanent, "550"},
		"full@example.com": {notify.Retry, "451"},
		"not an address":   {notify.Permanent, ""},
	} {
		if f := out[unit]; f == nil || f.Class != want.class || f.Code != want.code || f.Ambiguous {
			t.Errorf("%s: %+v, want %v", unit, f, want)
		}
		delete(out, unit)
	}
	all(t, out, "a@example.com", "b@example.com")
	if n := len(server.Inbox()); n != 2 {
		t.Errorf("%d mails, want 2", n)
	}
}

func TestDoneRecipientsAreLeftOut(t *testing.T) {
	server, e := startProvider(t, smtp.Config{})
	n := diskFull()
	n.AcceptedUnits = []string{"a@example.com"}
	all(t, send(t.Context(), t, newConfig("a@example.com, b@example.com"), e, n), "b@example.com")
	if inbox := server.Inbox(); len(inbox) != 1 || inbox[0].Header.Get("To") != "<a@example.com>, <b@example.com>" {
		t.Errorf("%d mails, want one that names both", len(inbox))
	}
	n.AcceptedUnits = append(n.AcceptedUnits, "b@example.com")
	if list := messages(t, newConfig("a@example.com, b@example.com"), e, n); len(list) != 0 {
		t.Errorf("%d messages, want none", len(list))
	}
}

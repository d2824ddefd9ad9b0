package email

import (
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/network"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/render"
)

const (
	account  = "alerts@example.com"
	password = "an-authorization-code"
	host     = "smtp.exmail.qq.com"
)

var now = time.Date(2026, 11, 20, 2, 30, 0, 0, time.UTC)

// startProvider starts a mail server with the names and ports of a real one, without
// encryption on port 25, and returns it with an environment that reaches it.
func startProvider(t *testing.T, config smtp.Config) (*smtp.Server, *notify.Env) {
	t.Helper()
	internet, err := network.New()
	if err != nil {
		t.Fatal(err)
	}
	config.Username, config.Password = account, password
	if config.TLS, err = internet.ServerTLS(host); err != nil {
		t.Fatal(err)
	}
	server := smtp.New(config)
	config.TLS = nil
	plain := smtp.New(config)
	for addr, serve := range map[string]func(net.Listener) error{
		host + ":465": server.ServeTLS, host + ":2465": server.ServeTLS, "mail.example.com:465": server.ServeTLS,
		host + ":587": server.Serve, host + ":2587": server.Serve, host + ":25": plain.Serve,
	} {
		l, err := internet.Listen(addr)
		if err != nil {
			t.Fatal(err)
		}
		go serve(l)
	}
	t.Cleanup(func() { server.Close(); plain.Close(); internet.Close() })
	env := newEnv("zh")
	env.Dial, env.TLS = internet.DialContext, &tls.Config{RootCAs: internet.RootCAs()}
	return server, env
}

func newEnv(language string) *notify.Env {
	return &notify.Env{
		Now:   func() time.Time { return now },
		Style: render.Style{Language: language, Location: time.FixedZone("UTC+8", 8*60*60)},
	}
}

// newConfig returns a valid configuration for the provider's account.
func newConfig(to string) *Config {
	return &Config{To: to, From: "Tocsin <" + account + ">", Smarthost: host + ":465", AuthUsername: account, AuthPassword: password}
}

func newNotification(alerts ...*alert.Alert) *alert.Notification {
	return &alert.Notification{ID: "n1", GroupKey: `{}:{alertname="DiskFull"}`, Receiver: "ops", At: now, Alerts: alerts}
}

func diskFull() *alert.Notification {
	return newNotification(&alert.Alert{
		Labels:      alert.Labels{"alertname": "DiskFull", "instance": "db-1", "severity": "critical"},
		Annotations: alert.Labels{"summary": "磁盘将满 <95%>"},
		StartsAt:    now.Add(-10 * time.Minute),
	})
}

// sendAll sends n by c, which must succeed, and returns the mails.
func sendAll(t *testing.T, c *Config, n *alert.Notification) []smtp.Mail {
	t.Helper()
	server, env := startProvider(t, smtp.Config{})
	notifytest.SendAll(t, notifytest.New(t, c, env), n)
	return server.Inbox()
}

// sendOne sends n by c and returns the only mail.
func sendOne(t *testing.T, c *Config, n *alert.Notification) smtp.Mail {
	t.Helper()
	inbox := sendAll(t, c, n)
	if len(inbox) != 1 {
		t.Fatalf("got %d mails, want 1", len(inbox))
	}
	return inbox[0]
}

func TestConnections(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server smtp.Config
		port   string
		change func(*Config)
	}{
		{"TLS from the start", smtp.Config{}, "465", nil},
		{"STARTTLS", smtp.Config{}, "587", nil},
		{"STARTTLS and LOGIN", smtp.Config{Mechanisms: []string{"LOGIN"}}, "587", nil},
		{"optional STARTTLS", smtp.Config{}, "587", func(c *Config) { c.RequireTLS = new(false) }},
		{"TLS from the start on another port", smtp.Config{}, "2465", func(c *Config) { c.ForceImplicitTLS = new(true) }},
		{"STARTTLS on another port", smtp.Config{}, "2587", func(c *Config) { c.ForceImplicitTLS = new(false) }},
		{"identity", smtp.Config{}, "465", func(c *Config) { c.AuthIdentity = account }},
		{"sender from the account", smtp.Config{}, "465", func(c *Config) { c.From = "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, env := startProvider(t, tt.server)
			c := newConfig("ops@example.com, 张三 <zhang@example.com>; OPS@example.com")
			c.Smarthost = host + ":" + tt.port
			if tt.change != nil {
				tt.change(c)
			}
			notifytest.SendAll(t, notifytest.New(t, c, env), diskFull())
			inbox := server.Inbox()
			if len(inbox) != 2 {
				t.Fatalf("got %d mails, want 2", len(inbox))
			}
			for i, to := range []string{"ops@example.com", "zhang@example.com"} {
				checkMail(t, inbox[i], to)
			}
		})
	}
}

// checkMail checks a mail of TestConnections.
func checkMail(t *testing.T, m smtp.Mail, to string) {
	t.Helper()
	if m.From != account || !slices.Equal(m.To, []string{to}) {
		t.Errorf("got envelope from %s to %q, want %s to %s", m.From, m.To, account, to)
	}
	for name, want := range map[string]string{
		"Subject": "[告警] DiskFull · db-1",
		"To":      "<ops@example.com>, 张三 <zhang@example.com>",
		"Date":    "Fri, 20 Nov 2026 10:30:00 +0800",

		"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "User-Agent": "", "X-Mailer": "",
	} {
		got := m.Header.Get(name)
		if name == "Subject" {
			got = m.Subject
		}
		if got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(m.Text, "磁盘将满 <95%>") || !strings.Contains(m.HTML, "磁盘将满 &lt;95%&gt;") {
		t.Errorf("got text:\n%s\nhtml:\n%s\nwant the summary in both", m.Text, m.HTML)
	}
}

func TestOneRejectedRecipientDoesNotAffectTheOthers(t *testing.T) {
	server, env := startProvider(t, smtp.Config{})
	server.SetScript(smtp.Script{Recipients: map[string]smtp.Reply{"gone@example.com": {Code: 550, Text: "User not found"}, "full@example.com": {Code: 451, Text: "try later"}}})
	n := diskFull()
	n.Alerts[0].Annotations["tos"] = "a@example.com, gone@example.com, full@example.com, not an address, b@example.com"
	outcomes := notifytest.Outcomes(t, t.Context(), notifytest.New(t, newConfig("{{ .CommonAnnotations.tos }}"), env), n, password)
	for unit, want := range map[string]*notify.Error{
		"a@example.com":    nil,
		"gone@example.com": {Class: notify.Permanent, Code: "550"},
		"full@example.com": {Class: notify.Retry, Code: "451"},
		"not an address":   {Class: notify.Permanent},
		"b@example.com":    nil,
	} {
		got, ok := outcomes[unit]
		if !ok || (got == nil) != (want == nil) || got != nil && (got.Class != want.Class || got.Code != want.Code || got.Ambiguous) {
			t.Errorf("got error %+v for %s, want %+v", got, unit, want)
		}
	}
	if got := len(server.Inbox()); got != 2 {
		t.Errorf("got %d mails, want 2", got)
	}
}

func TestSecondAttemptNamesAllRecipients(t *testing.T) {
	n := diskFull()
	n.AcceptedUnits = []string{"a@example.com"}
	m := sendOne(t, newConfig("a@example.com, b@example.com"), n)
	if got, want := m.Header.Get("To"), "<a@example.com>, <b@example.com>"; got != want || !slices.Equal(m.To, []string{"b@example.com"}) {
		t.Errorf("got header To %q to %q, want %q to b@example.com", got, m.To, want)
	}
}

func TestPreview(t *testing.T) {
	env := newEnv("zh")
	m := notifytest.Messages(t, notifytest.New(t, newConfig("张三 <zhang@example.com>, ops@example.com"), env), diskFull())[0]
	if got, want := m.Target, "alerts@example.com via smtp.exmail.qq.com:465"; got != want {
		t.Errorf("got target %q, want %q", got, want)
	}
	want := "From: Tocsin <alerts@example.com>\nTo: 张三 <zhang@example.com>, ops@example.com\nSubject: [告警] DiskFull · db-1\n\n[告警] DiskFull · db-1\n磁盘将满 <95%>\n"
	if !strings.HasPrefix(m.Text, want) {
		t.Errorf("got preview\n%s\nwant it to begin\n%s", m.Text, want)
	}
}

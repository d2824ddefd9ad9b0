package email

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

func TestContract(t *testing.T) {
	notifytest.Run(t, notifytest.Channel[*Config]{
		Start:   startVendor,
		Kind:    notify.Kind{Name: "email"},
		Secrets: []string{password},
		Errors:  vendorErrors(),
		SeveralUnits: func(c *Config) {
			c.To = "ops@example.com, b@example.com; 张三 <c@example.com>"
		},
		Templates: []notifytest.TemplateCase[*Config]{
			{Key: "text", Set: func(c *Config, s string) { c.Text = s }},
			{Key: "html", Set: func(c *Config, s string) { c.HTML = s }},
			{Key: "headers.Subject", Set: func(c *Config, s string) { c.Headers = map[string]string{"Subject": s} }},
			{Key: "headers.X-Team", Set: func(c *Config, s string) { c.Headers = map[string]string{"X-Team": s} }},
			{Key: "to", Set: func(c *Config, s string) { c.To = s }, OnFailure: notifytest.Permanent},
			{Key: "from", Set: func(c *Config, s string) { c.From = s }, OnFailure: notifytest.Permanent},
		},
		Variants: []notifytest.Variant[*Config]{
			{Name: "headers", Change: func(c *Config) {
				c.Headers = map[string]string{"Subject": "{{ .CommonLabels.alertname }}", "X-Alert": "{{ .CommonLabels.alertname }}"}
			}},
		},
	})
}

func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	server, env := startProvider(t, smtp.Config{})
	return &notifytest.Vendor[*Config]{
		Env: env, Config: newConfig("ops@example.com"), Fake: server,
		Received: func(skip int) []notifytest.Received {
			var out []notifytest.Received
			for _, m := range server.Inbox()[skip:] {
				out = append(out, notifytest.Received{
					Text:     m.Subject + "\n" + m.Text + "\n" + m.HTML,
					Mentions: m.To,
					Markup: map[string]int{
						"headers":              len(m.Header),
						"tags":                 strings.Count(m.HTML, "<"),
						"script links":         strings.Count(m.HTML, `"javascript:`),
						"lines in the subject": strings.Count(m.Subject, "\n") + strings.Count(m.Subject, "\r"),
					},
				})
			}
			return out
		},
	}
}

// vendorErrors are the replies of mail providers (RFC 5321, 4.2, and what
// exmail.qq.com and others were seen to answer) and broken connections.
func vendorErrors() []notifytest.ErrorCase[*Config] {
	type (
		errorCase = notifytest.ErrorCase[*Config]
		vendor    = *notifytest.Vendor[*Config]
	)
	const retry, rate, permanent, tooLong = notify.Retry, notify.Rate, notify.Permanent, notify.TooLong
	auth := func(code int, text string) smtp.Script { return smtp.Script{Auth: smtp.Reply{Code: code, Text: text}} }
	data := func(code int, text string) smtp.Script { return smtp.Script{Data: smtp.Reply{Code: code, Text: text}} }
	greeting := func(code int, text string) smtp.Script {
		return smtp.Script{Greeting: smtp.Reply{Code: code, Text: text}}
	}
	recipient := func(code int, text string) smtp.Script {
		return smtp.Script{Recipients: map[string]smtp.Reply{"ops@example.com": {Code: code, Text: text}}}
	}
	var cases []errorCase
	for _, c := range []struct {
		name    string
		script  smtp.Script
		class   notify.Class
		after   time.Duration
		code    string
		message string
	}{
		{"login refused in GBK", auth(501, "\xb5\xc7\xc2\xbc\xca\xa7\xb0\xdc"), permanent, 0, "501", "登录失败"},
		{"login refused in no encoding", auth(501, "no\xff\xff"), permanent, 0, "501", "refused the login: no"},
		{"login refused for now", auth(454, "Temporary authentication failure"), retry, 0, "454", "refused the login"},
		{"login refused with the password in the reply", auth(535, "no: "+password), permanent, 0, "535", "no: <secret>"},
		{"connections too frequent", greeting(550, "Connection frequency limited"), rate, 5 * time.Minute, "550", "too frequent"},
		{"busy", greeting(421, "Service not available"), retry, 0, "421", "refused the connection"},
		{"mails too frequent", data(550, "Domain frequency limited"), rate, 5 * time.Minute, "550", "too frequent"},
		{"mails too frequent for now", data(452, "Too many messages"), rate, 5 * time.Minute, "452", "too frequent"},
		{"content refused", data(550, "Mail content denied"), permanent, 0, "550", "refused the mail: Mail content denied"},
		{"content refused with rate in a word", data(554, "Spam rate: generated"), permanent, 0, "554", "refused the mail"},
		{"mail too long", data(552, "Message size exceeds fixed limit"), tooLong, 0, "552", "too long"},
		{"mail too long by its extended code", data(552, "5.3.4 too big"), tooLong, 0, "552", "too long"},
		{"recipient unknown", recipient(550, "User not found"), permanent, 0, "550", "refused the recipient"},
		{"recipient refused for now", recipient(451, "try later"), retry, 0, "451", "refused the recipient"},
		{"mailbox full", recipient(552, "Mailbox full"), permanent, 0, "552", "refused the recipient"},
		{"long reply", data(451, strings.Repeat("x", 400)), retry, 0, "451", "…"},
	} {
		cases = append(cases, errorCase{Name: c.name,
			Setup: func(_ *testing.T, v vendor) { v.Fake.(*smtp.Server).SetScript(c.script) },
			Want:  &notify.Error{Class: c.class, RetryAfter: c.after, Code: c.code, Message: c.message},
		})
	}
	hang := func(address string) errorCase {
		return errorCase{Name: "no greeting from " + address, Timeout: true,
			Setup: func(_ *testing.T, v vendor) {
				v.Fake.(*smtp.Server).SetScript(smtp.Script{Hang: true})
				v.Config.Smarthost = address
			},
			Want: &notify.Error{Class: retry, Message: "did not answer in time"},
		}
	}
	change := func(name string, change func(*Config), class notify.Class, code, message string) errorCase {
		return errorCase{Name: name,
			Setup: func(_ *testing.T, v vendor) { change(v.Config) },
			Want:  &notify.Error{Class: class, Code: code, Message: message}}
	}
	return append(cases,
		hang(host+":465"), hang(host+":587"),
		errorCase{Name: "connection closed after the mail was accepted", Delivered: 1,
			Setup: func(_ *testing.T, v vendor) { v.Fake.(*smtp.Server).SetScript(smtp.Script{DropAfterAccept: true}) },
			Want:  &notify.Error{Class: retry, Ambiguous: true, Message: "may have been sent"}},
		errorCase{Name: "certificate of an unknown authority at STARTTLS",
			Setup: func(_ *testing.T, v vendor) {
				v.Env.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
				v.Config.Smarthost = host + ":587"
			},
			Want: &notify.Error{Class: retry, Message: "certificate"}},
		change("certificate of another server", func(c *Config) { c.Smarthost = "mail.example.com:465" }, retry, "", "certificate"),
		change("wrong password", func(c *Config) { c.AuthPassword = "guess" }, permanent, "535", "authorization code"),
		change("sender is not the account", func(c *Config) { c.From = "boss@example.com" }, permanent, "501", "auth_username"),
		change("no TLS from the start", func(c *Config) { c.Smarthost, c.ForceImplicitTLS = host+":587", new(true) }, permanent, "", "port 465"),
		change("no STARTTLS", func(c *Config) { c.Smarthost = host + ":25" }, permanent, "", "offers no encryption"),
		change("no TLS for the password", func(c *Config) { c.Smarthost, c.RequireTLS = host+":25", new(false) }, permanent, "", "the password was not sent"),
		change("login required", func(c *Config) { c.AuthUsername, c.AuthPassword = "", "" }, permanent, "530", ""),
		errorCase{Name: "no mechanism to log in with",
			Setup: func(t *testing.T, v vendor) {
				_, env := startProvider(t, smtp.Config{Mechanisms: []string{"XOAUTH2"}})
				v.Env.Dial, v.Env.TLS = env.Dial, env.TLS
			},
			Want: &notify.Error{Class: permanent, Message: "none of PLAIN"}},
	)
}

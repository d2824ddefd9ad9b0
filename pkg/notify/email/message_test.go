package email

import (
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
)

func TestThreads(t *testing.T) {
	thread := func(c *Config, n *alert.Notification) string {
		t.Helper()
		m := sendOne(t, c, n)
		if got, want := m.Header.Get("In-Reply-To"), m.Header.Get("References"); got != want {
			t.Errorf("got In-Reply-To %s, want References, %s", got, want)
		}
		return m.Header.Get("References")
	}
	// at returns a notification of the same group, sent later.
	at := func(d time.Duration) *alert.Notification {
		n := diskFull()
		n.At = now.Add(d)
		return n
	}
	resolvedLater := diskFull()
	resolvedLater.ID = "n2"
	resolvedLater.Alerts[0].EndsAt = now
	otherGroup := diskFull()
	otherGroup.GroupKey = "{}:{}"

	root := thread(newConfig("ops@example.com"), diskFull())
	if !strings.HasPrefix(root, "<group-") || !strings.HasSuffix(root, "@example.com>") {
		t.Errorf("got references %q, want <group-…@example.com>", root)
	}
	byNoDate := newConfig("ops@example.com")
	byNoDate.Threading.ThreadByDate = "none"
	off := newConfig("ops@example.com")
	off.Threading.Enabled = new(false)
	for _, tt := range []struct {
		name   string
		config *Config
		n      *alert.Notification
		other  string
		same   bool
	}{
		{"resolved", newConfig("ops@example.com"), resolvedLater, root, true},
		{"later on the same day", newConfig("ops@example.com"), at(13 * time.Hour), root, true}, // 23:30 in the zone of messages
		{"next day", newConfig("ops@example.com"), at(14 * time.Hour), root, false},
		{"next day without a date", byNoDate, at(14 * time.Hour), thread(byNoDate, diskFull()), true},
		{"other group", newConfig("ops@example.com"), otherGroup, root, false},
		{"off", off, diskFull(), "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := thread(tt.config, tt.n); (got == tt.other) != tt.same {
				t.Errorf("got thread %q, want it equal to %q: %v", got, tt.other, tt.same)
			}
		})
	}
}

func TestMessageIDs(t *testing.T) {
	id := func(to string, n *alert.Notification) string {
		t.Helper()
		inbox := sendAll(t, newConfig(to), n)
		return inbox[len(inbox)-1].Header.Get("Message-Id")
	}
	first := id("ops@example.com", diskFull())
	if !strings.HasPrefix(first, "<") || !strings.HasSuffix(first, "@example.com>") {
		t.Errorf("got id %q, want <…@example.com>", first)
	}
	retried := diskFull()
	retried.At = now.Add(time.Minute)
	if got := id("ops@example.com", retried); got != first {
		t.Errorf("got id %s from another attempt, want %s", got, first)
	}
	next := diskFull()
	next.ID = "n2"
	if got := id("ops@example.com", next); got == first {
		t.Errorf("got id %s from another notification, want another one", got)
	}
	if got := id("ops@example.com, b@example.com", diskFull()); got == first {
		t.Errorf("got id %s for another recipient, want another one", got)
	}
}

func TestHeaders(t *testing.T) {
	c := newConfig("ops@example.com")
	c.Headers = map[string]string{
		"subject":  `{{ .CommonLabels.alertname }}：{{ .Alerts | len }} 条`,
		"Reply-To": "desk@example.com",
		"X-Team":   "数据 {{ .CommonLabels.instance }}",
		"To":       "boss@example.com",
		"from":     "boss@example.com",
	}
	m := sendOne(t, c, diskFull())
	for name, want := range map[string]string{
		"Subject":  "DiskFull：1 条",
		"Reply-To": "desk@example.com",
		"X-Team":   "数据 db-1",
		"To":       "<ops@example.com>",
		"From":     `"Tocsin" <alerts@example.com>`,
	} {
		if got := m.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
}

// Line breaks in ids, labels, annotations and display names do not add headers, and
// the text is not lost.
func TestHeadersCannotBeForged(t *testing.T) {
	for _, text := range []string{"x\r\nBcc: victim@example.com\r\n\r\nbody", "x\nBcc: victim@example.com", "x\rBcc: victim@example.com", "x\u2028Bcc: victim@example.com"} {
		for _, subject := range []string{"", "{{ .CommonLabels.alertname }}"} {
			t.Run(fmt.Sprintf("%q with subject %q", text, subject), func(t *testing.T) {
				n := diskFull()
				n.GroupKey, n.ID = text, text
				n.Alerts[0].Labels["alertname"] = text
				n.Alerts[0].Annotations["summary"] = text
				c := newConfig(`=?utf-8?q?x=0D=0ABcc=3A_victim=40example.com?= <ops@example.com>`)
				c.Headers = map[string]string{"X-Alert": "{{ .CommonLabels.alertname }}"}
				if subject != "" {
					c.Headers["Subject"] = subject
				}
				m := sendOne(t, c, n)
				if _, forged := m.Header["Bcc"]; forged || !slices.Equal(m.To, []string{"ops@example.com"}) {
					t.Errorf("got a forged header, want none:\n%s", m.Raw)
				}
				if !strings.Contains(m.Subject, "Bcc: victim@example.com") || strings.ContainsAny(m.Subject, "\r\n") || m.HTML == "" || m.Text == "" {
					t.Errorf("got subject %q, %d bytes of HTML and %d of text; want the text in one line, and both bodies", m.Subject, len(m.HTML), len(m.Text))
				}
			})
		}
	}
}

func TestLongSubject(t *testing.T) {
	c := newConfig("ops@example.com")
	long := strings.Repeat("积压告警", 60) // 720 bytes
	c.Headers = map[string]string{"Subject": long}
	m := sendOne(t, c, diskFull())
	if m.Subject != long {
		t.Errorf("got subject %q, want %q", m.Subject, long)
	}
	for line := range strings.Lines(string(m.Raw)) {
		if len(line) > 78+len("\r\n") { // RFC 5322, 2.1.1
			t.Errorf("got a line of %d bytes, want at most 80: %s", len(line), line)
		}
	}
	c.Headers["Subject"] = strings.Repeat("压", 1000)
	if m := sendOne(t, c, diskFull()); len(m.Subject) > maxHeader || !strings.HasSuffix(m.Subject, "压…") {
		t.Errorf("got a subject of %d bytes, want it cut to %d: %q", len(m.Subject), maxHeader, m.Subject)
	}
}

func TestCustomBody(t *testing.T) {
	c := newConfig("ops@example.com")
	c.Text = `{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}`
	c.HTML = `<b>{{ .CommonAnnotations.summary }}</b>`
	if m := sendOne(t, c, diskFull()); m.Text != "磁盘将满 <95%>" || m.HTML != "<b>磁盘将满 &lt;95%&gt;</b>" {
		t.Errorf("got text %q and html %q, want the templates' output", m.Text, m.HTML)
	}
	c.HTML = ""
	if m := sendOne(t, c, diskFull()); m.Text != "磁盘将满 <95%>" || !strings.Contains(m.HTML, "</html>") {
		t.Errorf("got text %q and html %q, want the template's text and the built-in HTML", m.Text, m.HTML)
	}
}

// Every template that fails is noted in the built-in text and HTML.
func TestAllFailingTemplatesAreNoted(t *testing.T) {
	c := newConfig("ops@example.com")
	c.Text = `{{ (index .Alerts 7).Labels.x }}`
	c.HTML = c.Text
	c.Headers = map[string]string{"Subject": c.Text}
	m := sendOne(t, c, diskFull())
	if want := "[告警] DiskFull · db-1"; m.Subject != want {
		t.Errorf("got subject %q, want %q", m.Subject, want)
	}
	for _, body := range []string{m.Text, m.HTML} {
		if got := strings.Count(body, "index out of range"); got != 3 || !strings.Contains(body, "db-1") {
			t.Errorf("got %d errors in the body, want 3 and the built-in text:\n%s", got, body)
		}
	}
}

func TestAlertmanagersTemplates(t *testing.T) {
	c := newConfig("ops@example.com")
	c.HTML = `{{ template "email.default.html" . }}`
	c.Headers = map[string]string{"Subject": `{{ template "email.default.subject" . }}`}
	m := sendOne(t, c, diskFull())
	if !strings.HasPrefix(m.Subject, "[FIRING:1]") || !strings.Contains(m.HTML, "DiskFull") {
		t.Errorf("got subject %q and html %q, want Alertmanager's", m.Subject, m.HTML)
	}
}

func TestOnlyTheFirstAlertsAreListed(t *testing.T) {
	n := diskFull()
	n.Alerts = nil
	for i := range 1000 {
		n.Alerts = append(n.Alerts, &alert.Alert{Labels: alert.Labels{"alertname": "DiskFull", "instance": fmt.Sprintf("db-%04d", i)}, StartsAt: now})
	}
	for halfSize, want := range map[bool]int{false: 200, true: 100} {
		t.Run(fmt.Sprintf("half size %v", halfSize), func(t *testing.T) {
			n.HalfSize = halfSize
			m := sendOne(t, newConfig("ops@example.com"), n)
			rest := fmt.Sprintf("另有 %d 条未列出", 1000-want)
			for _, body := range []string{m.Text, m.HTML} {
				if got := strings.Count(body, "db-0"); got != want || !strings.Contains(body, rest) {
					t.Errorf("got %d alerts, want %d and %q", got, want, rest)
				}
			}
			if len(m.HTML) > 102_000 {
				t.Errorf("got %d bytes of HTML, want at most 102,000", len(m.HTML))
			}
		})
	}
}

func TestHTMLIsEscaped(t *testing.T) {
	layout, err := newLayout()
	if err != nil {
		t.Fatal(err)
	}
	doc := &render.Document{Title: "<script>alert(1)</script>", Links: []render.Link{{Name: "<b>", URL: "javascript:alert(1)"}},
		Items: []render.Item{{Title: `"><img src=x onerror=alert(1)>`}}}
	html, err := newBody(doc, "zh", maxItems).html(layout)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "javascript:", "<b>"} {
		if strings.Contains(html, bad) {
			t.Errorf("got %s in the HTML, want it escaped:\n%s", bad, html)
		}
	}
}

func TestParseRecipients(t *testing.T) {
	for _, tt := range []struct {
		name, in           string
		addresses, invalid []string
	}{
		{"empty", "", nil, nil},
		{"separators only", " , ;\n", nil, nil},
		{"address", "a@example.com", []string{"a@example.com"}, nil},
		{"all separators", "a@example.com, b@example.com;c@example.com；d@example.com，e@example.com\nf@example.com", []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com", "e@example.com", "f@example.com"}, nil},
		{"duplicates", "a@example.com,A@Example.com, x <a@example.com>", []string{"a@example.com"}, nil},
		{"quoted separators", `"Zhang, San" <a@example.com>, "a\"; b" <b@example.com>`, []string{"a@example.com", "b@example.com"}, nil},
		{"invalid", "ops, a@example.com, @, b@", []string{"a@example.com"}, []string{"ops", "@", "b@"}},
		{"invalid duplicates", "ops,ops", nil, []string{"ops"}},
		{"open quote", `"open <a@example.com>, b@example.com`, nil, []string{`"open <a@example.com>, b@example.com`}},
		{"control character", "a@example.com\x00", nil, []string{"a@example.com"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parsed, invalid := parseRecipients(tt.in)
			var addresses []string
			for _, a := range parsed {
				addresses = append(addresses, a.Address)
			}
			if !slices.Equal(addresses, tt.addresses) || !slices.Equal(invalid, tt.invalid) {
				t.Errorf("got addresses %q and invalid %q, want %q and %q", addresses, invalid, tt.addresses, tt.invalid)
			}
		})
	}
}

func FuzzParseRecipients(f *testing.F) {
	for _, s := range []string{"a@example.com, b", `"x, y" <a@example.com>`, "=?utf-8?q?=0D=0A?= <a@b>", "a@b\r\nBcc: c@d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addresses, invalid := parseRecipients(s)
		for _, a := range addresses {
			spec := addrSpec(a.Address)
			if strings.ContainsAny(spec, "\r\n") {
				t.Fatalf("%q: got %q, want one line", s, spec)
			}
			if again, err := mail.ParseAddress(spec); err != nil || again.Address != a.Address {
				t.Fatalf("%q: got %v, %v from %q, want %q", s, again, err, spec, a.Address)
			}
		}
		for _, text := range invalid {
			if len(text) > maxName {
				t.Fatalf("%q: got a unit of %d bytes, want at most %d", s, len(text), maxName)
			}
		}
	})
}

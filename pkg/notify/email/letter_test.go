package email

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/render"
)

// delivered sends n by c and returns the one mail that arrived.
func delivered(t *testing.T, c *Config, n *alert.Notification) smtp.Mail {
	t.Helper()
	server, e := startProvider(t, smtp.Config{})
	all(t, send(t.Context(), t, c, e, n), "ops@example.com")
	inbox := server.Inbox()
	if len(inbox) != 1 {
		t.Fatalf("%d mails, want 1", len(inbox))
	}
	return inbox[0]
}

func TestThreads(t *testing.T) {
	no := false
	resolved := diskFull()
	resolved.ID = "n2"
	resolved.Alerts[0].EndsAt = now
	thread := func(c *Config, n *alert.Notification) string {
		t.Helper()
		m := delivered(t, c, n)
		if m.Header.Get("In-Reply-To") != m.Header.Get("References") {
			t.Errorf("in reply to %s, but references %s", m.Header.Get("In-Reply-To"), m.Header.Get("References"))
		}
		return m.Header.Get("References")
	}
	later, midnight, other := diskFull(), diskFull(), diskFull()
	later.At = now.Add(13 * time.Hour) // 23:30 in the zone of the messages
	midnight.At = now.Add(14 * time.Hour)
	other.GroupKey = "{}:{}"

	root := thread(newConfig("ops@example.com"), diskFull())
	if !strings.HasPrefix(root, "<group-") || !strings.HasSuffix(root, "@example.com>") {
		t.Errorf("references %q", root)
	}
	always := newConfig("ops@example.com")
	always.Threading.ThreadByDate = "none"
	never := newConfig("ops@example.com")
	never.Threading.Enabled = &no
	for _, tt := range []struct {
		name string
		c    *Config
		n    *alert.Notification
		same string
		want bool
	}{
		{"resolved", newConfig("ops@example.com"), resolved, root, true},
		{"the same day", newConfig("ops@example.com"), later, root, true},
		{"the next day", newConfig("ops@example.com"), midnight, root, false},
		{"the next day, by no date", always, midnight, thread(always, diskFull()), true},
		{"another group", newConfig("ops@example.com"), other, root, false},
		{"off", never, diskFull(), "", true},
	} {
		if got := thread(tt.c, tt.n); (got == tt.same) != tt.want {
			t.Errorf("%s: thread %q, is %q: want %v", tt.name, got, tt.same, tt.want)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	id := func(to string, n *alert.Notification) string {
		t.Helper()
		server, e := startProvider(t, smtp.Config{})
		send(t.Context(), t, newConfig(to), e, n)
		inbox := server.Inbox()
		return inbox[len(inbox)-1].Header.Get("Message-Id")
	}
	first := id("ops@example.com", diskFull())
	if !strings.HasPrefix(first, "<") || !strings.HasSuffix(first, "@example.com>") {
		t.Errorf("id %q", first)
	}
	again := diskFull()
	again.At = now.Add(time.Minute)
	if got := id("ops@example.com", again); got != first {
		t.Errorf("another attempt has the id %s, want %s", got, first)
	}
	next := diskFull()
	next.ID = "n2"
	if got := id("ops@example.com", next); got == first {
		t.Errorf("another notification has the same id")
	}
	if got := id("ops@example.com, b@example.com", diskFull()); got == first {
		t.Errorf("another recipient's mail has the same id")
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
	m := delivered(t, c, diskFull())
	for name, want := range map[string]string{
		"Subject":  "DiskFull：1 条",
		"Reply-To": "desk@example.com",
		"X-Team":   "数据 db-1",
		"To":       "<ops@example.com>",
		"From":     `"Tocsin" <alerts@example.com>`,
	} {
		if got := m.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Labels, annotations and display names may hold line breaks; no header may
// come of them.
func TestHeadersCannotBeForged(t *testing.T) {
	for _, evil := range []string{"x\r\nBcc: victim@example.com\r\n\r\nbody", "x\nBcc: victim@example.com", "x\rBcc: victim@example.com", "x\u2028Bcc: victim@example.com"} {
		n := diskFull()
		n.GroupKey, n.ID = evil, evil
		n.Alerts[0].Labels["alertname"] = evil
		n.Alerts[0].Annotations["summary"] = evil
		c := newConfig(`=?utf-8?q?x=0D=0ABcc=3A_victim=40example.com?= <ops@example.com>`)
		c.Headers = map[string]string{"X-Alert": "{{ .CommonLabels.alertname }}"}
		for _, subject := range []string{"", "{{ .CommonLabels.alertname }}"} {
			if subject != "" {
				c.Headers["Subject"] = subject
			}
			m := delivered(t, c, n)
			if _, forged := m.Header["Bcc"]; forged || !slices.Equal(m.To, []string{"ops@example.com"}) {
				t.Errorf("%q forged a header:\n%s", evil, m.Raw)
			}
			if !strings.Contains(m.Subject, "Bcc: victim@example.com") {
				t.Errorf("%q: subject %q lost the text", evil, m.Subject)
			}
			if strings.ContainsAny(m.Subject, "\r\n") || m.HTML == "" || m.Text == "" {
				t.Errorf("%q: subject %q, %d bytes of HTML", evil, m.Subject, len(m.HTML))
			}
		}
	}
}

func TestLongSubject(t *testing.T) {
	c := newConfig("ops@example.com")
	long := strings.Repeat("积压告警", 60) // 720 bytes
	c.Headers = map[string]string{"Subject": long}
	m := delivered(t, c, diskFull())
	if m.Subject != long {
		t.Errorf("subject %q, want %q", m.Subject, long)
	}
	for line := range strings.Lines(string(m.Raw)) {
		if len(line) > 78+len("\r\n") { // RFC 5322, 2.1.1
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
	c.Headers["Subject"] = strings.Repeat("压", 1000)
	if m := delivered(t, c, diskFull()); len(m.Subject) > maxHeader || !strings.HasSuffix(m.Subject, "压…") {
		t.Errorf("a subject of %d bytes: %q", len(m.Subject), m.Subject)
	}
}

func TestOwnBody(t *testing.T) {
	c := newConfig("ops@example.com")
	c.Text = `{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}`
	c.HTML = `<b>{{ .CommonAnnotations.summary }}</b>`
	m := delivered(t, c, diskFull())
	if m.Text != "磁盘将满 <95%>" || m.HTML != "<b>磁盘将满 &lt;95%&gt;</b>" {
		t.Errorf("text %q, html %q", m.Text, m.HTML)
	}

	c.HTML = ""
	m = delivered(t, c, diskFull())
	if m.Text != "磁盘将满 <95%>" || !strings.Contains(m.HTML, "</html>") {
		t.Errorf("text %q, html %q", m.Text, m.HTML)
	}
}

// A template that fails only once an alert is there must not keep the alert
// from its readers.
func TestFailingTemplates(t *testing.T) {
	c := newConfig("ops@example.com")
	c.Text = `{{ (index .Alerts 7).Labels.x }}`
	c.HTML = c.Text
	c.Headers = map[string]string{"Subject": c.Text}
	m := delivered(t, c, diskFull())
	if m.Subject != "[告警] DiskFull · db-1" {
		t.Errorf("subject %q", m.Subject)
	}
	for _, body := range []string{m.Text, m.HTML} {
		if !strings.Contains(body, "db-1") || strings.Count(body, "index out of range") != 3 {
			t.Errorf("the body does not say what failed:\n%s", body)
		}
	}
}

func TestAlertmanagersTemplates(t *testing.T) {
	c := newConfig("ops@example.com")
	c.HTML = `{{ template "email.default.html" . }}`
	c.Headers = map[string]string{"Subject": `{{ template "email.default.subject" . }}`}
	m := delivered(t, c, diskFull())
	if !strings.HasPrefix(m.Subject, "[FIRING:1]") || !strings.Contains(m.HTML, "DiskFull") {
		t.Errorf("subject %q, html %q", m.Subject, m.HTML)
	}
}

func TestManyAlerts(t *testing.T) {
	n := diskFull()
	n.Alerts = nil
	for i := range 1000 {
		n.Alerts = append(n.Alerts, &alert.Alert{Labels: alert.Labels{"alertname": "DiskFull", "instance": fmt.Sprintf("db-%04d", i)}, StartsAt: now})
	}
	for shrink, items := range map[bool]int{false: 200, true: 100} {
		n.HalfSize = shrink
		m := delivered(t, newConfig("ops@example.com"), n)
		more := fmt.Sprintf("另有 %d 条未列出", 1000-items)
		for _, body := range []string{m.Text, m.HTML} {
			if got := strings.Count(body, "db-0"); got != items || !strings.Contains(body, more) {
				t.Errorf("shrink %v: %d alerts are listed, want %d and %q", shrink, got, items, more)
			}
		}
		if len(m.HTML) > 102_000 {
			t.Errorf("shrink %v: %d bytes of HTML", shrink, len(m.HTML))
		}
	}
}

func TestLinksCannotRunScripts(t *testing.T) {
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
			t.Errorf("%s is in the HTML:\n%s", bad, html)
		}
	}
}

func TestPreview(t *testing.T) {
	_, e := startProvider(t, smtp.Config{})
	m := messages(t, newConfig("张三 <zhang@example.com>, ops@example.com"), e, diskFull())[0]
	if m.Target != "alerts@example.com via smtp.exmail.qq.com:465" {
		t.Errorf("target %q", m.Target)
	}
	want := "From: Tocsin <alerts@example.com>\nTo: 张三 <zhang@example.com>, ops@example.com\nSubject: [告警] DiskFull · db-1\n\n[告警] DiskFull · db-1\n磁盘将满 <95%>\n"
	if !strings.HasPrefix(m.Text, want) {
		t.Errorf("preview\n%s\nwant it to begin\n%s", m.Text, want)
	}
}

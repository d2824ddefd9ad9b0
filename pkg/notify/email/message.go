package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"tocsin/pkg/render"
)

const (
	maxHeader = 900 // bytes of a header's value; RFC 5322 allows lines of 998
	maxName   = 120 // bytes of a name or an address
)

// renderedMessage is a notification as mails, which differ by recipient only.
type renderedMessage struct {
	// id is the notification's; the Message-IDs of the mails are derived from it.
	id      string
	thread  string
	date    time.Time
	from    *mail.Address
	to      []*mail.Address
	subject string
	headers [][2]string
	text    string
	html    string
	// charts are the images inside html.
	charts []chartImage
}

// mailTo returns the mail for one recipient. Its To header has all recipients of the
// notification, and its Message-ID is the same in every attempt, so that a server
// that has accepted it before can detect that.
func (m *renderedMessage) mailTo(recipient string) *gomail.Msg {
	id := hash(m.id, recipient)
	out := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingB64))
	if len(m.charts) == 0 { // with charts there are two boundaries, which must differ
		out.SetBoundary(id)
	}
	out.FromMailAddress(m.from)
	out.ToMailAddress(m.to...)
	out.Subject(m.subject)
	out.SetDateWithValue(m.date)
	out.SetMessageIDWithValue(id + "@" + domain(m.from.Address))
	if m.thread != "" {
		// The mail that started the thread need not exist (RFC 5322, 3.6.4).
		root := "<" + m.thread + "@" + domain(m.from.Address) + ">"
		out.SetGenHeader(gomail.HeaderInReplyTo, root)
		out.SetGenHeader(gomail.HeaderReferences, root)
	}
	// RFC 3834, and Exchange's own header: no "out of office" replies.
	out.SetGenHeader("Auto-Submitted", "auto-generated")
	out.SetGenHeader("X-Auto-Response-Suppress", "All")
	for _, h := range m.headers {
		out.SetGenHeader(gomail.Header(h[0]), h[1])
	}
	// The preferred form comes last (RFC 2046, 5.1.4).
	out.SetBodyString(gomail.TypeTextPlain, m.text)
	out.AddAlternativeString(gomail.TypeTextHTML, m.html)
	for _, c := range m.charts {
		// A bytes.Reader returns no error.
		_ = out.EmbedReader(c.Name, bytes.NewReader(c.png), gomail.WithFileContentID("<"+c.ID+">"), gomail.WithFileContentType("image/png"))
	}
	return out
}

// preview returns the headers that a reader sees, and the text.
func (m *renderedMessage) preview() string {
	var to []string
	for _, a := range m.to {
		to = append(to, formatAddress(a))
	}
	return "From: " + formatAddress(m.from) + "\nTo: " + strings.Join(to, ", ") + "\nSubject: " + m.subject + "\n\n" + m.text
}

// formatAddress returns an address without the encoding of Address.String.
func formatAddress(a *mail.Address) string {
	if a.Name == "" {
		return a.Address
	}
	return render.CleanLine(a.Name, maxName) + " <" + a.Address + ">"
}

// threadID identifies the thread of an alert group on one day, or, for "", on all
// days.
func threadID(groupKey, day string) string { return "group-" + hash(groupKey, day) }

// day returns the day whose mails form one thread, or "".
func (t Threading) day(at time.Time, zone *time.Location) string {
	if t.ThreadByDate == "none" {
		return ""
	}
	return at.In(zone).Format(time.DateOnly)
}

func hash(a, b string) string {
	sum := sha256.Sum256([]byte(a + "\x00" + b))
	return hex.EncodeToString(sum[:16])
}

// parseRecipients parses a list of addresses separated by commas, semicolons or line
// breaks, and drops duplicates. Texts that are not addresses are returned as invalid.
func parseRecipients(list string) (addresses []*mail.Address, invalid []string) {
	seen := map[string]bool{}
	for _, s := range splitList(list) {
		a, err := mail.ParseAddress(s)
		name := s
		if err == nil {
			name = a.Address
		}
		// Local parts differ by case only in theory (RFC 5321, 2.4).
		key := strings.ToLower(name)
		if seen[key] {
			continue
		}
		seen[key] = true
		if err != nil {
			invalid = append(invalid, render.CleanLine(s, maxName))
			continue
		}
		addresses = append(addresses, a)
	}
	return addresses, invalid
}

// splitList splits a list at separators outside of quotes and drops empty parts.
func splitList(list string) []string {
	quoted, escaped := false, false
	parts := strings.FieldsFunc(list, func(r rune) bool {
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		}
		return !quoted && strings.ContainsRune(",;，；\r\n", r)
	})
	out := parts[:0]
	for _, s := range parts {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// domain returns the part of an address after its last @.
func domain(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

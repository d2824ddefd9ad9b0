package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/mail"
	"strings"
	"time"

	"tocsin/pkg/render"

	gomail "github.com/wneessen/go-mail"
)

const (
	maxHeader = 900 // bytes of a header's value; RFC 5322 allows lines of 998
	maxName   = 120 // bytes of what should be a name or an address
)

// letter is a mail before it is addressed to one recipient.
type letter struct {
	// id is the notification's; the ids of the mails come from it.
	id      string
	thread  string
	date    time.Time
	from    *mail.Address
	to      []*mail.Address
	subject string
	headers [][2]string
	text    string
	html    string
	// figures are the pictures inside the HTML.
	figures []figure
}

// message returns the mail for one recipient. All mails of a notification name
// all its recipients; a mail's id is the same in every attempt, so that a
// server that took it before can tell.
func (l *letter) message(recipient string) *gomail.Msg {
	id := digest(l.id, recipient)
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingB64))
	if len(l.figures) == 0 { // otherwise there are two boundaries, which must differ
		m.SetBoundary(id)
	}
	m.FromMailAddress(l.from)
	m.ToMailAddress(l.to...)
	m.Subject(l.subject)
	m.SetDateWithValue(l.date)
	m.SetMessageIDWithValue(id + "@" + domain(l.from.Address))
	if l.thread != "" {
		// The mail that began the conversation need not exist (RFC 5322, 3.6.4).
		root := "<" + l.thread + "@" + domain(l.from.Address) + ">"
		m.SetGenHeader(gomail.HeaderInReplyTo, root)
		m.SetGenHeader(gomail.HeaderReferences, root)
	}
	// RFC 3834, and Exchange's own: do not answer with "out of office".
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	for _, h := range l.headers {
		m.SetGenHeader(gomail.Header(h[0]), h[1])
	}
	// The best form comes last (RFC 2046, 5.1.4).
	m.SetBodyString(gomail.TypeTextPlain, l.text)
	m.AddAlternativeString(gomail.TypeTextHTML, l.html)
	for _, f := range l.figures {
		// A reader of bytes does not fail.
		_ = m.EmbedReader(f.Name, bytes.NewReader(f.png), gomail.WithFileContentID("<"+f.ID+">"), gomail.WithFileContentType("image/png"))
	}
	return m
}

// preview is the mail as a person reads it.
func (l *letter) preview() string {
	var to []string
	for _, a := range l.to {
		to = append(to, readable(a))
	}
	return "From: " + readable(l.from) + "\nTo: " + strings.Join(to, ", ") + "\nSubject: " + l.subject + "\n\n" + l.text
}

// readable prints an address without the encoding that Address.String applies.
func readable(a *mail.Address) string {
	if a.Name == "" {
		return a.Address
	}
	return render.CleanLine(a.Name, maxName) + " <" + a.Address + ">"
}

// threadID names the conversation of an alert group, on one day or ("") for
// ever.
func threadID(groupKey, day string) string { return "group-" + digest(groupKey, day) }

// day is the part of time that conversations are split by.
func (t Threading) day(at time.Time, zone *time.Location) string {
	if t.ThreadByDate == "none" {
		return ""
	}
	return at.In(zone).Format(time.DateOnly)
}

// digest makes a short name of two texts.
func digest(a, b string) string {
	sum := sha256.Sum256([]byte(a + "\x00" + b))
	return hex.EncodeToString(sum[:16])
}

// Package inbox collects what the local cloud's channels delivered, and shows
// it as its readers see it: on a terminal, and as a page.
package inbox

import (
	"html/template"
	"sync"
	"time"

	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/wecom"
)

// keep is how many entries an inbox holds.
const keep = 200

// The channels that deliver into an inbox.
const (
	WeComGroup   = "WeCom group"
	ShortMessage = "SMS"
	MailBox      = "Mail"
)

// Entry is one delivered message.
type Entry struct {
	At time.Time
	// Channel is what the reader opens to read it.
	Channel string
	// To is who got it, "" when the channel does not say.
	To string
	// Title is a mail's subject; other channels have none.
	Title string
	// Text is the message without markup, HTML with it.
	Text string
	HTML template.HTML
}

// Inbox holds the last delivered messages. It is safe for concurrent use.
type Inbox struct {
	now   func() time.Time
	onNew func(Entry)

	mu      sync.Mutex
	entries []Entry
}

// New returns an empty inbox. now is its clock; onNew is called with every
// entry, one after the other.
func New(now func() time.Time, onNew func(Entry)) *Inbox {
	return &Inbox{now: now, onNew: onNew}
}

// WeCom takes a message of a group robot.
func (b *Inbox) WeCom(m wecom.Message) {
	e := Entry{Channel: WeComGroup}
	if m.Type == "text" {
		e.Text, e.HTML = m.Content, text(m.Content)
	} else {
		e.Text, e.HTML = readMarkdown(m.Content)
	}
	for _, who := range append(m.Users, m.Mobiles...) {
		e.Text += " @" + who
		e.HTML += text(" @" + who)
	}
	b.add(e)
}

// SMS takes a short message.
func (b *Inbox) SMS(m tencentcloud.SMS) {
	b.add(Entry{Channel: ShortMessage, To: m.Number, Text: m.Text, HTML: text(m.Text)})
}

// Mail takes a mail. Its HTML is shown as a mail program does, apart from the
// page around it.
func (b *Inbox) Mail(m smtp.Mail) {
	to := ""
	if len(m.To) > 0 {
		to = m.To[0]
	}
	frame := `<iframe sandbox srcdoc="` + template.HTMLEscapeString(m.HTML) + `"></iframe>`
	b.add(Entry{Channel: MailBox, To: to, Title: m.Subject, Text: m.Text, HTML: template.HTML(frame)})
}

// Entries returns the messages, oldest first.
func (b *Inbox) Entries() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Entry(nil), b.entries...)
}

func (b *Inbox) add(e Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.At = b.now()
	b.entries = append(b.entries, e)
	if len(b.entries) > keep {
		b.entries = b.entries[1:]
	}
	b.onNew(e)
}

func text(s string) template.HTML { return template.HTML(template.HTMLEscapeString(s)) }

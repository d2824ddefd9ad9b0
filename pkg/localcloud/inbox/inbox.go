// Package inbox collects the messages that the local cloud delivers, and shows them as
// their readers see them: on a terminal, and as a page.
package inbox

import (
	"encoding/base64"
	"html/template"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxEntries is how many entries an inbox holds.
const maxEntries = 200

// Names of channels that `tocsin dev` refers to.
const (
	WeComGroup = "WeCom group"
	SMS        = "SMS"
	Email      = "Mail"
)

// Entry is one delivered message.
type Entry struct {
	At time.Time
	// Channel names the app or device on which the message is read.
	Channel string
	// To is the recipient, "" when the channel does not name one.
	To string
	// Title is a mail's subject or a card's header; other channels have none.
	Title string
	// Text is the message without markup, HTML with it.
	Text string
	HTML template.HTML
}

// Inbox holds the latest messages. It is safe for concurrent use.
type Inbox struct {
	now   func() time.Time
	onNew func(Entry)

	mu      sync.Mutex
	entries []Entry
}

// New returns an empty inbox. now is its clock; onNew is called with every entry, one
// after the other.
func New(now func() time.Time, onNew func(Entry)) *Inbox {
	return &Inbox{now: now, onNew: onNew}
}

// Add adds a message, which gets the inbox's time.
func (b *Inbox) Add(e Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.At = b.now()
	b.entries = append(b.entries, e)
	if len(b.entries) > maxEntries {
		b.entries = b.entries[1:]
	}
	b.onNew(e)
}

// Entries returns the messages, oldest first.
func (b *Inbox) Entries() []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.entries)
}

// Text returns plain text as HTML with its line breaks.
func Text(s string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(s), "\n", "<br>"))
}

// DataURL returns an address that contains the content itself.
func DataURL(contentType string, content []byte) string {
	return "data:" + contentType + ";base64," + base64.StdEncoding.EncodeToString(content)
}

// Package inbox collects what the local cloud's channels delivered, and shows
// it as its readers see it: on a terminal, and as a page.
package inbox

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/localcloud/slack"
	"tocsin/pkg/localcloud/smtp"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/localcloud/webhook"
	"tocsin/pkg/localcloud/wecom"
)

// keep is how many entries an inbox holds.
const keep = 200

// The channels that deliver into an inbox.
const (
	WeComGroup    = "WeCom group"
	WeComApp      = "WeCom application"
	DingTalkGroup = "DingTalk group"
	FeishuGroup   = "Feishu group"
	SlackChannel  = "Slack"
	Webhook       = "Webhook"
	SMS           = "SMS"
	VoiceCall     = "Call"
	Email         = "Mail"
)

// Entry is one delivered message.
type Entry struct {
	At time.Time
	// Channel is what the reader opens to read it.
	Channel string
	// To is who got it, "" when the channel does not say.
	To string
	// Title is a mail's subject, a card's header; other channels have none.
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
func (b *Inbox) AddWeCom(m wecom.Message) {
	e := Entry{Channel: WeComGroup}
	switch m.Type {
	case "text":
		e.Text, e.HTML = m.Content, text(m.Content)
	case "image":
		e.Text, e.HTML = fmt.Sprintf("[a picture of %d bytes]", len(m.Image)), template.HTML(`<img src="`+data("image/png", m.Image)+`">`)
	default:
		e.Text, e.HTML = readMarkdown(m.Content)
	}
	for _, who := range append(m.Users, m.Mobiles...) {
		e.Text += " @" + who
		e.HTML += text(" @" + who)
	}
	b.add(e)
}

// WeComApp takes a message of an application.
func (b *Inbox) AddWeComApp(m wecom.AppMessage) {
	e := Entry{Channel: WeComApp, To: strings.Join(slices.Concat(m.Users, m.Parties, m.Tags), ", ")}
	if m.Type == "markdown" {
		e.Text, e.HTML = readMarkdown(m.Content)
	} else {
		e.Text, e.HTML = m.Content, lines(m.Content)
	}
	b.add(e)
}

// DingTalk takes a message of a group robot. What is mentioned stands in it.
func (b *Inbox) AddDingTalk(m dingtalk.Message) {
	e := Entry{Channel: DingTalkGroup}
	if m.Type == "markdown" {
		e.Text, e.HTML = readMarkdown(m.Text)
	} else {
		e.Text, e.HTML = m.Text, lines(m.Text)
	}
	b.add(e)
}

// Feishu takes a message of a group robot.
func (b *Inbox) AddFeishu(m feishu.Message) {
	e := Entry{Channel: FeishuGroup, Title: m.Title}
	e.Text, e.HTML = readMarkdown(m.Content)
	b.add(e)
}

// Slack takes a message of an incoming webhook.
func (b *Inbox) AddSlack(m slack.Message) {
	e := Entry{Channel: SlackChannel, To: m.Channel, Text: m.Text}
	for _, a := range m.Attachments {
		e.Title, e.Text = a.Title, e.Text+a.Text
	}
	e.HTML = lines(e.Text)
	b.add(e)
}

// Webhook takes what somebody's server was sent.
func (b *Inbox) AddWebhook(m webhook.Message) {
	b.add(Entry{Channel: Webhook, To: m.Path, Text: string(m.Body), HTML: lines(string(m.Body))})
}

// SMS takes a short message.
func (b *Inbox) AddSMS(m tencentcloud.SMS) {
	b.add(Entry{Channel: SMS, To: m.Number, Text: m.Text, HTML: text(m.Text)})
}

// Call takes a call, as who answers it hears it.
func (b *Inbox) AddVoiceCall(m tencentcloud.VoiceCall) {
	b.add(Entry{Channel: VoiceCall, To: m.Number, Text: m.Text, HTML: text(m.Text)})
}

// Mail takes a mail. Its HTML is shown as a mail program does, apart from the
// page around it, and with its pictures.
func (b *Inbox) AddEmail(m smtp.Mail) {
	to := ""
	if len(m.To) > 0 {
		to = m.To[0]
	}
	html := m.HTML
	for id, picture := range m.Inline {
		html = strings.ReplaceAll(html, `"cid:`+id+`"`, `"`+data(picture.Type, picture.Content)+`"`)
	}
	frame := `<iframe sandbox srcdoc="` + template.HTMLEscapeString(html) + `"></iframe>`
	b.add(Entry{Channel: Email, To: to, Title: m.Subject, Text: m.Text, HTML: template.HTML(frame)})
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

// lines keeps the line breaks of a plain text.
func lines(s string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(s), "\n", "<br>"))
}

// data is the address of a picture that holds the picture itself.
func data(kind string, picture []byte) string {
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(picture)
}

func text(s string) template.HTML { return template.HTML(template.HTMLEscapeString(s)) }

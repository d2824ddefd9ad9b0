// Package slack sends notifications through a Slack incoming webhook, or to another
// server with the same API (Mattermost, Discord's /slack).
//
// Vendor rules, from docs.slack.dev/messaging/sending-messages-using-incoming-webhooks:
// about one message a second; the answer is the text "ok" or an error word; "&", "<"
// and ">" must be escaped. The text of an attachment is kept below 3000 bytes, the
// limit that Slack documents for blocks.
package slack

import (
	"context"
	"fmt"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

const (
	maxText  = 3000 // bytes
	maxTitle = 1000 // bytes; Alertmanager allows 1024 characters
)

// webhook is a notify.Notifier.
type webhook struct {
	env     *notify.Env
	address string
	text    *chat.Template
	// Lines of the message.
	channel, username, iconEmoji, iconURL *chat.Template
	color, title, titleLink               *chat.Template
}

// New returns the notifier of c, which must be valid. The error names the key of a
// template that cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	compile := chat.NewCompiler(t)
	w := &webhook{
		env: env, address: string(c.APIURL),
		channel: compile.Line("channel", c.Channel), username: compile.Line("username", c.Username),
		iconEmoji: compile.Line("icon_emoji", c.IconEmoji), iconURL: compile.Line("icon_url", c.IconURL),
		color: compile.Line("color", c.Color), title: compile.Line("title", c.Title), titleLink: compile.Line("title_link", c.TitleLink),
		text: compile.Message("text", c.Text, "slack.default"),
	}
	return w, compile.Err()
}

// Messages returns one message, or several that are split between alerts.
func (w *webhook) Messages(n *alert.Notification) ([]notify.Message, error) {
	m := w.render(n)
	target := chat.Target(kind.Name, w.address)
	var out []notify.Message
	for i, text := range m.texts {
		unit := chat.Unit(i+1, len(m.texts))
		if chat.Accepted(n, unit) {
			continue
		}
		text = strings.Trim(text, "\n")
		title := m.title + chat.Marker(i+1, len(m.texts))
		payload, err := notify.EncodeJSON(m.payload(title, text))
		if err != nil {
			return nil, fmt.Errorf("encode the message: %w", err)
		}
		message := chat.NewMessage(target, unit, preview(title+"\n"+text), func(ctx context.Context) error {
			return send(ctx, w.env.HTTP, w.address, payload)
		})
		message.Audience = m.channel
		out = append(out, message)
	}
	return out, nil
}

// message is a notification before it is encoded.
type message struct {
	channel, username, iconEmoji, iconURL string
	color, title, titleLink               string
	texts                                 []string // one for each part
	mrkdwn                                bool
}

// render executes the templates.
func (w *webhook) render(n *alert.Notification) *message {
	doc := render.NewDocument(n, &w.env.Style)
	view := render.NewView(n, &w.env.Style)
	escaped := chat.EscapedView(view, dialect{}, func() string { return strings.Join(chat.Blocks(doc, dialect{}), "\n") })
	line := func(t *chat.Template, builtin string) string { return t.ExecuteLine(doc, view, maxText, builtin) }
	m := &message{
		channel: line(w.channel, ""), username: line(w.username, ""),
		iconEmoji: line(w.iconEmoji, ""), iconURL: line(w.iconURL, ""),
		color: line(w.color, color(doc)), titleLink: line(w.titleLink, ""),
		title: cut(w.title.ExecuteLine(doc, escaped, maxText, escape(doc.Title)), maxTitle),
	}
	text := w.text.Execute(doc, escaped)
	blocks := strings.Split(text, "\n")
	if m.mrkdwn = text != ""; !m.mrkdwn {
		blocks = chat.Blocks(doc, dialect{})
	}
	// The marker of a part is in the title.
	m.texts = render.Pack(chat.Limit(n, maxText), func(int, int) string { return "" }, blocks)
	return m
}

// payload returns the body of the request for one part.
func (m *message) payload(title, text string) any {
	type attachment struct {
		Fallback  string   `json:"fallback"`
		Color     string   `json:"color"`
		Title     string   `json:"title"`
		TitleLink string   `json:"title_link,omitempty"`
		Text      string   `json:"text"`
		Mrkdwn    []string `json:"mrkdwn_in"`
	}
	mrkdwn := []string{}
	if m.mrkdwn {
		mrkdwn = append(mrkdwn, "text")
	}
	return struct {
		Channel     string       `json:"channel,omitempty"`
		Username    string       `json:"username,omitempty"`
		IconEmoji   string       `json:"icon_emoji,omitempty"`
		IconURL     string       `json:"icon_url,omitempty"`
		Attachments []attachment `json:"attachments"`
	}{m.channel, m.username, m.iconEmoji, m.iconURL, []attachment{{title, m.color, title, m.titleLink, text, mrkdwn}}}
}

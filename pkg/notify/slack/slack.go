// Package slack says notifications through a Slack incoming webhook, or another
// server that takes the same (Mattermost, Discord's /slack).
//
// Vendor rules, from docs.slack.dev/messaging/sending-messages-using-incoming-webhooks:
// about one message a second; the answer is the text "ok" or a word that says
// what is wrong; "&", "<" and ">" must be escaped. A text of an attachment is
// kept to 3000 bytes here, the limit that Slack documents for blocks.
package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

const (
	maxText  = 3000 // bytes
	maxTitle = 1000 // bytes; Alertmanager allows 1024 characters
	// builtinName is the built-in text inside a user's own template.
	builtinName = "slack.default"
)

var errEmpty = errors.New("it prints nothing")

// hook is a Notifier.
type hook struct {
	env     *notify.Env
	address string
	text    *render.Text
	// The others are nil where the built-in value serves.
	channel, username, iconEmoji, iconURL *render.Text
	color, title, titleLink               *render.Text
}

// New makes the notifier of c, which must be valid. An error names the key whose
// template is wrong.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	h := &hook{env: env, address: string(c.APIURL)}
	for _, x := range []struct {
		key, src string
		text     **render.Text
	}{
		{"channel", c.Channel, &h.channel}, {"username", c.Username, &h.username},
		{"icon_emoji", c.IconEmoji, &h.iconEmoji}, {"icon_url", c.IconURL, &h.iconURL},
		{"color", c.Color, &h.color}, {"title", c.Title, &h.title}, {"title_link", c.TitleLink, &h.titleLink},
	} {
		if x.src == "" {
			continue
		}
		var err error
		if *x.text, err = t.Text(x.src); err != nil {
			return nil, fmt.Errorf("%s: %w", x.key, err)
		}
	}
	text := c.Text
	if text == "" {
		text = `{{ template "` + builtinName + `" . }}`
	}
	var err error
	if h.text, err = t.Text(text, builtinName); err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	return h, nil
}

// Messages returns one message, or several that are cut between alerts.
func (h *hook) Messages(n *alert.Notification) ([]notify.Message, error) {
	limit := maxText
	if n.HalfSize {
		limit /= 2
	}
	l := h.letter(n, limit)
	sum := sha256.Sum256([]byte(h.address))
	target := kind.Name + "/" + hex.EncodeToString(sum[:4])
	var out []notify.Message
	for i, text := range l.texts {
		units := []string{strconv.Itoa(i+1) + "/" + strconv.Itoa(len(l.texts))}
		if slices.Contains(n.AcceptedUnits, units[0]) {
			continue
		}
		text = strings.Trim(text, "\n")
		title := l.title + marker(i+1, len(l.texts))
		payload, err := notify.EncodeJSON(l.message(title, text))
		if err != nil {
			return nil, fmt.Errorf("encode the message: %w", err)
		}
		out = append(out, notify.Message{
			Target:   target,
			Audience: l.channel,
			Units:    units,
			Text:     preview(title + "\n" + text),
			Send: func(ctx context.Context) []notify.Outcome {
				return notify.Outcomes(units, send(ctx, h.env.HTTP, h.address, payload))
			},
		})
	}
	return out, nil
}

// letter is a notification in the form that Slack takes, but for its parts.
type letter struct {
	channel, username, iconEmoji, iconURL string
	color, title, titleLink               string
	texts                                 []string
	mrkdwn                                bool
}

// letter executes the templates. One that fails, or a text that prints nothing,
// gives way to the built-in one, and a note says so: an alert must not be lost
// over its wording.
func (h *hook) letter(n *alert.Notification, limit int) *letter {
	doc := render.Document(n, &h.env.Style)
	view := render.NewView(n, &h.env.Style)
	escaped := view.Escape(escapeValue, escapeURL)
	escaped.Builtin = func() string { return strings.Join(blocks(doc), "\n") }
	plain := func(key string, x *render.Text, builtin string) string {
		return execute(doc, key, x, view, builtin)
	}
	l := &letter{
		channel: plain("channel", h.channel, ""), username: plain("username", h.username, ""),
		iconEmoji: plain("icon_emoji", h.iconEmoji, ""), iconURL: plain("icon_url", h.iconURL, ""),
		color: plain("color", h.color, colour(doc)), titleLink: plain("title_link", h.titleLink, ""),
		title: cut(execute(doc, "title", h.title, escaped, escape(doc.Title)), maxTitle),
	}
	if !h.text.Builtin() {
		text, err := h.text.Execute(escaped)
		if text = render.Lines(text); err == nil && text == "" {
			err = errEmpty
		}
		if err == nil {
			l.texts, l.mrkdwn = packText(text, limit), true
			return l
		}
		doc.TemplateFailed(fmt.Errorf("text: %w", err))
	}
	l.texts = pack(doc, limit)
	return l
}

// execute prints v through the template of a key, on one line.
func execute(doc *render.Doc, key string, x *render.Text, v *render.View, builtin string) string {
	if x == nil {
		return builtin
	}
	s, err := x.Execute(v)
	if err != nil {
		doc.TemplateFailed(fmt.Errorf("%s: %w", key, err))
		return builtin
	}
	if s = render.Clean(s, maxText); s == "" {
		return builtin
	}
	return s
}

// message is the body of one part.
func (l *letter) message(title, text string) any {
	type attachment struct {
		Fallback  string   `json:"fallback"`
		Color     string   `json:"color"`
		Title     string   `json:"title"`
		TitleLink string   `json:"title_link,omitempty"`
		Text      string   `json:"text"`
		Mrkdwn    []string `json:"mrkdwn_in"`
	}
	mrkdwn := []string{}
	if l.mrkdwn {
		mrkdwn = append(mrkdwn, "text")
	}
	return struct {
		Channel     string       `json:"channel,omitempty"`
		Username    string       `json:"username,omitempty"`
		IconEmoji   string       `json:"icon_emoji,omitempty"`
		IconURL     string       `json:"icon_url,omitempty"`
		Attachments []attachment `json:"attachments"`
	}{l.channel, l.username, l.iconEmoji, l.iconURL, []attachment{{title, l.color, title, l.titleLink, text, mrkdwn}}}
}

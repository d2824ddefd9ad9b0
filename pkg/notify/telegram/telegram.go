// Package telegram sends notifications through a Telegram bot to a private chat, a
// group, a channel, or a topic of a forum.
//
// Vendor rules, from core.telegram.org/bots/api and /bots/faq: 4096 characters of
// text after its markup is parsed; 20 messages a minute to one group and 30 a second
// over all chats, with the time to wait in the response; a text whose markup is wrong
// is rejected as a whole; a group that becomes a supergroup gets another id. The
// documentation leaves open what a character is: UTF-16 code units are counted here,
// as Telegram's entities are, which is never less than any other count.
package telegram

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

const (
	maxText = 4096 // UTF-16 code units after markup is parsed
	// reserve is the part of it that is kept for the note about a migrated chat.
	reserve = 160
	// maxValue limits a value in a user's own template, in bytes.
	maxValue = 4096
)

// bot is a notify.Notifier.
type bot struct {
	env     *notify.Env
	api     string // with the token in its path
	token   string
	chat    int64
	thread  int
	silent  bool
	format  format
	message *chat.Template
}

// New returns the notifier of c, which must be valid. The error names the key of a
// template that cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	id, err := c.chatID()
	if err != nil {
		return nil, fmt.Errorf("chat_id: it is not a number")
	}
	compile := chat.NewCompiler(t)
	b := &bot{
		env: env, token: string(c.BotToken), api: c.api() + "/bot" + string(c.BotToken) + "/sendMessage",
		chat: id, thread: c.MessageThreadID, silent: c.DisableNotifications, format: format{c.parseMode()},
		message: compile.Message("message", c.Message, "telegram.default"),
	}
	return b, compile.Err()
}

// Messages returns one message, or several that are split between alerts.
func (b *bot) Messages(n *alert.Notification) ([]notify.Message, error) {
	parts := b.parts(n)
	target := chat.Target(kind.Name, b.token+"/"+strconv.FormatInt(b.chat, 10))
	var out []notify.Message
	for i, text := range parts {
		unit := chat.Unit(i+1, len(parts))
		if chat.Accepted(n, unit) {
			continue
		}
		m := chat.NewMessage(target, unit, b.format.preview(text), func(ctx context.Context) error { return b.send(ctx, text) })
		if b.thread != 0 {
			m.Audience = "topic " + strconv.Itoa(b.thread)
		}
		out = append(out, m)
	}
	return out, nil
}

// parts executes the template and returns the text of each part.
func (b *bot) parts(n *alert.Notification) []string {
	doc := render.NewDocument(n, &b.env.Style)
	view := render.NewView(n, &b.env.Style)
	escaped := chat.EscapedView(view, b.format, func() string {
		return b.format.head(doc.Title, 1, 1) + "\n" + strings.Join(chat.Blocks(doc, b.format), "\n")
	})
	head := func(part, parts int) string { return b.format.escape(strings.TrimSpace(chat.Marker(part, parts))) }
	text := b.message.Execute(doc, escaped)
	blocks := strings.Split(text, "\n")
	if text == "" {
		head = func(part, parts int) string { return b.format.head(doc.Title, part, parts) }
		blocks = chat.Blocks(doc, b.format)
	}
	return b.format.split(blocks, head, chat.Limit(n, maxText)-reserve)
}

// split lays blocks out in parts of at most limit UTF-16 code units without markup.
// render.Pack counts bytes of markup, so the first size is what the limit is in bytes
// on average, and ever smaller ones are tried. As many bytes as the limit has units
// always fit.
func (f format) split(blocks []string, head func(part, parts int) string, limit int) []string {
	text := strings.Join(blocks, "\n")
	bytesPerUnit := float64(len(text)+1) / float64(f.length(text)+1)
	for size := int(float64(limit) * max(bytesPerUnit, 1) * 1.05); ; size -= size / 20 {
		short := make([]string, len(blocks))
		for i, block := range blocks {
			short[i] = f.cutLines(block, size)
		}
		parts := f.closeTags(render.Pack(size, head, short))
		fits := true
		for _, part := range parts {
			fits = fits && f.length(part) <= limit
		}
		if fits || size <= limit {
			return parts
		}
	}
}

// cutLines cuts every line of a block to at most size bytes.
func (f format) cutLines(block string, size int) string {
	if len(block) <= size {
		return block
	}
	lines := strings.Split(block, "\n")
	for i, line := range lines {
		lines[i] = f.cut(line, size)
	}
	return strings.Join(lines, "\n")
}

// request is the body of sendMessage.
type request struct {
	ChatID      int64        `json:"chat_id"`
	Thread      int          `json:"message_thread_id,omitempty"`
	Text        string       `json:"text"`
	ParseMode   string       `json:"parse_mode,omitempty"`
	LinkPreview *linkPreview `json:"link_preview_options"`
	Silent      bool         `json:"disable_notification,omitempty"`
}

type linkPreview struct {
	Disabled bool `json:"is_disabled"`
}

func (b *bot) request(text, mode string) request {
	return request{ChatID: b.chat, Thread: b.thread, Text: text, ParseMode: mode, LinkPreview: &linkPreview{true}, Silent: b.silent}
}

// Package feishu sends notifications through a custom robot of a Feishu (Lark)
// group, as cards.
//
// Vendor rules, from open.feishu.cn/document/client-docs/bot-v3/add-custom-bot:
// 5 messages a second and 100 a minute per robot; 20 KB per request; signatures
// in the body; a card that mentions an unknown person is rejected as a whole; HTTP
// status 200 for most errors. Cards are of schema 1.0, which every client shows.
package feishu

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

const (
	// maxBody is the vendor's 20 KB, in its smaller meaning.
	maxBody = 20_000
	// reserve is the part of it that is kept for the signature, and for the note
	// that replaces mentions.
	reserve  = 512
	maxTitle = 500 // bytes; a header shows two lines
)

// robot is a notify.Notifier.
type robot struct {
	env            *notify.Env
	secret         string
	url            *chat.Address
	title, message *chat.Template
	openIDs        *chat.Mentions
	all            bool
}

// New returns the notifier of c, which must be valid. The error names the key of a
// template that cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	compile := chat.NewCompiler(t)
	r := &robot{
		env: env, secret: string(c.Secret), all: c.At.All,
		url:     compile.Address("url", string(c.URL)),
		message: compile.Message("message", c.Message, "feishu.default"),
		title:   compile.Line("title", c.Title),
		openIDs: compile.Mentions(c.At.OpenIDs, "at", "open_ids"),
	}
	return r, compile.Err()
}

// Messages returns one card, or several that are split between alerts.
func (r *robot) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &r.env.Style)
	address, err := r.url.Execute(view)
	if err != nil {
		return nil, err
	}
	cards, err := r.cards(n, view, chat.Limit(n, maxBody)-reserve)
	if err != nil {
		return nil, err
	}
	target := chat.Target(kind.Name, tokenOf(address))
	var out []notify.Message
	for i, c := range cards {
		if unit := chat.Unit(i+1, len(cards)); !chat.Accepted(n, unit) {
			out = append(out, chat.NewMessage(target, unit, c.title+"\n"+preview(c.markdown), func(ctx context.Context) error {
				return r.send(ctx, address, c)
			}))
		}
	}
	return out, nil
}

// tokenOf returns the part of the robot's address that identifies it.
func tokenOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Path != "" {
		return path.Base(u.Path)
	}
	return address
}

// cards executes the templates and returns one card for each part.
func (r *robot) cards(n *alert.Notification, view *render.View, limit int) ([]card, error) {
	doc := render.NewDocument(n, &r.env.Style)
	mentions := ""
	if !doc.Resolved {
		mentions = r.mentions(doc, view)
	}
	title := r.title.ExecuteLine(doc, view, maxTitle, doc.Title)
	escaped := chat.EscapedView(view, dialect{}, func() string { return strings.Join(chat.Blocks(doc, dialect{}), "\n") })
	var blocks []string
	if text := r.message.Execute(doc, escaped); text != "" {
		blocks = strings.Split(text, "\n")
	} else {
		blocks = chat.Blocks(doc, dialect{})
	}
	if mentions != "" {
		blocks = append(blocks, "\n"+mentions)
	}
	return split(card{title: replaceTags(render.Truncate(title, maxTitle)), color: color(doc)}, blocks, limit)
}

// card is one message before it is encoded.
type card struct{ title, color, markdown string }

// split lays blocks out in cards like c whose requests have at most limit bytes, both
// as cards and as texts. A request is longer than its markdown by what JSON escapes,
// so ever smaller sizes of markdown are tried; an eighth of a limit always fits.
func split(c card, blocks []string, limit int) ([]card, error) {
	for size := limit; ; size -= size / 8 {
		cards, fits := splitAt(c, blocks, size), true
		for _, part := range cards {
			for _, body := range []request{part.interactive(), part.text()} {
				encoded, err := notify.EncodeJSON(body)
				if err != nil {
					return nil, fmt.Errorf("encode the message: %w", err)
				}
				fits = fits && len(encoded) <= limit
			}
		}
		if fits {
			return cards, nil
		}
	}
}

// splitAt is split for a number of bytes of markdown. A line that is longer is cut. A
// card without text repeats its title.
func splitAt(c card, blocks []string, size int) []card {
	short := make([]string, len(blocks))
	for i, block := range blocks {
		if len(block) <= size {
			short[i] = block
			continue
		}
		lines := strings.Split(block, "\n")
		for j, line := range lines {
			lines[j] = cut(line, size)
		}
		short[i] = strings.Join(lines, "\n")
	}
	texts := render.Pack(size, func(int, int) string { return "" }, short)
	out := make([]card, len(texts))
	for i, text := range texts {
		out[i] = card{title: c.title + chat.Marker(i+1, len(texts)), color: c.color, markdown: cmp.Or(strings.Trim(text, "\n"), escapeLine(c.title))}
	}
	return out
}

// request is the body of a request.
type request struct {
	Timestamp string    `json:"timestamp,omitempty"`
	Sign      string    `json:"sign,omitempty"`
	Type      string    `json:"msg_type"`
	Card      *cardBody `json:"card,omitempty"`
	Content   *textBody `json:"content,omitempty"`
}

type textBody struct {
	Text string `json:"text"`
}

type cardBody struct {
	Config   config    `json:"config"`
	Header   header    `json:"header"`
	Elements []element `json:"elements"`
}

type config struct {
	Wide bool `json:"wide_screen_mode"`
}

type header struct {
	Template string  `json:"template"`
	Title    element `json:"title"`
}

type element struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

// interactive returns the request that sends the card.
func (c card) interactive() request {
	return request{Type: "interactive", Card: &cardBody{
		Config:   config{Wide: true},
		Header:   header{Template: c.color, Title: element{"plain_text", c.title}},
		Elements: []element{{"markdown", c.markdown}},
	}}
}

// text returns the request that sends the card as plain text. It mentions the same
// people: a text shows an unknown id and is accepted.
func (c card) text() request {
	bare, mentioned := cutMentions(c.markdown)
	text := c.title + "\n" + replaceTags(preview(bare))
	for _, id := range mentioned {
		if id == everybody || isOpenID(id) {
			text += ` <at user_id="` + id + `"></at>`
		}
	}
	return request{Type: "text", Content: &textBody{text}}
}

// color returns the color of the header.
func color(doc *render.Document) string {
	switch {
	case doc.Resolved:
		return "green"
	case doc.Severity == render.Critical:
		return "red"
	case doc.Severity == render.Info:
		return "blue"
	default:
		return "orange"
	}
}

// Package dingtalk sends notifications through a DingTalk group robot (自定义机器人).
//
// Vendor rules, from open.dingtalk.com/document/orgapp/custom-robots-send-group-messages
// and custom-bot-send-message-type: 20 messages a minute per robot, which is then
// locked out for ten minutes; a request of up to 20000 bytes; a mention takes effect
// only if it is in the list and in the text; a line break in markdown is preceded by
// two spaces; HTTP status 200 whatever happened.
package dingtalk

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
	maxBody  = 20000 // bytes of a request
	maxTitle = 256   // bytes; phones show less
)

// robot is a notify.Notifier.
type robot struct {
	env            *notify.Env
	url            *chat.Address
	secret         string
	people         mentionLists
	title, message *chat.Template
	format         format
}

// New returns the notifier of c, which must be valid. The error names the key of a
// template that cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	compile := chat.NewCompiler(t)
	r := &robot{
		env: env, secret: string(c.Secret), format: format{markdown: c.Type != typeText},
		url:     compile.Address("url", string(c.URL)),
		message: compile.Message("message", c.Message, "dingtalk.default"),
		title:   compile.Line("title", c.Title),
		people: mentionLists{
			mobiles: compile.Mentions(c.At.Mobiles, "at", "mobiles"), users: compile.Mentions(c.At.Users, "at", "users"), all: c.At.All,
		},
	}
	return r, compile.Err()
}

// Messages returns one message, or several that are split between alerts. The first
// of them mentions people.
//
// When DingTalk found the last attempt too long, or its content unsafe
// (n.HalfSize), the built-in text is sent without markup and without links.
func (r *robot) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &r.env.Style)
	address, err := r.url.Execute(view)
	if err != nil {
		return nil, err
	}
	m := r.render(n, view)
	requests, err := m.split()
	if err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	target := chat.Target(kind.Name, chat.QueryParameter(address, "access_token"))
	out := make([]notify.Message, 0, len(requests))
	for i, request := range requests {
		if unit := chat.Unit(i+1, len(requests)); !chat.Accepted(n, unit) {
			out = append(out, chat.NewMessage(target, unit, m.format.preview(request.text), func(ctx context.Context) error {
				return r.send(ctx, target, address, request.json)
			}))
		}
	}
	return out, nil
}

// message is a notification before it is split into requests.
type message struct {
	format   format
	doc      *render.Document
	title    string // of markdown
	custom   string // the user's own text, "" for the built-in one
	mentions mentions
	limit    int // bytes of a request
}

// render executes the templates.
func (r *robot) render(n *alert.Notification, view *render.View) *message {
	doc := render.NewDocument(n, &r.env.Style)
	m := &message{format: r.format, doc: doc, limit: chat.Limit(n, maxBody)}
	if !doc.Resolved {
		m.mentions = r.people.execute(doc, view, r.env.Language)
	}
	if n.HalfSize {
		m.format = format{noLinks: true}
		return m
	}
	escaped := chat.EscapedView(view, m.format, func() string {
		return m.format.head(doc, "")(1, 1) + "\n" + strings.Join(chat.Blocks(doc, m.format), "\n")
	})
	m.title = r.title.ExecuteLine(doc, escaped, maxTitle, render.Truncate(m.format.escape(doc.Title), maxTitle))
	m.custom = m.format.endLines(r.message.Execute(doc, escaped))
	return m
}

// request is one part of a message.
type request struct {
	text string // with markup
	json []byte
}

// split returns requests that keep the limit. DingTalk counts the bytes of the whole
// request, which also lists the mentioned people, and in which quotes and line
// breaks have two bytes; so the size of the text is found by trying.
func (m *message) split() ([]request, error) {
	for size := m.limit - m.limit/20; ; size -= size / 10 {
		requests, fits, err := m.splitAt(size)
		if err != nil || fits || size < m.limit/4 {
			return requests, err
		}
	}
}

// splitAt splits the text into parts of at most size bytes and reports whether all
// requests keep the limit.
func (m *message) splitAt(size int) (requests []request, fits bool, err error) {
	texts := m.texts(size)
	fits = true
	for i, text := range texts {
		people := mentions{}
		if i == 0 {
			people = m.mentions
		}
		body, err := notify.EncodeJSON(m.format.body(m.title+chat.Marker(i+1, len(texts)), text, people))
		if err != nil {
			return nil, false, err
		}
		fits = fits && len(body) <= m.limit
		requests = append(requests, request{text, body})
	}
	return requests, fits, nil
}

// texts splits the text into parts of at most size bytes: the built-in one between
// alerts, the user's own between lines, of which one that is longer is cut.
func (m *message) texts(size int) []string {
	mention := m.mentions.String()
	if m.custom == "" {
		return render.Pack(size, m.format.head(m.doc, mention), chat.Blocks(m.doc, m.format))
	}
	head := func(part, parts int) string {
		head := strings.TrimSpace(chat.Marker(part, parts))
		if part == 1 && mention != "" {
			head = strings.TrimSpace(mention + " " + head)
		}
		return m.format.line(head)
	}
	lines := strings.Split(m.custom, "\n")
	maxLine := size - len(head(1, maxBody)) - 1
	for i, line := range lines {
		if len(line) > maxLine {
			lines[i] = m.format.cut(line, maxLine)
		}
	}
	return render.Pack(size, head, lines)
}

// body returns the body of a request.
func (f format) body(title, text string, people mentions) any {
	type content struct {
		Content string `json:"content"`
	}
	type markdown struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	}
	m := struct {
		Type     string    `json:"msgtype"`
		Text     *content  `json:"text,omitempty"`
		Markdown *markdown `json:"markdown,omitempty"`
		At       *mentions `json:"at,omitempty"`
	}{Type: typeText}
	if f.markdown {
		m.Type, m.Markdown = typeMarkdown, &markdown{title, text}
	} else {
		m.Text = &content{text}
	}
	if people.any() {
		m.At = &people
	}
	return m
}

// Package wecomrobot sends notifications through a WeCom group robot (消息推送).
//
// Vendor rules, from developer.work.weixin.qq.com/document/path/99110: 20
// messages a minute per robot; markdown up to 4096 bytes, rejected and not cut
// when longer; text up to 2048 bytes; phone numbers and @all can be mentioned in
// text only; HTTP status 200 whatever happened.
package wecomrobot

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/notify/wecom"
	"tocsin/pkg/render"
)

const (
	maxMarkdown = 4096 // bytes
	maxText     = 2048 // bytes
	// mentionUnit is the unit of the text message that mentions people.
	mentionUnit = "mention"
	// maxMentions limits each list of people that templates print.
	maxMentions = 100
)

// robot is a notify.Notifier.
type robot struct {
	env            *notify.Env
	url            *chat.Address
	message        *chat.Template
	mobiles, users *chat.Mentions
	charts         bool
}

// New returns the notifier of c, which must be valid. The error names the key of a
// template that cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	compile := chat.NewCompiler(t)
	r := &robot{
		env:     env,
		url:     compile.Address("url", string(c.URL)),
		message: compile.Message("message", c.Message, "wecom.default"),
		mobiles: compile.Mentions(c.MentionMobiles, "mention_mobiles"),
		users:   compile.Mentions(c.MentionUsers, "mention_users"),
		charts:  c.Picture == nil || *c.Picture,
	}
	return r, compile.Err()
}

// Messages returns one markdown message, or several that are split between alerts.
// A short text message follows for mentions that markdown does not support, and a chart
// when an alert has one.
func (r *robot) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &r.env.Style)
	address, err := r.url.Execute(view)
	if err != nil {
		return nil, err
	}
	doc := render.NewDocument(n, &r.env.Style)
	var mentioned mentions
	if !doc.Resolved {
		mentioned = r.mentions(doc, view)
	}
	inline := ""
	if !mentioned.needText() {
		inline, mentioned = mentioned.inline(), mentions{}
	}

	var out []notify.Message
	target := chat.Target(kind.Name, chat.QueryParameter(address, "key"))
	add := func(unit, content string, body any) error {
		if chat.Accepted(n, unit) {
			return nil
		}
		payload, err := notify.EncodeJSON(body)
		if err != nil {
			return fmt.Errorf("encode the message: %w", err)
		}
		out = append(out, chat.NewMessage(target, unit, markdown{}.Preview(content), func(ctx context.Context) error {
			return send(ctx, r.env.HTTP, address, payload)
		}))
		return nil
	}
	parts := r.parts(view, doc, inline, chat.Limit(n, maxMarkdown))
	for i, part := range parts {
		if err := add(chat.Unit(i+1, len(parts)), part, markdownMessage(part)); err != nil {
			return nil, err
		}
	}
	if mentioned.any() {
		content := render.Truncate(wecom.Escape(doc.Title), chat.Limit(n, maxText))
		if err := add(mentionUnit, content+mentioned.suffix(), textMessage(content, mentioned)); err != nil {
			return nil, err
		}
	}
	return append(out, r.chart(n, doc, address, target)...), nil
}

// parts returns the markdown of each part. inline mentions people at its end.
func (r *robot) parts(view *render.View, doc *render.Document, inline string, limit int) []string {
	head := markdown{}.Head(doc)
	builtin := func() string { return head(1, 1) + "\n" + strings.Join(chat.Blocks(doc, markdown{}), "\n") }
	if text := r.message.Execute(doc, chat.EscapedView(view, markdown{}, builtin)); text != "" {
		lines := strings.Split(text, "\n")
		if inline != "" {
			lines = append(lines, inline)
		}
		return chat.PackLines(lines, limit)
	}
	blocks := chat.Blocks(doc, markdown{})
	if inline != "" {
		blocks = append(blocks, "\n"+inline)
	}
	return render.Pack(limit, head, blocks)
}

// mentions lists the people that a notification mentions. Everybody may be in
// either list.
type mentions struct{ users, mobiles []string }

// mentions prints the lists of the configuration.
func (r *robot) mentions(doc *render.Document, v *render.View) mentions {
	first := func(names []string) []string { return names[:min(len(names), maxMentions)] }
	return mentions{
		users:   first(r.users.Execute(doc, v, func(name render.Name) (string, bool) { return name.Text, wecom.IsUser(name) })),
		mobiles: first(r.mobiles.Execute(doc, v, func(name render.Name) (string, bool) { return name.Text, isMobile(name) })),
	}
}

func (m mentions) any() bool { return len(m.users)+len(m.mobiles) > 0 }

// needText reports whether a text message is needed: markdown can mention people by
// <@userid> only.
func (m mentions) needText() bool {
	return len(m.mobiles) > 0 || slices.Contains(m.users, wecom.Everybody)
}

// inline returns the markdown that mentions the users.
func (m mentions) inline() string {
	var b strings.Builder
	for _, u := range m.users {
		b.WriteString("<@" + u + ">")
	}
	return b.String()
}

// suffix returns the mentions of a text message as its reader sees them.
func (m mentions) suffix() string {
	var b strings.Builder
	for _, s := range slices.Concat(m.users, m.mobiles) {
		b.WriteString(" @" + strings.TrimPrefix(s, "@"))
	}
	return b.String()
}

// isMobile reports whether a name has the form of a phone number, or is the
// configuration's own wecom.Everybody.
func isMobile(name render.Name) bool {
	if name.Text == wecom.Everybody {
		return !name.FromAlert
	}
	digits := strings.TrimPrefix(name.Text, "+")
	return len(digits) >= 6 && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

// markdown is the dialect of the messages.
type markdown struct{ wecom.Markdown }

var _ chat.Dialect = markdown{}

func (markdown) Value(s string) string { return wecom.EscapeLine(render.CleanLine(s, maxMarkdown)) }

func (markdown) URL(s string) string {
	s = render.CleanLine(s, maxMarkdown)
	if !strings.ContainsAny(s, "()<>*` ") {
		return s
	}
	return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "*", "%2A", "`", "%60", " ", "%20").Replace(s)
}

func markdownMessage(content string) any {
	type markdown struct {
		Content string `json:"content"`
	}
	return struct {
		MsgType  string   `json:"msgtype"`
		Markdown markdown `json:"markdown"`
	}{"markdown", markdown{content}}
}

func textMessage(content string, people mentions) any {
	type text struct {
		Content string   `json:"content"`
		Users   []string `json:"mentioned_list,omitempty"`
		Mobiles []string `json:"mentioned_mobile_list,omitempty"`
	}
	return struct {
		MsgType string `json:"msgtype"`
		Text    text   `json:"text"`
	}{"text", text{content, people.users, people.mobiles}}
}

// send delivers one message.
func send(ctx context.Context, client *http.Client, address string, payload []byte) error {
	response, err := notify.PostJSON(ctx, client, address, nil, payload)
	if err != nil {
		return err
	}
	if err := wecom.CheckResponse(response, errorTable); err != nil {
		return err
	}
	return nil
}

var errorTable = chat.ErrorTable{
	// WeCom locks the robot out until its window of one minute ends.
	{Codes: "45009", Class: notify.Rate, RetryAfter: time.Minute, Message: "the robot has sent its 20 messages of this minute"},
	{Codes: "45033", Class: notify.Retry, Message: "too many calls to the robot at the same time"},
	{Codes: "93000", Class: notify.Permanent,
		Message: "the robot does not exist, or was removed from its group: add one to the group and put its address under url"},
	{Codes: "93004", Class: notify.Permanent, Message: "the robot is disabled: have it enabled in the group, or use another one"},
	{Codes: "93008", Class: notify.Permanent, Message: "the robot is not in the group any more: add it again, or use another one"},
}

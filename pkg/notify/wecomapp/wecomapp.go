// Package wecomapp sends notifications through a WeCom application (自建应用) to
// members, departments and tags.
//
// Vendor rules, from developer.work.weixin.qq.com/document/path/90236 and
// /91039: content up to 2048 bytes, a longer text is silently cut; 30 messages a
// minute and 1000 an hour for each member, more are dropped although the call
// succeeds; an access token is valid for two hours and fetching it is limited; HTTP
// status 200 whatever happened.
package wecomapp

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
	maxContent = 2048 // bytes
	// duplicateWindow is for how many seconds WeCom drops a message that equals an
	// earlier one, so that a retry after a lost response, or by another instance
	// after a crash, is not read twice.
	duplicateWindow = 300
)

// app is a notify.Notifier.
type app struct {
	env        *notify.Env
	tokens     *tokens
	api        string // with a slash at its end
	corp       string
	agent      int
	recipients recipientLists
	format     format
	message    *chat.Template
}

// New returns the notifier of c, which must be valid. The error names the key of a
// template that cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	agent, err := strconv.Atoi(c.AgentID)
	if err != nil {
		return nil, fmt.Errorf("agent_id: %q is not a number", c.AgentID)
	}
	compile := chat.NewCompiler(t)
	a := &app{
		env: env, tokens: newTokens(c, env), api: c.api(), corp: c.CorpID, agent: agent, format: text{},
		message: compile.Message("message", c.Message, "wecom.default"),
		recipients: recipientLists{
			users: compile.Marked(c.ToUser, "to_user"), parties: compile.Marked(c.ToParty, "to_party"), tags: compile.Marked(c.ToTag, "to_tag"),
		},
	}
	if c.MessageType == typeMarkdown {
		a.format = markdown{}
	}
	return a, compile.Err()
}

// Messages returns one message, or several that are split between alerts. Its units
// are each part for each recipient. An invalid recipient is a unit of the first
// message: it is rejected for good, and the others are sent theirs.
func (a *app) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &a.env.Style)
	doc := render.NewDocument(n, &a.env.Style)
	valid, invalid, err := a.recipients.execute(doc, view)
	if err != nil {
		return nil, err
	}
	var out []notify.Message
	parts := a.parts(view, doc, chat.Limit(n, maxContent))
	for i, content := range parts {
		p := &part{unit: chat.Unit(i+1, len(parts)), content: content}
		for _, r := range valid {
			if !chat.Accepted(n, p.unitOf(r)) {
				p.to = append(p.to, r)
			}
		}
		if i == 0 {
			for _, unit := range invalid {
				if !chat.Accepted(n, unit) {
					p.invalid = append(p.invalid, unit)
				}
			}
		}
		if len(p.to)+len(p.invalid) == 0 {
			continue
		}
		m, err := a.newMessage(p)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// parts returns the content of each part.
func (a *app) parts(view *render.View, doc *render.Document, limit int) []string {
	head := a.format.Head(doc)
	builtin := func() string { return head(1, 1) + "\n" + strings.Join(chat.Blocks(doc, a.format), "\n") }
	if text := a.message.Execute(doc, chat.EscapedView(view, a.format, builtin)); text != "" {
		return chat.PackLines(strings.Split(text, "\n"), limit)
	}
	return render.Pack(limit, head, chat.Blocks(doc, a.format))
}

// part is one part of a notification and its recipients.
type part struct {
	unit    string // "1/3"
	content string
	to      []recipient
	invalid []string
}

// unitOf returns the unit of the part for one recipient.
func (p *part) unitOf(r recipient) string { return p.unit + " " + r.String() }

func (a *app) newMessage(p *part) (notify.Message, error) {
	payload, err := a.payload(p)
	if err != nil {
		return notify.Message{}, fmt.Errorf("encode the message: %w", err)
	}
	units := make([]string, len(p.to), len(p.to)+len(p.invalid))
	readers := make([]string, len(p.to))
	for i, r := range p.to {
		units[i], readers[i] = p.unitOf(r), r.String()
	}
	return notify.Message{
		Target:   "wecom_app/" + a.corp + "/" + strconv.Itoa(a.agent),
		Audience: strings.Join(readers, " "),
		Units:    append(units, p.invalid...),
		Text:     a.format.Preview(p.content),
		Send: func(ctx context.Context) []notify.Outcome {
			return append(a.outcomes(ctx, p, units, payload), rejected(p.invalid)...)
		},
	}, nil
}

// outcomes sends a part and returns the outcome of each recipient.
func (a *app) outcomes(ctx context.Context, p *part, units []string, payload []byte) []notify.Outcome {
	if len(p.to) == 0 {
		return nil
	}
	accepted, err := a.send(ctx, payload)
	out := notify.Outcomes(units, err)
	if err == nil {
		for i, r := range p.to {
			out[i].Err = accepted.errorOf(r)
		}
	}
	return out
}

// rejected returns the outcomes of invalid recipients.
func rejected(invalid []string) []notify.Outcome {
	out := make([]notify.Outcome, len(invalid))
	for i, s := range invalid {
		message := fmt.Sprintf("%q is no recipient: to_user takes user ids, to_party and to_tag take numbers", s)
		if isEverybody(s) {
			message = fmt.Sprintf("%q is everybody, whom an alert cannot name: write it into the configuration, outside of {{ }}", s)
		}
		out[i] = notify.Outcome{Unit: s, Err: &notify.Error{Class: notify.Permanent, Message: message}}
	}
	return out
}

// payload returns the body of the request. It is the same in every attempt, because
// WeCom compares all of it to find duplicates.
func (a *app) payload(p *part) ([]byte, error) {
	type content struct {
		Content string `json:"content"`
	}
	body := struct {
		Users    string   `json:"touser,omitempty"`
		Parties  string   `json:"toparty,omitempty"`
		Tags     string   `json:"totag,omitempty"`
		Type     string   `json:"msgtype"`
		Agent    int      `json:"agentid"`
		Text     *content `json:"text,omitempty"`
		Markdown *content `json:"markdown,omitempty"`
		Check    int      `json:"enable_duplicate_check"`
		Window   int      `json:"duplicate_check_interval"`
	}{
		Users: joinIDs(p.to, user), Parties: joinIDs(p.to, party), Tags: joinIDs(p.to, tag),
		Type: typeText, Agent: a.agent, Check: 1, Window: duplicateWindow,
	}
	if a.format == (markdown{}) {
		body.Type, body.Markdown = typeMarkdown, &content{p.content}
	} else {
		body.Text = &content{p.content}
	}
	return notify.EncodeJSON(body)
}

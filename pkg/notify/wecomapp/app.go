// Package wecomapp says notifications through a WeCom application (自建应用) to
// members, departments and tags.
//
// Vendor rules, from developer.work.weixin.qq.com/document/path/90236 and
// /91039: content up to 2048 bytes, a longer text is cut without a word; 30
// messages a minute and 1000 an hour for each member, more are dropped and the
// call succeeds; an access token holds for two hours and asking for it is
// limited; HTTP status 200 whatever happened.
package wecomapp

import (
	"context"
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
	maxContent = 2048 // bytes
	// builtinName is the built-in text inside a user's own template.
	builtinName = "wecom.default"
	// repeatWindow is for how many seconds WeCom drops a message that equals an
	// earlier one: an attempt after one without an answer, or after the lease of
	// an instance that died, is not read twice.
	repeatWindow = 300
)

var errEmpty = errors.New("it prints nothing")

// app is a Notifier.
type app struct {
	env    *notify.Env
	tokens *tokens
	api    string // with a slash at its end
	corp   string
	agent  int
	to     lists
	layout
	message *render.Text
}

// New makes the notifier of c, which must be valid. An error names the key whose
// template is wrong.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	agent, err := strconv.Atoi(c.AgentID)
	if err != nil {
		return nil, fmt.Errorf("agent_id: %q is not a number", c.AgentID)
	}
	a := &app{
		env: env, tokens: newTokens(c, env), api: c.api(), corp: c.CorpID, agent: agent,
		layout: layout{markdown: c.MessageType == typeMarkdown},
	}
	message := c.Message
	if message == "" {
		message = `{{ template "` + builtinName + `" . }}`
	}
	if a.message, err = t.CompileText(message, builtinName); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	if a.to.users, err = t.CompileText(c.ToUser); err != nil {
		return nil, fmt.Errorf("to_user: %w", err)
	}
	if a.to.parties, err = t.CompileText(c.ToParty); err != nil {
		return nil, fmt.Errorf("to_party: %w", err)
	}
	if a.to.tags, err = t.CompileText(c.ToTag); err != nil {
		return nil, fmt.Errorf("to_tag: %w", err)
	}
	return a, nil
}

// Messages returns one message, or several that are cut between alerts. Its
// units are each part for each recipient. What can be no recipient is a unit of
// the first message: it is refused for good without keeping the others from
// theirs.
func (a *app) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &a.env.Style)
	good, bad, err := a.to.recipients(view)
	if err != nil {
		return nil, err
	}
	limit := maxContent
	if n.HalfSize {
		limit /= 2
	}
	bad = slices.DeleteFunc(bad, func(unit string) bool { return slices.Contains(n.AcceptedUnits, unit) })
	var out []notify.Message
	parts := a.parts(view, render.NewDocument(n, &a.env.Style), limit)
	for i, part := range parts {
		m := &message{part: strconv.Itoa(i+1) + "/" + strconv.Itoa(len(parts)), content: part}
		for _, r := range good {
			if !slices.Contains(n.AcceptedUnits, m.unit(r)) {
				m.to = append(m.to, r)
			}
		}
		if i == 0 {
			m.bad = bad
		}
		if len(m.to)+len(m.bad) == 0 {
			continue
		}
		made, err := a.made(m)
		if err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return out, nil
}

// parts returns the content of each part. A user's template that fails, or
// prints nothing, gives way to the built-in text with a note: an alert must not
// be lost over its wording.
func (a *app) parts(view *render.View, doc *render.Document, limit int) []string {
	if !a.message.Builtin() {
		escaped := view.Escape(a.escapeValue, escapeURL)
		escaped.Builtin = func() string { return a.whole(doc) }
		text, err := a.message.Execute(escaped)
		if text = render.CleanText(text); err == nil && text == "" {
			err = errEmpty
		}
		if err == nil {
			return packText(text, limit)
		}
		doc.AddTemplateError(err)
	}
	return a.pack(doc, limit)
}

// message is one part, and who gets it.
type message struct {
	part    string // "1/3"
	content string
	to      []recipient
	bad     []string // what can be no recipient
}

// unit names the part for one recipient.
func (m *message) unit(r recipient) string { return m.part + " " + r.String() }

// made puts m into the form in which it is sent.
func (a *app) made(m *message) (notify.Message, error) {
	payload, err := a.payload(m)
	if err != nil {
		return notify.Message{}, fmt.Errorf("encode the message: %w", err)
	}
	units := make([]string, len(m.to), len(m.to)+len(m.bad))
	readers := make([]string, len(m.to))
	for i, r := range m.to {
		units[i], readers[i] = m.unit(r), r.String()
	}
	return notify.Message{
		Target:   "wecom_app/" + a.corp + "/" + strconv.Itoa(a.agent),
		Audience: strings.Join(readers, " "),
		Units:    append(units, m.bad...),
		Text:     a.preview(m.content),
		Send: func(ctx context.Context) []notify.Outcome {
			return append(a.outcomes(ctx, m, units, payload), refused(m.bad)...)
		},
	}, nil
}

// outcomes sends a message and tells what became of it for each recipient.
func (a *app) outcomes(ctx context.Context, m *message, units []string, payload []byte) []notify.Outcome {
	if len(m.to) == 0 {
		return nil
	}
	taken, err := a.send(ctx, payload)
	out := notify.Outcomes(units, err)
	if err == nil {
		for i, r := range m.to {
			out[i].Err = taken.outcome(r)
		}
	}
	return out
}

func refused(bad []string) []notify.Outcome {
	out := make([]notify.Outcome, len(bad))
	for i, s := range bad {
		out[i] = notify.Outcome{Unit: s, Err: &notify.Error{Class: notify.Permanent,
			Message: fmt.Sprintf("%q is no recipient: to_user takes user ids, to_party and to_tag take numbers", s)}}
	}
	return out
}

// payload is the body of the request. It holds nothing that changes from one
// attempt to the next, because WeCom compares the whole of it.
func (a *app) payload(m *message) ([]byte, error) {
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
		Users: joined(m.to, user), Parties: joined(m.to, party), Tags: joined(m.to, tag),
		Type: typeText, Agent: a.agent, Check: 1, Window: repeatWindow,
	}
	if a.markdown {
		body.Type, body.Markdown = typeMarkdown, &content{m.content}
	} else {
		body.Text = &content{m.content}
	}
	return notify.EncodeJSON(body)
}

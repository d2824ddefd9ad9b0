// Package wecomrobot says notifications through a WeCom group robot (消息推送).
//
// Vendor rules, from developer.work.weixin.qq.com/document/path/99110: 20
// messages a minute per robot; markdown up to 4096 bytes, rejected and not cut
// when longer; text up to 2048 bytes; phone numbers and @all can be mentioned in
// text only; HTTP status 200 whatever happened.
package wecomrobot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/wecom"
	"tocsin/pkg/render"
)

const (
	maxMarkdown = 4096 // bytes
	maxText     = 2048 // bytes
	// builtinName is the built-in text inside a user's own template.
	builtinName = "wecom.default"
	// mentionUnit is the unit of the message that mentions people.
	mentionUnit = "mention"
)

// robot is a Notifier.
type robot struct {
	env     *notify.Env
	url     *render.Text
	message *render.Text
	mobiles []*render.Text
	users   []*render.Text
	// pictures tells that charts are wanted.
	pictures bool
}

// New makes the notifier of c, which must be valid. An error names the key whose
// template is wrong.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	r := &robot{env: env, pictures: c.Picture == nil || *c.Picture}
	message := c.Message
	if message == "" {
		message = `{{ template "` + builtinName + `" . }}`
	}
	var err error
	if r.url, err = t.CompileText(string(c.URL)); err != nil {
		return nil, errors.New("url: the template is wrong: check its braces and its function names (it is a secret, so the place is not shown)")
	}
	if r.message, err = t.CompileText(message, builtinName); err != nil {
		return nil, fmt.Errorf("message: %w", err)
	}
	if r.mobiles, err = texts(t, c.MentionMobiles); err != nil {
		return nil, fmt.Errorf("mention_mobiles: %w", err)
	}
	if r.users, err = texts(t, c.MentionUsers); err != nil {
		return nil, fmt.Errorf("mention_users: %w", err)
	}
	return r, nil
}

func texts(t *render.Templates, srcs []string) ([]*render.Text, error) {
	out := make([]*render.Text, len(srcs))
	for i, src := range srcs {
		var err error
		if out[i], err = t.CompileText(src); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Messages returns one markdown message, or several that are cut between alerts,
// and when people are to be mentioned who cannot be inside markdown, a short
// text that mentions them. A picture may follow.
func (r *robot) Messages(n *alert.Notification) ([]notify.Message, error) {
	share := 1 // of a message's limit
	if n.HalfSize {
		share = 2
	}
	view := render.NewView(n, &r.env.Style)
	address, err := r.url.Execute(view)
	if err != nil {
		return nil, &notify.Error{Class: notify.Permanent, Message: "the template under url failed"}
	}
	doc := render.NewDocument(n, &r.env.Style)
	var people mentions
	if !doc.Resolved {
		people = r.mentions(view)
	}
	inline := ""
	if !people.needText() {
		inline, people = people.inline(), mentions{}
	}

	parts := r.parts(view, doc, inline, maxMarkdown/share)
	out := make([]notify.Message, 0, len(parts)+1)
	target := targetOf(address)
	add := func(unit, content string, body any) error {
		if slices.Contains(n.AcceptedUnits, unit) {
			return nil
		}
		payload, err := notify.EncodeJSON(body)
		if err != nil {
			return fmt.Errorf("encode the message: %w", err)
		}
		units := []string{unit}
		out = append(out, notify.Message{
			Target: target,
			Units:  units,
			Text:   wecom.Preview(content),
			Send: func(ctx context.Context) []notify.Outcome {
				return notify.Outcomes(units, send(ctx, r.env.HTTP, address, payload))
			},
		})
		return nil
	}
	for i, part := range parts {
		if err := add(strconv.Itoa(i+1)+"/"+strconv.Itoa(len(parts)), part, markdownMessage(part)); err != nil {
			return nil, err
		}
	}
	if people.any() {
		content := render.Truncate(wecom.Escape(doc.Title), maxText/share)
		if err := add(mentionUnit, content+people.suffix(), textMessage(content, people)); err != nil {
			return nil, err
		}
	}
	return append(out, r.picture(n, doc, address)...), nil
}

// parts returns the markdown of each part. A user's template that fails, or
// prints nothing, gives way to the built-in text with a note: an alert must not
// be lost over its wording.
func (r *robot) parts(view *render.View, doc *render.Document, inline string, limit int) []string {
	if !r.message.Builtin() {
		escaped := view.Escape(escapeValue, escapeURL)
		escaped.Builtin = func() string { return whole(doc) }
		text, err := r.message.Execute(escaped)
		if text = render.CleanText(text); err == nil && text == "" {
			err = errEmpty
		}
		if err == nil {
			return packText(text, inline, limit)
		}
		doc.AddTemplateError(err)
	}
	return pack(doc, inline, limit)
}

// targetOf names the robot without its key.
func targetOf(address string) string {
	key := address
	if u, err := url.Parse(address); err == nil && u.Query().Get("key") != "" {
		key = u.Query().Get("key")
	}
	sum := sha256.Sum256([]byte(key))
	return kind.Name + "/" + hex.EncodeToString(sum[:4])
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

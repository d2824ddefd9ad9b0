// Package dingtalk says notifications through a DingTalk group robot (自定义机器人).
//
// Vendor rules, from open.dingtalk.com/document/orgapp/custom-robots-send-group-messages
// and custom-bot-send-message-type: 20 messages a minute per robot, which is then
// shut for ten minutes; a request of up to 20000 bytes; a mention takes effect
// only if it is in the list and in the text; a line break in markdown is two
// spaces before it; HTTP status 200 whatever happened.
package dingtalk

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
	"tocsin/pkg/render"
)

const (
	maxBody  = 20000 // bytes of a request
	maxTitle = 256   // bytes; phones show less
	// builtinName is the built-in text inside a user's own template.
	builtinName = "dingtalk.default"
)

var errEmpty = errors.New("it prints nothing")

// robot is a Notifier.
type robot struct {
	env     *notify.Env
	url     *render.Text
	secret  string
	people  lists
	title   *render.Text // nil for the built-in one
	message *render.Text
	layout
}

// New makes the notifier of c, which must be valid. An error names the key whose
// template is wrong.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	r := &robot{env: env, secret: string(c.Secret), layout: layout{markdown: c.Type != typeText}}
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
	if c.Title != "" {
		if r.title, err = t.CompileText(c.Title); err != nil {
			return nil, fmt.Errorf("title: %w", err)
		}
	}
	if r.people, err = c.At.compile(t); err != nil {
		return nil, fmt.Errorf("at: %w", err)
	}
	return r, nil
}

// Messages returns one message, or several that are cut between alerts. The
// first of them mentions people.
//
// When DingTalk has found the last attempt too long, or its content unsafe
// (n.Shrink), the built-in text is said without markup and without links.
func (r *robot) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &r.env.Style)
	address, err := r.url.Execute(view)
	if err != nil {
		return nil, &notify.Error{Class: notify.Permanent, Message: "the template under url failed"}
	}
	l := r.letter(n, view)
	bodies, err := l.bodies()
	if err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	target := targetOf(address)
	out := make([]notify.Message, 0, len(bodies))
	for i, body := range bodies {
		units := []string{strconv.Itoa(i+1) + "/" + strconv.Itoa(len(bodies))}
		if slices.Contains(n.AcceptedUnits, units[0]) {
			continue
		}
		out = append(out, notify.Message{
			Target: target,
			Units:  units,
			Text:   l.preview(body.text),
			Send: func(ctx context.Context) []notify.Outcome {
				return notify.Outcomes(units, r.send(ctx, target, address, body.json))
			},
		})
	}
	return out, nil
}

// letter puts n into words. A user's template that fails, or prints nothing,
// gives way to the built-in text with a note: an alert must not be lost over its
// wording.
func (r *robot) letter(n *alert.Notification, view *render.View) *letter {
	doc := render.NewDocument(n, &r.env.Style)
	l := &letter{layout: r.layout, doc: doc, limit: maxBody}
	if !doc.Resolved {
		l.people = r.people.execute(view, r.env.Language)
	}
	if n.HalfSize {
		l.layout, l.limit = layout{bare: true}, maxBody/2
		return l
	}
	escaped := view.Escape(l.escapeValue, l.escapeURL)
	escaped.Builtin = func() string { return l.whole(doc) }
	l.title = render.Truncate(l.escape(doc.Title), maxTitle)
	if r.title != nil {
		title, err := r.title.Execute(escaped)
		if err != nil {
			doc.AddTemplateError(fmt.Errorf("title: %w", err))
		} else if title = render.CleanLine(title, maxTitle); title != "" {
			l.title = title
		}
	}
	if !r.message.Builtin() {
		text, err := r.message.Execute(escaped)
		if text = l.tidy(text); err == nil && text == "" {
			err = errEmpty
		}
		if err != nil {
			doc.AddTemplateError(fmt.Errorf("message: %w", err))
		} else {
			l.own = text
		}
	}
	return l
}

// targetOf names the robot without its access_token.
func targetOf(address string) string {
	token := address
	if u, err := url.Parse(address); err == nil && u.Query().Get("access_token") != "" {
		token = u.Query().Get("access_token")
	}
	sum := sha256.Sum256([]byte(token))
	return kind.Name + "/" + hex.EncodeToString(sum[:4])
}

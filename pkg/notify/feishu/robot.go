// Package feishu says notifications through a custom robot of a Feishu (Lark)
// group, as cards.
//
// Vendor rules, from open.feishu.cn/document/client-docs/bot-v3/add-custom-bot:
// 5 messages a second and 100 a minute per robot; 20 KB per request; signatures
// in the body; a card that mentions somebody unknown is refused as a whole; HTTP
// status 200 for most errors. Cards are of schema 1.0, which every client shows.
package feishu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

const (
	// maxBody is the vendor's 20 KB, read the smaller way.
	maxBody = 20_000
	// reserve is what of it is kept for the signature, and for the note that
	// takes the place of mentions.
	reserve  = 512
	maxTitle = 500 // bytes; a header shows two lines
	// builtinName is the built-in text inside a user's own template.
	builtinName = "feishu.default"
)

// robot is a Notifier.
type robot struct {
	env     *notify.Env
	secret  string
	url     *render.Text
	message *render.Text
	title   *render.Text // nil for the built-in one
	openIDs []*render.Text
	all     bool
}

// New makes the notifier of c, which must be valid. An error names the key whose
// template is wrong.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	r := &robot{env: env, secret: string(c.Secret), all: c.At.All}
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
	for _, src := range c.At.OpenIDs {
		id, err := t.CompileText(src)
		if err != nil {
			return nil, fmt.Errorf("at: open_ids: %w", err)
		}
		r.openIDs = append(r.openIDs, id)
	}
	return r, nil
}

// Messages returns one card, or several that are cut between alerts.
func (r *robot) Messages(n *alert.Notification) ([]notify.Message, error) {
	limit := maxBody
	if n.HalfSize {
		limit /= 2
	}
	view := render.NewView(n, &r.env.Style)
	address, err := r.url.Execute(view)
	if err != nil {
		return nil, &notify.Error{Class: notify.Permanent, Message: "the template under url failed"}
	}
	cards, err := r.cards(n, view, limit-reserve)
	if err != nil {
		return nil, err
	}
	target := targetOf(address)
	var out []notify.Message
	for i, c := range cards {
		units := []string{strconv.Itoa(i+1) + "/" + strconv.Itoa(len(cards))}
		if slices.Contains(n.AcceptedUnits, units[0]) {
			continue
		}
		out = append(out, notify.Message{
			Target: target,
			Units:  units,
			Text:   c.title + "\n" + preview(c.markdown),
			Send: func(ctx context.Context) []notify.Outcome {
				return notify.Outcomes(units, r.send(ctx, address, c))
			},
		})
	}
	return out, nil
}

// cards words a notification. A template that fails, or a message that prints
// nothing, gives way to the built-in text, and a note says so: an alert must not
// be lost over its wording.
func (r *robot) cards(n *alert.Notification, view *render.View, limit int) ([]card, error) {
	doc := render.NewDocument(n, &r.env.Style)
	mentions := ""
	if !doc.Resolved {
		mentions = r.mentions(view)
	}
	title := doc.Title
	if r.title != nil {
		own, err := r.title.Execute(view)
		if err != nil {
			doc.AddTemplateError(fmt.Errorf("title: %w", err))
		} else if own = render.CleanLine(own, maxTitle); own != "" {
			title = own
		}
	}
	layout := blocks(doc)
	if !r.message.Builtin() {
		escaped := view.Escape(escapeValue, escapeURL)
		escaped.Builtin = func() string { return strings.Join(blocks(doc), "\n") }
		text, err := r.message.Execute(escaped)
		if text = render.CleanText(text); err == nil && text == "" {
			err = errEmpty
		}
		if err == nil {
			layout = strings.Split(text, "\n")
		} else {
			doc.AddTemplateError(fmt.Errorf("message: %w", err))
			layout = blocks(doc)
		}
	}
	if mentions != "" {
		layout = append(layout, "\n"+mentions)
	}
	return fill(card{title: harmless(render.Truncate(title, maxTitle)), colour: colour(doc)}, layout, limit)
}

// targetOf names the robot without its token.
func targetOf(address string) string {
	token := address
	if u, err := url.Parse(address); err == nil && u.Path != "" {
		token = path.Base(u.Path)
	}
	sum := sha256.Sum256([]byte(token))
	return kind.Name + "/" + hex.EncodeToString(sum[:4])
}

// Package email sends notifications over SMTP, as Alertmanager's email_configs
// do: encrypted from the start or by STARTTLS, one message with a text and an
// HTML form for each recipient.
package email

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

// mailer is the notifier of one entry of email_configs.
type mailer struct {
	env      *notify.Env
	server   *server
	thread   Threading
	to, from *render.Text
	headers  []header
	// text and html are nil for the built-in body, which layout makes.
	text   *render.Text
	html   *render.HTML
	layout *template.Template
	// figures is how many charts the built-in HTML may have.
	figures int
}

type header struct {
	name  string
	value *render.Text
}

// New returns the notifier that c describes. An error names the key whose
// template cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	server, err := newServer(c, env)
	if err != nil {
		return nil, err
	}
	m := &mailer{env: env, server: server, thread: c.Threading}
	if m.layout, err = newLayout(); err != nil {
		return nil, err
	}
	if c.Picture == nil || *c.Picture {
		m.figures = maxFigures
	}
	if m.to, err = t.CompileText(c.To); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	if m.from, err = t.CompileText(cmp.Or(c.From, c.AuthUsername)); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if c.Text != "" {
		if m.text, err = t.CompileText(c.Text); err != nil {
			return nil, fmt.Errorf("text: %w", err)
		}
	}
	if c.HTML != "" {
		if m.html, err = t.CompileHTML(c.HTML); err != nil {
			return nil, fmt.Errorf("html: %w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if reserved(name) {
			continue
		}
		value, err := t.CompileText(c.Headers[name])
		if err != nil {
			return nil, fmt.Errorf("headers: %s: %w", name, err)
		}
		m.headers = append(m.headers, header{textproto.CanonicalMIMEHeaderKey(name), value})
	}
	return m, nil
}

// Messages returns one message whose units are the recipients' addresses. What
// is not an address is a unit too: it is refused for good without keeping the
// mail from the others.
func (m *mailer) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &m.env.Style)
	list, err := m.to.Execute(view)
	if err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	good, bad := parseRecipients(list)
	switch total := len(good) + len(bad); {
	case total == 0:
		return nil, errors.New("nobody to send to: the template in to printed nothing")
	case total > maxRecipients:
		return nil, fmt.Errorf("%d recipients are more than the %d that one mail may have: use a mailing list", total, maxRecipients)
	}
	var todo []string
	for _, a := range good {
		todo = append(todo, a.Address)
	}
	done := func(unit string) bool { return slices.Contains(n.AcceptedUnits, unit) }
	todo, bad = slices.DeleteFunc(todo, done), slices.DeleteFunc(bad, done)
	if len(todo)+len(bad) == 0 {
		return nil, nil
	}
	l, err := m.letter(n, view, good)
	if err != nil {
		return nil, err
	}
	return []notify.Message{{
		Target:   l.from.Address + " via " + m.server.addr,
		Audience: strings.Join(todo, ","),
		Units:    slices.Concat(todo, bad),
		Text:     l.preview(),
		Send: func(ctx context.Context) []notify.Outcome {
			dated := *l
			dated.date = m.env.Now().In(m.env.Location)
			dated.figures = drawn(l.figures)
			out := m.server.send(ctx, &dated, todo)
			for _, unit := range bad {
				out = append(out, notify.Outcome{Unit: unit, Err: &notify.Error{Class: notify.Permanent,
					Message: fmt.Sprintf("%q is not an e-mail address: check what to names", unit)}})
			}
			return out
		},
	}}, nil
}

// letter writes the mail, the same for all recipients but for its id. Where a
// template for what the mail says fails, the mail says so and has the built-in
// text.
func (m *mailer) letter(n *alert.Notification, view *render.View, to []*mail.Address) (*letter, error) {
	sender, err := m.from.Execute(view)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	from, err := mail.ParseAddress(sender)
	if err != nil {
		return nil, fmt.Errorf("from: %q is not an e-mail address", render.CleanLine(sender, maxName))
	}
	doc := render.NewDocument(n, &m.env.Style)
	l := &letter{id: n.ID, from: from, to: to, subject: doc.Title}
	if m.thread.enabled() {
		l.thread = threadID(n.GroupKey, m.thread.day(n.At, m.env.Location))
	}
	for _, h := range m.headers {
		value, err := h.value.Execute(view)
		switch value = render.CleanLine(value, maxHeader); {
		case err != nil:
			doc.AddTemplateError(fmt.Errorf("headers: %s: %w", h.name, err))
		case h.name == "Subject":
			l.subject = cmp.Or(value, doc.Title)
		default:
			l.headers = append(l.headers, [2]string{h.name, value})
		}
	}
	if m.text != nil {
		if l.text, err = m.text.Execute(view); err != nil {
			doc.AddTemplateError(fmt.Errorf("text: %w", err))
			l.text = ""
		}
	}
	if m.html != nil {
		if l.html, err = m.html.Execute(view); err != nil {
			doc.AddTemplateError(fmt.Errorf("html: %w", err))
			l.html = ""
		}
	}
	limit := maxItems
	if n.HalfSize {
		limit /= 2
	}
	b := newBody(doc, m.env.Language, limit)
	if l.text == "" {
		l.text = b.text()
	}
	if l.html == "" {
		l.figures = m.newFigures(doc, l)
		b.Figures = l.figures
		if l.html, err = b.html(m.layout); err != nil {
			return nil, fmt.Errorf("html: %w", err)
		}
	}
	return l, nil
}

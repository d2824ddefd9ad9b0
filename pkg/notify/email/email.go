// Package email sends notifications over SMTP, as Alertmanager's email_configs do:
// encrypted from the start or by STARTTLS, one mail per recipient with a text and an
// HTML form.
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

// maxRecipients bounds a list that may come from an alert's annotations.
const maxRecipients = 100

// notifier is the notify.Notifier of one entry of email_configs.
type notifier struct {
	env       *notify.Env
	server    *server
	threading Threading
	to, from  *render.Text
	headers   []header
	// text and html are nil for the built-in message, whose HTML layout makes.
	text   *render.Text
	html   *render.HTML
	layout *template.Template
	// maxCharts is how many charts the built-in HTML may have.
	maxCharts int
}

type header struct {
	name  string
	value *render.Text
}

// New returns the notifier of c, which must be valid. The error names the key of a
// template that cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	server, err := newServer(c, env)
	if err != nil {
		return nil, err
	}
	e := &notifier{env: env, server: server, threading: c.Threading}
	if e.layout, err = newLayout(); err != nil {
		return nil, err
	}
	if c.Picture == nil || *c.Picture {
		e.maxCharts = maxCharts
	}
	compile := render.Compiler{Templates: t}
	e.to = compile.Text(c.To, "to")
	e.from = compile.Text(cmp.Or(c.From, c.AuthUsername), "from")
	if c.Text != "" {
		e.text = compile.Text(c.Text, "text")
	}
	if c.HTML != "" {
		e.html = compile.HTML(c.HTML, "html")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if isReserved(name) {
			continue
		}
		e.headers = append(e.headers, header{textproto.CanonicalMIMEHeaderKey(name), compile.Text(c.Headers[name], "headers", name)})
	}
	return e, compile.Err()
}

// Messages returns one message whose units are the recipients' addresses. Texts that
// are not addresses are units too, which fail without affecting the others.
func (e *notifier) Messages(n *alert.Notification) ([]notify.Message, error) {
	view := render.NewView(n, &e.env.Style)
	list, err := e.to.Execute(view)
	if err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	addresses, invalid := parseRecipients(list)
	switch total := len(addresses) + len(invalid); {
	case total == 0:
		return nil, errors.New("there are no recipients: the template under to printed nothing")
	case total > maxRecipients:
		return nil, fmt.Errorf("%d recipients are more than the %d that one mail may have: use a mailing list", total, maxRecipients)
	}
	var recipients []string
	for _, a := range addresses {
		recipients = append(recipients, a.Address)
	}
	accepted := func(unit string) bool { return slices.Contains(n.AcceptedUnits, unit) }
	recipients, invalid = slices.DeleteFunc(recipients, accepted), slices.DeleteFunc(invalid, accepted)
	if len(recipients)+len(invalid) == 0 {
		return nil, nil
	}
	m, err := e.render(n, view, addresses)
	if err != nil {
		return nil, err
	}
	return []notify.Message{{
		Target:   m.from.Address + " via " + e.server.addr,
		Audience: strings.Join(recipients, ","),
		Units:    slices.Concat(recipients, invalid),
		Text:     m.preview(),
		Send: func(ctx context.Context) []notify.Outcome {
			dated := *m
			dated.date = e.env.Now().In(e.env.Location)
			dated.charts = withImages(m.charts)
			out := e.server.send(ctx, &dated, recipients)
			for _, unit := range invalid {
				out = append(out, notify.Outcome{Unit: unit, Err: &notify.Error{Class: notify.Permanent,
					Message: fmt.Sprintf("%q is not an e-mail address: check what the template under to prints", unit)}})
			}
			return out
		},
	}}, nil
}

// render returns the message of n. Where a template fails, it has the built-in text
// with a note about the error.
func (e *notifier) render(n *alert.Notification, view *render.View, to []*mail.Address) (*renderedMessage, error) {
	sender, err := e.from.Execute(view)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	from, err := mail.ParseAddress(sender)
	if err != nil {
		return nil, fmt.Errorf("from: %q is not an e-mail address", render.CleanLine(sender, maxName))
	}
	doc := render.NewDocument(n, &e.env.Style)
	m := &renderedMessage{id: n.ID, from: from, to: to, subject: doc.Title}
	if e.threading.enabled() {
		m.thread = threadID(n.GroupKey, e.threading.day(n.At, e.env.Location))
	}
	for _, h := range e.headers {
		value, err := h.value.Execute(view)
		switch value = render.CleanLine(value, maxHeader); {
		case err != nil:
			doc.AddTemplateError(fmt.Errorf("headers.%s: %w", h.name, err))
		case h.name == "Subject":
			m.subject = cmp.Or(value, doc.Title)
		default:
			m.headers = append(m.headers, [2]string{h.name, value})
		}
	}
	if e.text != nil {
		if m.text, err = e.text.Execute(view); err != nil {
			doc.AddTemplateError(fmt.Errorf("text: %w", err))
			m.text = ""
		}
	}
	if e.html != nil {
		if m.html, err = e.html.Execute(view); err != nil {
			doc.AddTemplateError(fmt.Errorf("html: %w", err))
			m.html = ""
		}
	}
	limit := maxItems
	if n.HalfSize {
		limit /= 2
	}
	b := newBody(doc, e.env.Language, limit)
	if m.text == "" {
		m.text = b.text()
	}
	if m.html == "" {
		m.charts = newCharts(doc, e.maxCharts, m)
		b.Charts = m.charts
		if m.html, err = b.html(e.layout); err != nil {
			return nil, fmt.Errorf("html: %w", err)
		}
	}
	return m, nil
}

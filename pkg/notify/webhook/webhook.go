// Package webhook posts notifications to any HTTP server, with the body of
// Alertmanager 0.34 (version 4), and signed by the Standard Webhooks specification
// if there is a secret.
package webhook

import (
	"context"
	"fmt"
	"net/url"
	"reflect"

	"github.com/prometheus/alertmanager/template"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

// notifier is the notify.Notifier of one entry of webhook_configs.
type notifier struct {
	sender
	url       *chat.Address
	payload   *payload // nil for the standard body
	maxAlerts uint64
}

// New returns the notifier of c, which must be valid. The error names the key of a
// template that cannot be compiled.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	w := &notifier{maxAlerts: c.MaxAlerts}
	var err error
	if w.sender, err = newSender(c, env); err != nil {
		return nil, err
	}
	compile := chat.NewCompiler(t)
	w.url = compile.Address("url", string(c.URL))
	if c.Payload != nil {
		w.payload = newPayload(c.Payload, &compile.Compiler)
	}
	return w, compile.Err()
}

// Messages returns one message: a notification is never split.
func (w *notifier) Messages(n *alert.Notification) ([]notify.Message, error) {
	unit := chat.Unit(1, 1)
	if chat.Accepted(n, unit) {
		return nil, nil
	}
	n, truncated := w.truncate(n)
	view := render.NewView(n, &w.env.Style)
	address, err := w.url.Execute(view)
	if err != nil {
		return nil, err
	}
	body, err := w.body(n, view, truncated)
	if err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	return []notify.Message{chat.NewMessage(target(address), unit, string(body), func(ctx context.Context) error {
		return w.send(ctx, address, messageID(n.ID), body)
	})}, nil
}

// target identifies an address by its host and a hash.
func target(address string) string {
	name := kind.Name
	if u, err := url.Parse(address); err == nil {
		name += "/" + u.Host
	}
	return chat.Target(name, address)
}

// truncate returns n with at most max_alerts alerts, and how many alerts it dropped.
// As in Alertmanager, only the remaining alerts decide which labels are common.
func (w *notifier) truncate(n *alert.Notification) (*alert.Notification, uint64) {
	all := uint64(len(n.Alerts))
	if w.maxAlerts == 0 || all <= w.maxAlerts {
		return n, 0
	}
	short := *n
	short.Alerts = n.Alerts[:w.maxAlerts]
	return &short, all - w.maxAlerts
}

// body returns the user's payload, or version 4 of Alertmanager's message: without a
// payload, and when the payload fails, which templateError then reports.
func (w *notifier) body(n *alert.Notification, view *render.View, truncated uint64) ([]byte, error) {
	note := ""
	if w.payload != nil {
		body, err := w.payload.encode(view)
		if err == nil {
			return body, nil
		}
		doc := render.NewDocument(n, &w.env.Style)
		doc.AddTemplateError(fmt.Errorf("payload: %w", err))
		note = doc.Notes[len(doc.Notes)-1]
	}
	return notify.EncodeJSON(struct {
		*template.Data
		Version         string `json:"version"`
		GroupKey        string `json:"groupKey"`
		TruncatedAlerts uint64 `json:"truncatedAlerts"`
		TemplateError   string `json:"templateError,omitempty"`
	}{render.Data(n, w.env.ExternalURL), "4", n.GroupKey, truncated, note})
}

// payload is a body in which every string is a template.
type payload struct {
	value     any
	templates map[string]*render.Text // by source
}

// newPayload compiles the strings of value, including the keys of mappings.
func newPayload(value any, compile *render.Compiler) *payload {
	p := &payload{value: value, templates: map[string]*render.Text{}}
	p.compile(reflect.ValueOf(value), compile, "payload")
	return p
}

// compile compiles the strings of the part of the payload at a path.
func (p *payload) compile(v reflect.Value, compile *render.Compiler, path ...any) {
	below := func(step any) []any { return append(path[:len(path):len(path)], step) }
	switch v.Kind() {
	case reflect.Interface:
		p.compile(v.Elem(), compile, path...)
	case reflect.String:
		p.templates[v.String()] = compile.Text(v.String(), path...)
	case reflect.Slice:
		for i := range v.Len() {
			p.compile(v.Index(i), compile, below(i)...)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			p.compile(key, compile, below(key.Interface())...)
			p.compile(v.MapIndex(key), compile, below(key.Interface())...)
		}
	}
}

// encode returns the value with the templates' output, as Alertmanager's own code does.
func (p *payload) encode(v *render.View) ([]byte, error) {
	value, err := template.DeepCopyWithTemplate(p.value, func(src string) (string, error) {
		return p.templates[src].Execute(v)
	})
	if err != nil {
		return nil, err
	}
	return notify.EncodeJSON(value)
}

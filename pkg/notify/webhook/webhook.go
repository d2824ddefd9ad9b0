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
	compile := chat.Compiler{Templates: t}
	w.url = compile.Secret("url", string(c.URL))
	if err := compile.Err(); err != nil {
		return nil, err
	}
	if c.Payload != nil {
		if w.payload, err = newPayload(c.Payload, t); err != nil {
			return nil, err
		}
	}
	return w, nil
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
		return nil, err
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

// body returns version 4 of Alertmanager's message, or the user's payload.
func (w *notifier) body(n *alert.Notification, view *render.View, truncated uint64) ([]byte, error) {
	if w.payload != nil {
		value, err := w.payload.execute(view)
		if err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
		body, err := notify.EncodeJSON(value)
		if err != nil {
			return nil, fmt.Errorf("payload: %w", err)
		}
		return body, nil
	}
	return notify.EncodeJSON(struct {
		*template.Data
		Version         string `json:"version"`
		GroupKey        string `json:"groupKey"`
		TruncatedAlerts uint64 `json:"truncatedAlerts"`
	}{render.Data(n, w.env.ExternalURL), "4", n.GroupKey, truncated})
}

// payload is a body in which every string is a template.
type payload struct {
	value     any
	templates map[string]*render.Text // by source
}

// newPayload compiles the strings of value, including the keys of mappings.
func newPayload(value any, t *render.Templates) (*payload, error) {
	p := &payload{value: value, templates: map[string]*render.Text{}}
	if err := p.compile(reflect.ValueOf(value), t); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return p, nil
}

func (p *payload) compile(v reflect.Value, t *render.Templates) error {
	switch v.Kind() {
	case reflect.Interface:
		return p.compile(v.Elem(), t)
	case reflect.String:
		text, err := t.CompileText(v.String())
		p.templates[v.String()] = text
		return err
	case reflect.Slice:
		for i := range v.Len() {
			if err := p.compile(v.Index(i), t); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if err := p.compile(key, t); err != nil {
				return err
			}
			if err := p.compile(v.MapIndex(key), t); err != nil {
				return err
			}
		}
	}
	return nil
}

// execute returns the value with the templates' output, as Alertmanager's own code
// does.
func (p *payload) execute(v *render.View) (any, error) {
	return template.DeepCopyWithTemplate(p.value, func(src string) (string, error) {
		return p.templates[src].Execute(v)
	})
}

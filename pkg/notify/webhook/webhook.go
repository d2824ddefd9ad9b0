// Package webhook posts notifications to any HTTP server: as Alertmanager 0.34
// does, with the same body (version 4), and signed by the Standard Webhooks
// specification if there is a secret.
package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/prometheus/alertmanager/template"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

// unit is the one unit of a notification: it is never split.
const unit = "1/1"

// hook is a Notifier.
type hook struct {
	sender
	url       *render.Text
	payload   *payload // nil for the standard body
	maxAlerts uint64
}

// New makes the notifier of c, which must be valid. An error names the key whose
// template is wrong.
func (c *Config) New(env *notify.Env, t *render.Templates) (notify.Notifier, error) {
	h := &hook{maxAlerts: c.MaxAlerts}
	var err error
	if h.sender, err = newSender(c, env); err != nil {
		return nil, err
	}
	if h.url, err = t.CompileText(string(c.URL)); err != nil {
		return nil, errors.New("url: the template is wrong: check its braces and its function names (it is a secret, so the place is not shown)")
	}
	if c.Payload != nil {
		if h.payload, err = newPayload(c.Payload, t); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Messages returns one message, however many the alerts are.
func (h *hook) Messages(n *alert.Notification) ([]notify.Message, error) {
	if slices.Contains(n.AcceptedUnits, unit) {
		return nil, nil
	}
	n, truncated := h.truncate(n)
	view := render.NewView(n, &h.env.Style)
	address, err := h.url.Execute(view)
	if err != nil {
		return nil, &notify.Error{Class: notify.Permanent, Message: "the template under url failed"}
	}
	body, err := h.body(n, view, truncated)
	if err != nil {
		return nil, err
	}
	units := []string{unit}
	return []notify.Message{{
		Target: targetOf(address),
		Units:  units,
		Text:   string(body),
		Send: func(ctx context.Context) []notify.Outcome {
			return notify.Outcomes(units, h.send(ctx, address, messageID(n.ID), body))
		},
	}}, nil
}

// truncate leaves max_alerts alerts and tells how many are gone. Everything the
// message says is said of those that are left, as in Alertmanager.
func (h *hook) truncate(n *alert.Notification) (*alert.Notification, uint64) {
	all := uint64(len(n.Alerts))
	if h.maxAlerts == 0 || all <= h.maxAlerts {
		return n, 0
	}
	short := *n
	short.Alerts = n.Alerts[:h.maxAlerts]
	return &short, all - h.maxAlerts
}

// body is version 4 of Alertmanager's message, or the user's own.
func (h *hook) body(n *alert.Notification, view *render.View, truncated uint64) ([]byte, error) {
	if h.payload != nil {
		value, err := h.payload.execute(view)
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
	}{render.Data(n, h.env.ExternalURL), "4", n.GroupKey, truncated})
}

// targetOf names the address by its host, and what differs behind it by a hash.
func targetOf(address string) string {
	sum := sha256.Sum256([]byte(address))
	name := kind.Name + "/"
	if u, err := url.Parse(address); err == nil {
		name += u.Host + "/"
	}
	return name + hex.EncodeToString(sum[:4])
}

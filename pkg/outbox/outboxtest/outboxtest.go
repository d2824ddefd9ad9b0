// Package outboxtest has a scripted channel and the alerts that it is notified of, for
// tests of deliveries.
package outboxtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
)

// T0 is when every test begins.
var T0 = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)

// At returns a time in seconds after T0.
func At(seconds float64) time.Time { return T0.Add(time.Duration(seconds * float64(time.Second))) }

// Firing returns one alert for each value of the label topic that fires since now.
func Firing(now time.Time, topics ...string) []*alert.Alert {
	alerts := make([]*alert.Alert, len(topics))
	for i, topic := range topics {
		alerts[i] = &alert.Alert{Labels: alert.Labels{alert.NameLabel: "Lag", "topic": topic}, StartsAt: now}
	}
	return alerts
}

// Resolved returns one alert for each value of the label topic that fired from T0
// until now.
func Resolved(now time.Time, topics ...string) []*alert.Alert {
	alerts := Firing(T0, topics...)
	for _, a := range alerts {
		a.EndsAt = now
	}
	return alerts
}

// Numbered returns n strings: prefix000, prefix001, ….
func Numbered(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%03d", prefix, i)
	}
	return names
}

// Channel is a notifier that records the notifications which it accepts. It
// accepts all that Fail does not make it reject. It is safe for concurrent use.
type Channel struct {
	// Units are the units of every notification, each a message of its own. Default:
	// one unit, "1".
	Units []string

	mu       sync.Mutex
	errs     []error
	accepted []alert.Notification
}

// Messages implements notify.Notifier.
func (c *Channel) Messages(n *alert.Notification) ([]notify.Message, error) {
	units := c.Units
	if units == nil {
		units = []string{"1"}
	}
	var messages []notify.Message
	for _, u := range units {
		if slices.Contains(n.AcceptedUnits, u) {
			continue
		}
		sent := *n
		messages = append(messages, notify.Message{Target: "test", Units: []string{u}, Send: func(context.Context) []notify.Outcome {
			return notify.Outcomes([]string{u}, c.send(sent))
		}})
	}
	return messages, nil
}

func (c *Channel) send(n alert.Notification) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.errs) > 0 {
		err, c.errs = c.errs[0], c.errs[1:]
	}
	if err == nil {
		c.accepted = append(c.accepted, n)
	}
	return err
}

// Fail makes the next messages fail with errs, in this order; nil accepts one.
func (c *Channel) Fail(errs ...error) { c.errs = append(c.errs, errs...) }

// Take returns the notifications that were accepted since the last call, once for
// each of their messages.
func (c *Channel) Take() []alert.Notification {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.accepted
	c.accepted = nil
	return taken
}

// TakeLines returns the notifications of Take, each as one line:
// "REASON:FIRING;RESOLVED", where alerts are shown by their label topic, and a
// fallback's ends with " for RECEIVER: CAUSE".
func (c *Channel) TakeLines() []string {
	var lines []string
	for _, n := range c.Take() {
		line := n.Reason + ":" + Topics(n.Firing()) + ";" + Topics(n.Resolved())
		if n.FallbackFor != "" {
			line += " for " + n.FallbackFor + ": " + n.Cause
		}
		lines = append(lines, line)
	}
	return lines
}

// Topics returns the alerts' values of the label topic, separated by commas.
func Topics(alerts []*alert.Alert) string {
	topics := make([]string, len(alerts))
	for i, a := range alerts {
		topics[i] = a.Labels["topic"]
	}
	return strings.Join(topics, ",")
}

// Integration returns an integration of a channel kind that is notified of resolved
// alerts too.
func Integration(kind string, n notify.Notifier) outbox.Integration {
	return outbox.Integration{Kind: notify.Kind{Name: kind}, SendResolved: true, Notifier: n}
}

// Receiver returns a receiver with one Integration.
func Receiver(name, kind string, n notify.Notifier) *outbox.Receiver {
	return &outbox.Receiver{Name: name, Integrations: []outbox.Integration{Integration(kind, n)}}
}

// WithFallback sets the fallback of a receiver and returns it.
func WithFallback(r *outbox.Receiver, fallback string, after time.Duration) *outbox.Receiver {
	r.Fallback, r.FallbackAfter = fallback, after
	return r
}

// WithQuota limits the integrations of a receiver to so many messages in a time,
// and returns it.
func WithQuota(r *outbox.Receiver, messages int, per time.Duration) *outbox.Receiver {
	for i := range r.Integrations {
		r.Integrations[i].Kind.Quotas = []notify.Quota{{Messages: messages, Per: per}}
	}
	return r
}

// Transient and Permanent return failures of their class.
func Transient(message string) error { return &notify.Error{Class: notify.Retry, Message: message} }
func Permanent(message string) error { return &notify.Error{Class: notify.Permanent, Message: message} }

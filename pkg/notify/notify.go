// Package notify is the contract between what must be said and the channels
// that say it. Each channel is a folder of its own below this one and knows of
// no other.
package notify

import (
	"context"
	"time"

	"tocsin/pkg/alert"
)

// Notification is what one group of alerts has to say to one receiver.
type Notification struct {
	// ID names this notification; it is the same in every attempt to deliver it.
	ID string `json:"id"`
	// GroupKey identifies the group of alerts over its lifetime: threads hang on it.
	GroupKey string `json:"groupKey"`
	Receiver string `json:"receiver"`
	// Reason is why it is said now, in Alertmanager's words: "first
	// notification", "new alerts added", "all alerts resolved", …
	Reason string `json:"reason"`
	// At is the moment that the notification speaks of: an alert is firing or
	// resolved as of then, however late the message goes out.
	At          time.Time      `json:"at"`
	GroupLabels alert.Labels   `json:"groupLabels,omitempty"`
	RouteLabels alert.Labels   `json:"routeLabels,omitempty"`
	Alerts      []*alert.Alert `json:"alerts"`
	// Instead names the receiver that could not be reached, when this
	// notification stands in for it, and Cause says why.
	Instead string `json:"instead,omitempty"`
	Cause   string `json:"cause,omitempty"`
	// Done lists the units that channels have already accepted.
	Done []string `json:"done,omitempty"`
	// Shrink asks for a message of half the usual limit: the vendor found the
	// last one too long.
	Shrink bool `json:"shrink,omitempty"`
}

// Firing returns the alerts that fire as of n.At, in order.
func (n *Notification) Firing() []*alert.Alert { return n.pick(false) }

// Resolved returns the alerts that are over as of n.At, in order.
func (n *Notification) Resolved() []*alert.Alert { return n.pick(true) }

func (n *Notification) pick(resolved bool) []*alert.Alert {
	var out []*alert.Alert
	for _, a := range n.Alerts {
		if a.ResolvedAt(n.At) == resolved {
			out = append(out, a)
		}
	}
	return out
}

// A Notifier turns notifications into one channel's messages.
type Notifier interface {
	// Messages returns what it takes to say n, in sending order: one message
	// when it fits the channel's limit, more when it must be split, none when
	// every unit of it is in n.Done. It depends on n and the configuration
	// alone, so that a later attempt makes the same messages. It does no I/O.
	// An error is a permanent one: the notification cannot be said this way.
	Messages(n *Notification) ([]Message, error)
}

// Message is one call to a channel.
type Message struct {
	// Target is whom the channel's quota counts for (a robot, a number), in a
	// form that gives no secret away.
	Target string
	// Units are the parts of the notification that this message covers and that
	// are accepted or refused separately: "1/3", or a recipient's address.
	Units []string
	// Text is the message as its reader will see it.
	Text string
	// Send delivers the message and returns one outcome per unit. It returns
	// when ctx is done, and never retries by itself.
	Send func(ctx context.Context) []Outcome
}

// Outcome tells what became of one unit. A nil Err means the channel accepted
// it; otherwise Err is an *Error.
type Outcome struct {
	Unit string
	Err  error
}

// Outcomes gives every unit of a message the same outcome.
func Outcomes(units []string, err error) []Outcome {
	out := make([]Outcome, len(units))
	for i, u := range units {
		out[i] = Outcome{Unit: u, Err: err}
	}
	return out
}

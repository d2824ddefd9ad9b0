// Package notify is the contract between what must be said and the channels
// that say it. Each channel is a folder of its own below this one and knows of
// no other.
package notify

import (
	"context"

	"tocsin/pkg/alert"
)

// A Notifier turns notifications into one channel's messages.
type Notifier interface {
	// Messages returns what it takes to say n, in sending order: one message
	// when it fits the channel's limit, more when it must be split, none when
	// every unit of it is in n.Done. It depends on n and the configuration
	// alone, so that a later attempt makes the same messages. It does no I/O.
	// An error is a permanent one: the notification cannot be said this way.
	Messages(n *alert.Notification) ([]Message, error)
}

// Message is one call to a channel.
type Message struct {
	// Target is whom the channel's quota counts for (a robot, a number), in a
	// form that gives no secret away.
	Target string
	// Audience tells apart the messages of one target that different people read,
	// such as the users of an application: what is said to one audience is never
	// merged into a message to another. "" when all who read the target read it.
	Audience string
	// Units are the parts of the notification that this message covers and that
	// are accepted or refused separately: "1/3", or a recipient's address.
	Units []string
	// Text is the message as its reader will see it.
	Text string
	// Optional marks a message that is good to have and that nobody misses, such
	// as a picture. It is never owed: it is sent once, after all others of a
	// notification that fires have been accepted, while at least half of every
	// quota is left. It is not tried again, and neither digests nor fallbacks
	// have it.
	Optional bool
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

// Package notify is the contract between the delivery of notifications and the
// channels that deliver them: chat robots, mail, SMS, voice calls and webhooks.
//
// A channel is a folder below this one. Its Config holds one configuration entry,
// whose New returns a [Notifier]. The notifier turns a notification into [Message]
// values, of which each is one call to the vendor. A call has an [Outcome] per unit;
// a failure is an [Error], whose [Class] is the action to take next. Channels do not
// retry. They know nothing of each other, of used quotas, or of the outbox.
//
// Package notifytest holds every channel to this contract.
package notify

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
	"tocsin/pkg/store"
)

// A Notifier turns notifications into one channel's messages.
type Notifier interface {
	// Messages returns the messages that deliver n, in sending order: one when n
	// fits the channel's limit, more when it must be split, none when every unit
	// of n is in n.AcceptedUnits. It depends on n and the configuration alone, so
	// that every attempt makes the same messages, and does no I/O. An error is
	// permanent: the channel cannot deliver n.
	Messages(n *alert.Notification) ([]Message, error)
}

// Message is one call to a channel.
type Message struct {
	// Target identifies the owner of the channel's quota, such as a robot or a
	// phone number, without its secret parts.
	Target string
	// Audience identifies the readers of the message when a target has several
	// groups of them, such as the users of an application. Messages to different
	// audiences are never merged. "" is everyone who reads the target.
	Audience string
	// Units are the parts of the notification that the message covers and that
	// the vendor accepts or refuses separately: "1/3", or a recipient's address.
	Units []string
	// Text is the message as its reader will see it.
	Text string
	// Optional marks a message that nothing depends on, such as a chart. It is
	// attempted once, after all other messages of a firing notification were
	// accepted, while at least half of every quota is left. It is not retried,
	// and not part of digests and fallbacks.
	Optional bool
	// Send delivers the message and returns one outcome per unit, in the order of
	// Units. It returns when ctx is done, and does not retry.
	Send func(ctx context.Context) []Outcome
}

// Outcome is the result of sending one unit. A nil Err means that the channel
// accepted it; otherwise Err is an *Error.
type Outcome struct {
	Unit string
	Err  error
}

// Outcomes returns the same outcome for every unit of a message.
func Outcomes(units []string, err error) []Outcome {
	out := make([]Outcome, len(units))
	for i, u := range units {
		out[i] = Outcome{Unit: u, Err: err}
	}
	return out
}

// Env is the environment that channels use. One Env serves all channels of a
// process, so that connections are shared and kept alive.
type Env struct {
	// HTTP follows no redirects, verifies TLS and keeps its connections.
	HTTP *http.Client
	// Dial opens the connections that are not HTTP (SMTP).
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is the base configuration of those connections; nil means the system's
	// roots. Channels clone it.
	TLS *tls.Config
	// Now is the clock of timestamps that are sent with a message, such as a
	// signature's or a Date header.
	Now func() time.Time
	// Lookup reads an environment variable, as os.LookupEnv does. Channels call
	// it at every use, because a platform renews the keys of a function's role in
	// its environment. Nil is an empty environment.
	Lookup func(name string) (string, bool)
	// Store holds what a channel shares between instances, such as an access
	// token, under keys that begin with "channel/". Without it each process keeps
	// its own.
	Store store.Store
	render.Style
}

package outbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/metrics"
	"tocsin/pkg/notify"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// Queue is the kind of keys whose due times are those of entries, for
// store.NextDue.
var Queue = store.Kind(keyspace.Outbox)

// Receiver is a named list of integrations.
type Receiver struct {
	Name         string
	Integrations []Integration
	// Fallback names the receiver that is notified when this one cannot be; ""
	// means none. It is notified at once if the error is permanent, otherwise
	// FallbackAfter after the notification was enqueued.
	Fallback      string
	FallbackAfter time.Duration
}

// Integration is one configured channel of a receiver.
type Integration struct {
	Kind notify.Kind
	// Index is its position among the receiver's integrations of the same kind.
	Index int
	// SendResolved is whether resolved alerts are notified.
	SendResolved bool
	Notifier     notify.Notifier
	// Identity is the same for as long as the integration is configured in the same
	// way, in any receiver and at any index; different within a receiver. "" is
	// unknown.
	Identity string
}

// Name identifies the integration within its receiver: email/0.
func (in Integration) Name() string { return integrationName(in.Kind.Name, in.Index) }

func integrationName(kind string, index int) string { return kind + "/" + strconv.Itoa(index) }

// AlertsOf returns the alerts of n that the integration is notified of: all, or
// without SendResolved the firing ones.
func (in Integration) AlertsOf(n *alert.Notification) []*alert.Alert {
	if in.SendResolved {
		return n.Alerts
	}
	return n.Firing()
}

// Config configures an Outbox.
type Config struct {
	Receivers []*Receiver
	// RemovedReceiverFallback names the receiver that gets the pending notifications
	// of receivers that are no longer configured.
	RemovedReceiverFallback string
	// Current replaces the alerts of notifications that were refused by those to
	// notify of at now, and returns for each notification those that are muted now.
	// It is called before they are attempted again; nil leaves them as they were.
	Current func(ctx context.Context, now time.Time, refused []*alert.Notification) (muted [][]*alert.Alert, err error)
	// Accepted is called when the integration has accepted a notification of the group
	// that was refused before, as that of the flush that was scheduled for n.At. The
	// muted alerts were left out; those that fire do not count as notified. nil is not
	// called.
	Accepted func(ctx context.Context, now time.Time, group string, in Integration, n alert.Notification, muted []*alert.Alert) error
	// Metrics counts notifications and requests; nil counts nothing.
	Metrics *metrics.Notifications
}

// Outbox delivers notifications to receivers. It is safe for concurrent use, and
// any number of instances may share a store.
type Outbox struct {
	store        store.Store
	config       Config
	receivers    map[string]*Receiver
	limiter      *rateLimiter
	metrics      *metrics.Notifications
	log          *slog.Logger
	instance     string // identifies this one among all that share the store
	integrations *integrationStates
}

// New returns an outbox on st. Every receiver that is named as a fallback must be
// among the receivers.
func New(st store.Store, c Config, log *slog.Logger) (*Outbox, error) {
	o := &Outbox{
		store: st, config: c, receivers: make(map[string]*Receiver, len(c.Receivers)),
		limiter: newRateLimiter(st, c.Receivers, log), metrics: c.Metrics, log: log,
		instance: rand.Text(), integrations: newIntegrationStates(),
	}
	for _, r := range c.Receivers {
		o.receivers[r.Name] = r
		for _, in := range r.Integrations {
			o.metrics.InitIntegration(in.Kind.Name)
		}
	}
	for _, r := range c.Receivers {
		if r.Fallback != "" && o.receivers[r.Fallback] == nil {
			return nil, fmt.Errorf("receiver %q: its fallback %q does not exist", r.Name, r.Fallback)
		}
	}
	return o, nil
}

// Receiver returns the receiver with the name, or nil if there is none.
func (o *Outbox) Receiver(name string) *Receiver { return o.receivers[name] }

// Find returns the integration with the identity and the name of its receiver. If
// several receivers have it, the one with the given name is preferred.
func (o *Outbox) Find(identity, preferred string) (receiver string, in Integration, found bool) {
	for _, name := range append([]string{preferred}, o.Receivers()...) {
		if r := o.receivers[name]; r != nil {
			for _, in := range r.Integrations {
				if in.Identity == identity {
					return name, in, true
				}
			}
		}
	}
	return "", Integration{}, false
}

// Configured reports whether an integration with the identity exists.
func (o *Outbox) Configured(identity string) bool {
	_, _, found := o.Find(identity, "")
	return found
}

// Receivers returns the names of all receivers in order.
func (o *Outbox) Receivers() []string { return slices.Sorted(maps.Keys(o.receivers)) }

// Pending returns the number of entries in the outbox, or 1000 if there are more.
func (o *Outbox) Pending(ctx context.Context) (int, error) {
	const limit = 1000
	entries, err := o.store.List(ctx, keyspace.Outbox, "", limit)
	if err != nil {
		return 0, fmt.Errorf("count pending notifications: %w", err)
	}
	o.metrics.SetPending(len(entries))
	return len(entries), nil
}

// integration returns the integration that the entry is for, if it is still
// configured.
func (o *Outbox) integration(e *Entry) (Integration, bool) {
	return o.integrationOf(entryHead{Receiver: e.Receiver, Kind: e.Kind, Index: e.Index})
}

func (o *Outbox) integrationOf(h entryHead) (Integration, bool) {
	if r := o.receivers[h.Receiver]; r != nil {
		for _, in := range r.Integrations {
			if in.Kind.Name == h.Kind && in.Index == h.Index {
				return in, true
			}
		}
	}
	return Integration{}, false
}

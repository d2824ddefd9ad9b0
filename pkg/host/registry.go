package host

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// Registry serves the inventory to the hosts' agents and accepts their reports.
type Registry struct {
	Store     store.Store
	Inventory *Inventory
	// Ingest accepts alerts durably. An alert about a value is passed with every
	// report while it fires; the end of an alert may be passed more than once.
	Ingest func(ctx context.Context, now time.Time, alerts []*alert.Alert) error
	// Language is the language of the built-in texts, "zh" or "en".
	Language string
	Log      *slog.Logger
}

// Host returns the host of an id if the sender may send requests for it. A sender
// that may register hosts gets an unknown host as it would be registered. Errors
// are ErrUnknown, ErrForbidden, and those of the store.
func (r *Registry) Host(ctx context.Context, from Sender, id string) (*Host, error) {
	h, err := r.find(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case (h == nil || h.unregistered) && r.Inventory.mayRegister(from, id):
		h := r.Inventory.newRegisteredHost(id, from.Token)
		h.unregistered = true
		return h, nil
	case h == nil:
		return nil, ErrUnknown
	case !r.Inventory.allows(from, h):
		return nil, ErrForbidden
	}
	if h.unregistered {
		h.unregistered = false // only a sender that may register it does
	}
	return h, nil
}

// find returns the host of an id, nil if there is none.
func (r *Registry) find(ctx context.Context, id string) (*Host, error) {
	if h := r.Inventory.hosts[id]; h != nil || r.Inventory.register == nil || idFault(id) != "" {
		return h, nil
	}
	items, err := r.Store.Get(ctx, keyspace.HostEnrolled+id)
	if err != nil {
		return nil, fmt.Errorf("read host %s: %w", id, err)
	}
	return r.Inventory.registeredHost(id, items[0]), nil
}

// Report accepts a report: it is durable when nil is returned. Every report proves
// that the host was online at the report's time. If the host must collect the
// service, the value is stored unless a newer one is, and the rules are evaluated
// unless the report is late. It returns how many alerts were passed to Ingest.
// Errors are those of Host, ErrTooLarge, ErrFull, and those of the store and of
// Ingest. After an error of the store or of Ingest the report may be sent again.
func (r *Registry) Report(ctx context.Context, now time.Time, id string, rep Report) (alerts int, err error) {
	h, err := r.Host(ctx, rep.From, id)
	if err != nil {
		return 0, err
	}
	data, err := decodeData(rep.Data)
	if err != nil {
		return 0, err
	}
	if len(rep.Data) > MaxDataSize {
		// The limit is for JSON without needless escapes, such as \u003c for <.
		if rep.Data, err = encodeData(data); err != nil {
			return 0, err
		}
		if len(rep.Data) > MaxDataSize {
			return 0, ErrTooLarge
		}
	}
	var ev *evaluation
	err = store.RetryOnConflict(ctx, func() (err error) {
		ev, err = r.commitReport(ctx, now, h, rep, data)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("accept a report of host %s: %w", id, err)
	}
	return r.ingest(ctx, now, rep.Service, ev)
}

// commitReport stores a report and the breaches that follow from it. It returns the
// evaluation, nil if no rules were evaluated. Until ingest has passed on its ended
// alerts, they are stored as firing.
func (r *Registry) commitReport(ctx context.Context, now time.Time, h *Host, rep Report, data any) (*evaluation, error) {
	items, err := r.Store.Get(ctx, heartbeatKey(h.ID), valueKey(h.ID, rep.Service), breachKey(h.ID, rep.Service))
	if err != nil {
		return nil, err
	}
	var last heartbeat
	if _, err := store.Decode(items[0], &last); err != nil {
		r.Log.Error("heartbeat cannot be read and is replaced", "host", h.ID, "err", err)
	}
	at := reportTime(rep.At, now)
	next, due := last.notAfter(now).afterReport(now, at, rep, h, r.Inventory.offlineAfter)
	c, err := store.Encode(items[0].Key, next)
	if err != nil {
		return nil, err
	}
	c.Due, c.If = due, store.Unchanged(items[0])
	changes := []store.Change{c}
	if h.unregistered {
		register, err := r.registerChanges(ctx, now, h)
		if err != nil {
			return nil, err
		}
		changes = append(changes, register...)
	}

	var ev *evaluation
	if _, collects := h.Services[rep.Service]; collects && !r.hasNewer(items[1], at, now) {
		c, err := store.Encode(items[1].Key, value{at, rep.Data})
		if err != nil {
			return nil, err
		}
		c.Expires = now.Add(valueRetention)
		changes = append(changes, c)
		if h.Active && isRecent(now, at, r.Inventory.offlineAfter) {
			ev = evaluate(h, rep.Service, data, r.decodeBreaches(items[2]), at, messagesIn(r.Language))
			c, changed, err := encodeBreaches(items[2], ev.beforeIngest())
			if err != nil {
				return nil, err
			}
			if changed {
				changes = append(changes, c)
			}
		}
	}
	return ev, r.Store.Commit(ctx, now, changes...)
}

// hasNewer reports whether a stored value is newer than a time, and not from a clock
// that was ahead.
func (r *Registry) hasNewer(it store.Item, than, now time.Time) bool {
	var v struct {
		At time.Time `json:"at"`
	}
	if _, err := store.Decode(it, &v); err != nil {
		r.Log.Error("stored value cannot be read and is replaced", "err", err)
		return false
	}
	return than.Before(v.At) && v.At.Sub(now) <= maxClockSkew
}

func (r *Registry) decodeBreaches(it store.Item) (b breaches) {
	if _, err := store.Decode(it, &b); err != nil {
		r.Log.Error("breaches cannot be read: alerts that fire may have to be resolved by hand", "err", err)
		return breaches{}
	}
	return b
}

// ingest passes the alerts of an evaluation to Ingest, and then removes the ended
// breaches from the store.
func (r *Registry) ingest(ctx context.Context, now time.Time, service string, ev *evaluation) (count int, err error) {
	if ev == nil {
		return 0, nil
	}
	for _, alerts := range [][]*alert.Alert{ev.resolved, ev.firing} {
		if len(alerts) == 0 {
			continue
		}
		if err := r.Ingest(ctx, now, alerts); err != nil {
			return count, fmt.Errorf("ingest the alerts of host %s: %w", ev.host.ID, err)
		}
		count += len(alerts)
	}
	if len(ev.ended) == 0 {
		return count, nil
	}
	return count, commitEnded(ctx, r.Store, now, breachKey(ev.host.ID, service), ev)
}

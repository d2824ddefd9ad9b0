package host

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// Registry hands out what hosts must collect, and takes their reports in.
type Registry struct {
	Store     store.Store
	Inventory *Inventory
	// Ingest takes alerts in durably. It is given an alert about a value with
	// every report while it fires, and some alerts' ends more than once.
	Ingest func(ctx context.Context, now time.Time, alerts []*alert.Alert) error
	// Language is that of the built-in texts, "zh" or "en".
	Language string
	Log      *slog.Logger
}

// valueRetention is how long the latest value of a service is kept.
const valueRetention = 30 * 24 * time.Hour

// value is the latest value of a service.
type value struct {
	At   time.Time       `json:"at"`
	Data json.RawMessage `json:"data"`
}

// Host returns the host of an id, if the sender may speak for it. To a sender who
// may enrol hosts, one that is not there is what it would be enrolled as. Errors
// are ErrUnknown, ErrForbidden, and those of the store.
func (r *Registry) Host(ctx context.Context, from Sender, id string) (*Host, error) {
	h, err := r.find(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case h == nil && r.Inventory.enrols(from, id):
		h := r.Inventory.newcomer(id, from.Token)
		h.fresh = true
		return h, nil
	case h == nil:
		return nil, ErrUnknown
	case !r.Inventory.allows(from, h):
		return nil, ErrForbidden
	}
	return h, nil
}

// find returns the host of an id, nil when there is none.
func (r *Registry) find(ctx context.Context, id string) (*Host, error) {
	if h := r.Inventory.hosts[id]; h != nil || r.Inventory.register == nil || unfitID(id) != "" {
		return h, nil
	}
	items, err := r.Store.Get(ctx, keyspace.HostEnrolled+id)
	if err != nil {
		return nil, fmt.Errorf("read the host %s: %w", id, err)
	}
	return r.Inventory.enrolled(id, items[0])
}

// Report takes a report in: it is durable when nil is returned. It is a sign of
// life, unless it is an old one that is sent late; the value of a service that
// the host must collect is kept, unless a newer one is there, and judged. alerts
// is how many were handed on. Errors are those of Host, ErrTooLarge, ErrFull, and
// those of the store and of Ingest: after these two the report may be sent again.
func (r *Registry) Report(ctx context.Context, now time.Time, id string, rep Report) (alerts int, err error) {
	if len(rep.Data) > MaxDataSize {
		return 0, ErrTooLarge
	}
	h, err := r.Host(ctx, rep.From, id)
	if err != nil {
		return 0, err
	}
	data, err := decode(rep.Data)
	if err != nil {
		return 0, err
	}
	var j *judgement
	err = store.RetryOnConflict(ctx, func() (err error) {
		j, err = r.take(ctx, now, h, rep, data)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("take in a report of the host %s: %w", id, err)
	}
	return r.tell(ctx, now, rep.Service, j)
}

// take commits what a report changes. It returns what is to be told, with the
// alerts that ended still firing in the store.
func (r *Registry) take(ctx context.Context, now time.Time, h *Host, rep Report, data any) (*judgement, error) {
	items, err := r.Store.Get(ctx, beatKey(h.ID), valueKey(h.ID, rep.Service), overKey(h.ID, rep.Service))
	if err != nil {
		return nil, err
	}
	var last beat
	if _, err := store.Decode(items[0], &last); err != nil {
		r.Log.Error("cannot read when a host last reported; it begins anew", "host", h.ID, "err", err)
	}
	at := made(rep.At, now)
	next, due := last.next(now, at, rep.Address, r.Inventory.offlineAfter)
	c, err := store.Encode(items[0].Key, next)
	if err != nil {
		return nil, err
	}
	c.Due, c.If = due, store.Unchanged(items[0])
	changes := []store.Change{c}
	if h.fresh {
		enrol, err := r.enrol(ctx, now, h)
		if err != nil {
			return nil, err
		}
		changes = append(changes, enrol...)
	}

	var j *judgement
	if _, collects := h.Services[rep.Service]; collects && !r.newer(items[1], at) {
		c, err := store.Encode(items[1].Key, value{at, rep.Data})
		if err != nil {
			return nil, err
		}
		c.Expires = now.Add(valueRetention)
		changes = append(changes, c)
		if h.Active && inTime(now, at, r.Inventory.offlineAfter) {
			j = judge(h, rep.Service, data, r.over(items[2]), at, wordsIn(r.Language))
			c, changed, err := remember(items[2], j.held())
			if err != nil {
				return nil, err
			}
			if changed {
				changes = append(changes, c)
			}
		}
	}
	return j, r.Store.Commit(ctx, now, changes...)
}

// newer tells that a stored value was made after at.
func (r *Registry) newer(it store.Item, at time.Time) bool {
	var v struct {
		At time.Time `json:"at"`
	}
	if _, err := store.Decode(it, &v); err != nil {
		r.Log.Error("cannot read a stored value; the report takes its place", "err", err)
		return false
	}
	return at.Before(v.At)
}

func (r *Registry) over(it store.Item) (o over) {
	if _, err := store.Decode(it, &o); err != nil {
		r.Log.Error("cannot read which values are beyond their limits: alerts that fired may have to be ended by hand", "err", err)
		return over{}
	}
	return o
}

// tell hands alerts on, and forgets those that ended once that is done.
func (r *Registry) tell(ctx context.Context, now time.Time, service string, j *judgement) (told int, err error) {
	if j == nil {
		return 0, nil
	}
	for _, alerts := range [][]*alert.Alert{j.ends, j.firing} {
		if len(alerts) == 0 {
			continue
		}
		if err := r.Ingest(ctx, now, alerts); err != nil {
			return told, fmt.Errorf("take in the alerts about the host %s: %w", j.host.ID, err)
		}
		told += len(alerts)
	}
	if len(j.ended) == 0 {
		return told, nil
	}
	return told, forget(ctx, r.Store, now, overKey(j.host.ID, service), j)
}

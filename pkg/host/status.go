package host

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// Status is how a host stands.
type Status struct {
	ID     string       `json:"id"`
	Name   string       `json:"name"`
	State  State        `json:"state"`
	Groups []string     `json:"groups"`
	Labels alert.Labels `json:"labels"` // of its alerts
	// LastReport is the time of its newest report; UpSince is when it began to
	// report without a silence.
	LastReport time.Time `json:"lastReport,omitzero"`
	UpSince    time.Time `json:"upSince,omitzero"`
	Address    string    `json:"address,omitempty"`
	// Services are what it must collect, with the latest values; only Status
	// tells them.
	Services map[string]LatestValue `json:"services,omitempty"`
}

// LatestValue is what a service reported last.
type LatestValue struct {
	Plugin string `json:"plugin"`
	// Interval is in seconds.
	Interval int `json:"interval"`
	// At is when the value was collected; zero when there is none.
	At   time.Time       `json:"at,omitzero"`
	Data json.RawMessage `json:"data,omitempty"`
}

// Status returns how a host stands and what it reported last. Errors are those of
// Host and of the store.
func (r *Registry) Status(ctx context.Context, now time.Time, from Sender, id string) (*Status, error) {
	h, err := r.Host(ctx, from, id)
	if err != nil {
		return nil, err
	}
	if h.fresh {
		return nil, ErrUnknown
	}
	items, err := r.Store.Get(ctx, beatKey(id))
	if err != nil {
		return nil, fmt.Errorf("read the host %s: %w", id, err)
	}
	s := r.status(now, h, items[0])
	values, err := values(ctx, r.Store, h)
	if err != nil {
		return nil, fmt.Errorf("read the values of the host %s: %w", id, err)
	}
	s.Services = make(map[string]LatestValue, len(h.Services))
	for name, service := range h.Services {
		v := values[name]
		s.Services[name] = LatestValue{service.Plugin, int(service.Interval / time.Second), v.At, v.Data}
	}
	return s, nil
}

// List returns how the hosts stand that the sender may speak for, in order of
// their ids.
func (r *Registry) List(ctx context.Context, now time.Time, from Sender) ([]*Status, error) {
	hosts := maps.Clone(r.Inventory.hosts)
	err := scan(ctx, r.Store, keyspace.HostEnrolled, func(it store.Item) error {
		id := it.Key[len(keyspace.HostEnrolled):]
		h, err := r.Inventory.enrolled(id, it)
		if h != nil && hosts[id] == nil {
			hosts[id] = h
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which hosts are enrolled: %w", err)
	}
	beats := make(map[string]store.Item, len(hosts))
	if err := scan(ctx, r.Store, keyspace.Host, func(it store.Item) error {
		beats[it.Key[len(keyspace.Host):]] = it
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read when hosts last reported: %w", err)
	}
	all := []*Status{}
	for _, id := range slices.Sorted(maps.Keys(hosts)) {
		if r.Inventory.allows(from, hosts[id]) {
			all = append(all, r.status(now, hosts[id], beats[id]))
		}
	}
	return all, nil
}

func (r *Registry) status(now time.Time, h *Host, it store.Item) *Status {
	s := &Status{ID: h.ID, Name: h.Name, State: StateNever, Groups: append([]string{}, h.Groups...), Labels: h.Labels}
	var b beat
	there, err := store.Decode(it, &b)
	switch {
	case err != nil:
		r.Log.Error("cannot read when a host last reported", "host", h.ID, "err", err)
	case there:
		s.LastReport, s.UpSince, s.Address = b.At, b.Up, b.Address
		s.State = StateOnline
		if !inTime(now, b.At, r.Inventory.offlineAfter) {
			s.State, s.UpSince = StateOffline, time.Time{}
		}
	}
	if !h.Active {
		s.State = StateInactive
	}
	return s
}

// values returns the latest values of a host's services, of those that have one.
func values(ctx context.Context, st store.Store, h *Host) (map[string]value, error) {
	names := slices.Sorted(maps.Keys(h.Services))
	if len(names) == 0 {
		return nil, nil
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = valueKey(h.ID, name)
	}
	items, err := st.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	out := make(map[string]value, len(items))
	for i, it := range items {
		var v value
		// One that cannot be read is replaced by the next report.
		if there, err := store.Decode(it, &v); there && err == nil {
			out[names[i]] = v
		}
	}
	return out, nil
}

// pageSize is how many items are read at a time.
const pageSize = 500

// scan calls do with every item whose key begins with prefix.
func scan(ctx context.Context, st store.Store, prefix string, do func(store.Item) error) error {
	for after := ""; ; {
		page, err := st.List(ctx, prefix, after, pageSize)
		if err != nil {
			return err
		}
		for _, it := range page {
			if err := do(it); err != nil {
				return err
			}
			after = it.Key
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

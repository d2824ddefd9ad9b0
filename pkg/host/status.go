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

// Status is the state of a host, as JSON for programs.
type Status struct {
	ID     string       `json:"id"`
	Name   string       `json:"name"`
	State  State        `json:"state"`
	Groups []string     `json:"groups"`
	Labels alert.Labels `json:"labels"` // of its alerts
	// LastReport is the time of its newest report, UpSince since when it has
	// reported without interruption.
	LastReport time.Time `json:"lastReport,omitzero"`
	UpSince    time.Time `json:"upSince,omitzero"`
	Address    string    `json:"address,omitempty"`
	// Services are the services that it must collect, with their latest values.
	// List leaves them out.
	Services map[string]LatestValue `json:"services,omitempty"`
}

// LatestValue is a service with its latest value.
type LatestValue struct {
	Plugin string `json:"plugin"`
	// Interval is in seconds.
	Interval int `json:"interval"`
	// At is the time of the collection, zero without a value.
	At   time.Time       `json:"at,omitzero"`
	Data json.RawMessage `json:"data,omitempty"`
}

// Status returns the status of a host with its latest values. Errors are those of
// Host and of the store.
func (r *Registry) Status(ctx context.Context, now time.Time, from Sender, id string) (*Status, error) {
	h, err := r.Host(ctx, from, id)
	if err != nil {
		return nil, err
	}
	if h.unregistered {
		return nil, ErrUnknown
	}
	items, err := r.Store.Get(ctx, heartbeatKey(id))
	if err != nil {
		return nil, fmt.Errorf("read host %s: %w", id, err)
	}
	s := r.status(now, h, items[0])
	values, err := latestValues(ctx, r.Store, h)
	if err != nil {
		return nil, fmt.Errorf("read the values of host %s: %w", id, err)
	}
	s.Services = make(map[string]LatestValue, len(h.Services))
	for name, service := range h.Services {
		v := values[name]
		s.Services[name] = LatestValue{service.Plugin, int(service.Interval / time.Second), v.At, v.Data}
	}
	return s, nil
}

// List returns the status of the hosts that the sender may send requests for, in
// order of their ids.
func (r *Registry) List(ctx context.Context, now time.Time, from Sender) ([]*Status, error) {
	hosts := maps.Clone(r.Inventory.hosts)
	err := forEach(ctx, r.Store, keyspace.HostEnrolled, func(it store.Item) error {
		id := it.Key[len(keyspace.HostEnrolled):]
		if h := r.Inventory.registeredHost(id, it); h != nil && hosts[id] == nil {
			hosts[id] = h
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the registered hosts: %w", err)
	}
	heartbeats := make(map[string]store.Item, len(hosts))
	err = forEach(ctx, r.Store, keyspace.Host, func(it store.Item) error {
		heartbeats[it.Key[len(keyspace.Host):]] = it
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the heartbeats: %w", err)
	}
	list := []*Status{}
	for _, id := range slices.Sorted(maps.Keys(hosts)) {
		if r.Inventory.allows(from, hosts[id]) {
			list = append(list, r.status(now, hosts[id], heartbeats[id]))
		}
	}
	return list, nil
}

func (r *Registry) status(now time.Time, h *Host, it store.Item) *Status {
	s := &Status{ID: h.ID, Name: h.Name, State: StateNever, Groups: append([]string{}, h.Groups...), Labels: h.Labels}
	var b heartbeat
	found, err := store.Decode(it, &b)
	switch {
	case err != nil:
		r.Log.Error("heartbeat cannot be read", "host", h.ID, "err", err)
	case found:
		s.LastReport, s.UpSince, s.Address = b.At, b.Up, b.Address
		s.State = StateOnline
		if !isRecent(now, b.At, r.Inventory.offlineAfter) {
			s.State, s.UpSince = StateOffline, time.Time{}
		}
	}
	if !h.Active {
		s.State = StateInactive
	}
	return s
}

package host

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// hostQueue is the queue in which hosts are due when they count as offline.
var hostQueue = store.Kind(keyspace.Host)

func heartbeatKey(id string) string       { return keyspace.Host + id }
func valueKey(id, service string) string  { return keyspace.HostValue + id + "/" + service }
func breachKey(id, service string) string { return keyspace.HostBreach + id + "/" + service }

// heartbeat is the stored record of when a host last reported. It is due when the
// host counts as offline.
type heartbeat struct {
	// At is the time of the newest report. Live is that of the newest one that was
	// not late: after an outage of the server, agents send the reports of that time.
	At   time.Time `json:"at"`
	Live time.Time `json:"live,omitzero"`
	// Up is since when the host has reported without interruption.
	Up      time.Time `json:"up,omitzero"`
	Address string    `json:"address,omitempty"`
	// Runs are the runs of agents that reported last, the latest first.
	Runs []run `json:"runs,omitempty"`
	// Services are the services of the host that have reported, by name.
	Services map[string]serviceMark `json:"services,omitempty"`
}

// maxClockSkew is how far the clocks of instances may differ. A stored time that is
// further in the future was written by a clock that was ahead.
const maxClockSkew = time.Minute

// notAfter returns the heartbeat with now for times of a clock that was ahead.
func (h heartbeat) notAfter(now time.Time) heartbeat {
	for _, t := range []*time.Time{&h.At, &h.Live, &h.Up} {
		if t.Sub(now) > maxClockSkew {
			*t = now
		}
	}
	h.Runs, h.Services = slices.Clone(h.Runs), maps.Clone(h.Services)
	for i := range h.Runs {
		if r := &h.Runs[i]; r.At.Sub(now) > maxClockSkew {
			r.At, r.ReturnedAt = now, time.Time{}
		}
	}
	for name, mark := range h.Services {
		if mark.At.Sub(now) > maxClockSkew {
			h.Services[name] = serviceMark{now, mark.SilentAfter}
		}
	}
	return h
}

// afterReport returns the heartbeat after a report that was made at a time and
// received now, and when the host is to be checked: when it counts as offline, or now if
// it has a condition. A late report changes only At and the service's; it defers the
// check, since a host that delivers late reports is not silent.
func (h heartbeat) afterReport(now, at time.Time, rep Report, host *Host, offlineAfter time.Duration) (next heartbeat, due time.Time) {
	next = h
	next.Services = afterService(h.Services, host, rep.Service, at)
	if at.After(h.At) {
		next.At = at
	}
	due = next.At.Add(offlineAfter)
	if !isRecent(now, at, offlineAfter) {
		return next, now.Add(offlineAfter)
	}
	if at.Sub(h.Live) >= offlineAfter {
		next.Up = at
	}
	if at.After(h.Live) {
		next.Live = at
	}
	if rep.Address != "" {
		next.Address = rep.Address
	}
	next.Runs = afterRun(h.Runs, now, rep.RunID, rep.Address, runRetention(offlineAfter))
	if len(findConditions(host, next, now, offlineAfter)) > 0 {
		due = now
	}
	return next, due
}

// isRecent reports whether a report that was made at a time shows the current
// state of the host.
func isRecent(now, at time.Time, offlineAfter time.Duration) bool { return now.Sub(at) < offlineAfter }

// reportTime returns the time of a report in the store's precision: no future time,
// and none so old that its value would have expired.
func reportTime(at, now time.Time) time.Time {
	if at.IsZero() || at.After(now) {
		at = now
	}
	if oldest := now.Add(-valueRetention); at.Before(oldest) {
		at = oldest
	}
	return at.UTC().Truncate(time.Millisecond)
}

// valueRetention is how long the latest value of a service is kept.
const valueRetention = 30 * 24 * time.Hour

// value is the stored latest value of a service.
type value struct {
	At   time.Time       `json:"at"`
	Data json.RawMessage `json:"data"`
}

// latestValues returns the latest values of a host by service. Services without a
// value are left out.
func latestValues(ctx context.Context, st store.Store, h *Host) (map[string]value, error) {
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
	values := make(map[string]value, len(items))
	for i, it := range items {
		var v value
		// A value that cannot be read is replaced by the next report.
		if found, err := store.Decode(it, &v); found && err == nil {
			values[names[i]] = v
		}
	}
	return values, nil
}

// pageSize is how many items are read at a time.
const pageSize = 500

// forEach calls do with every item whose key begins with prefix.
func forEach(ctx context.Context, st store.Store, prefix string, do func(store.Item) error) error {
	for page, err := range store.Pages(ctx, st, prefix, pageSize) {
		if err != nil {
			return err
		}
		for _, it := range page {
			if err := do(it); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteUnchanged returns the change that deletes an item on the condition that it
// did not change.
func deleteUnchanged(it store.Item) store.Change {
	return store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)}
}

package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// later is when a host that is not active is looked at again.
const later = time.Hour

// silent finds the hosts whose time has passed and marks those as offline that
// are. It adds them to left, and returns how many hosts it read.
func (w *Watcher) silent(ctx context.Context, now time.Time, left map[string]*mark) (polled int, err error) {
	for {
		due, err := w.Store.Due(ctx, hostQueue, now, batch)
		if err != nil {
			return polled, fmt.Errorf("read which hosts are silent: %w", err)
		}
		if len(due) == 0 {
			return polled, nil
		}
		polled += len(due)
		changed, err := w.mark(ctx, now, due, left)
		if err != nil {
			return polled, err
		}
		// A host that reported meanwhile is due no more; if all of them were taken
		// by another instance, the rest is left to it.
		if len(due) < batch || !changed {
			return polled, nil
		}
	}
}

// mark judges hosts whose time has passed, and tells whether it changed any. What
// it changed is not due any more.
func (w *Watcher) mark(ctx context.Context, now time.Time, due []store.Item, left map[string]*mark) (changed bool, err error) {
	ids := make([]string, len(due))
	for i, it := range due {
		ids[i] = it.Key[len(keyspace.Host):]
	}
	hosts, err := w.hosts(ctx, ids)
	if err != nil {
		return false, err
	}
	changes := make([][]store.Change, len(due))
	marks := make([]*mark, len(due))
	for i, it := range due {
		if changes[i], marks[i], err = w.judge(ctx, now, hosts[i], it, left[ids[i]] != nil); err != nil {
			return false, err
		}
	}
	done, err := w.commit(ctx, now, changes)
	for i, m := range marks {
		if done[i] && m != nil {
			left[ids[i]] = m
		}
	}
	return slices.Contains(done, true), err
}

// judge is what becomes of a host whose time has passed; told is whether it is
// offline already, and m is its mark when it is so from now on.
func (w *Watcher) judge(ctx context.Context, now time.Time, h *Host, it store.Item, told bool) (changes []store.Change, m *mark, err error) {
	if h == nil {
		return []store.Change{drop(it)}, nil, nil
	}
	seen := store.Change{Key: it.Key, Value: it.Value, If: store.Unchanged(it)} // due no more
	var b beat
	if _, err := store.Decode(it, &b); err != nil {
		w.Log.Error("cannot read when a host last reported; its silence is not judged until it reports again", "host", h.ID, "err", err)
		return []store.Change{seen}, nil, nil
	}
	switch {
	case !h.Active:
		seen.Due = now.Add(later)
		return []store.Change{seen}, nil, nil
	case inTime(now, b.At, w.Inventory.offlineAfter): // offline_after was raised
		seen.Due = b.At.Add(w.Inventory.offlineAfter)
		return []store.Change{seen}, nil, nil
	case told:
		return []store.Change{seen}, nil, nil
	}
	values, err := values(ctx, w.Store, h)
	if err != nil {
		return nil, nil, fmt.Errorf("read what the host %s reported last: %w", h.ID, err)
	}
	data := make(map[string]json.RawMessage, len(values))
	for name, v := range values {
		data[name] = v.Data
	}
	m = &mark{id: h.ID, Since: b.At, Labels: offlineLabels(h), Address: b.Address, Reported: wordsIn(w.Language).reported(h, data)}
	c, err := store.Encode(keyspace.HostOffline+h.ID, m)
	return []store.Change{seen, c}, m, err
}

// commit applies the changes of several hosts, and tells of each whether it was
// done. Those that others forestall are left out: the next check sees what became
// of them.
func (w *Watcher) commit(ctx context.Context, now time.Time, changes [][]store.Change) (done []bool, err error) {
	done = make([]bool, len(changes))
	if len(changes) == 0 {
		return done, nil
	}
	switch err := w.Store.Commit(ctx, now, slices.Concat(changes...)...); {
	case err == nil:
		for i := range done {
			done[i] = true
		}
		return done, nil
	case !errors.Is(err, store.ErrConflict):
		return done, fmt.Errorf("note how hosts are: %w", err)
	}
	for i, some := range changes {
		err := w.Store.Commit(ctx, now, some...)
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return done, fmt.Errorf("note how hosts are: %w", err)
		}
		done[i] = err == nil
	}
	return done, nil
}

// hosts returns the hosts of ids, nil for those that are not there.
func (w *Watcher) hosts(ctx context.Context, ids []string) ([]*Host, error) {
	hosts := make([]*Host, len(ids))
	var keys []string
	var places []int
	for i, id := range ids {
		if hosts[i] = w.Inventory.hosts[id]; hosts[i] == nil && w.Inventory.register != nil {
			keys, places = append(keys, keyspace.HostEnrolled+id), append(places, i)
		}
	}
	if len(keys) == 0 {
		return hosts, nil
	}
	items, err := w.Store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("read which hosts are enrolled: %w", err)
	}
	for n, it := range items {
		if hosts[places[n]], err = w.Inventory.enrolled(ids[places[n]], it); err != nil {
			w.Log.Error("cannot read that a host is enrolled; it counts as gone", "host", ids[places[n]], "err", err)
		}
	}
	return hosts, nil
}

// sighting is a host and when it last reported.
type sighting struct {
	host *Host // nil when it is not there any more
	beat beat
	item store.Item // of the beat
}

func (w *Watcher) know(ctx context.Context, ids []string) ([]sighting, error) {
	hosts, err := w.hosts(ctx, ids)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = beatKey(id)
	}
	items, err := w.Store.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("read when hosts last reported: %w", err)
	}
	all := make([]sighting, len(ids))
	for i, it := range items {
		all[i] = sighting{host: hosts[i], item: it}
		if _, err := store.Decode(it, &all[i].beat); err != nil {
			w.Log.Error("cannot read when a host last reported; it stays offline until it reports again", "host", ids[i], "err", err)
		}
	}
	return all, nil
}

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// remember is the change that stores what is beyond limits, and whether there is
// anything to change.
func remember(it store.Item, o over) (c store.Change, changed bool, err error) {
	if len(o.Entries) == 0 {
		c = store.Change{Key: it.Key, Delete: true}
		changed = it.Version != 0
	} else if c, err = store.Encode(it.Key, o); err == nil {
		changed = !bytes.Equal(c.Value, it.Value)
	}
	c.If = store.Unchanged(it)
	return c, changed, err
}

// forget stores a state without what ended. If a report came in meanwhile, the
// next one says the ends again and forgets them.
func forget(ctx context.Context, st store.Store, now time.Time, key string, j *judgement) error {
	held, _, err := remember(store.Item{Key: key}, j.held())
	if err != nil {
		return err
	}
	items, err := st.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read what is beyond limits: %w", err)
	}
	if !bytes.Equal(items[0].Value, held.Value) {
		return nil
	}
	c, changed, err := remember(items[0], j.next)
	if err != nil || !changed {
		return err
	}
	if err := st.Commit(ctx, now, c); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("store what is beyond limits: %w", err)
	}
	return nil
}

// prune ends the alerts about values that nothing judges any more, and returns
// how many others fire.
func (w *Watcher) prune(ctx context.Context, now time.Time) (firing int, err error) {
	var items []store.Item
	var ids, services []string
	err = scan(ctx, w.Store, keyspace.HostBreach, func(it store.Item) error {
		id, service, _ := strings.Cut(it.Key[len(keyspace.HostBreach):], "/")
		items, ids, services = append(items, it), append(ids, id), append(services, service)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read which values are beyond their limits: %w", err)
	}
	hosts, err := w.hosts(ctx, ids)
	if err != nil {
		return 0, err
	}
	for i, it := range items {
		var o over
		if _, err := store.Decode(it, &o); err != nil {
			w.Log.Error("cannot read which values are beyond their limits", "host", ids[i], "err", err)
			continue
		}
		j := prune(hosts[i], services[i], o, now, wordsIn(w.Language))
		for _, e := range j.next.Entries {
			if e.Firing {
				firing++
			}
		}
		if len(j.next.Entries) == len(o.Entries) {
			continue
		}
		if err := w.ingest(ctx, now, j.ends); err != nil {
			return firing, err
		}
		c, _, err := remember(it, j.next)
		if err != nil {
			return firing, err
		}
		if err := w.Store.Commit(ctx, now, c); err != nil && !errors.Is(err, store.ErrConflict) {
			return firing, fmt.Errorf("store which values are beyond their limits: %w", err)
		}
	}
	return firing, nil
}

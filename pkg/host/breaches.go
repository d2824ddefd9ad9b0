package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// breach is a value that breaches a rule. It is pending until it has lasted for the
// rule's For, then firing. The zero breach is none.
type breach struct {
	Rule    string `json:"rule"` // the rule's key
	Element string `json:"element,omitempty"`
	// Since is the time of the first report that breached the rule.
	Since  time.Time `json:"since"`
	Firing bool      `json:"firing,omitempty"`
	// Labels are the labels of the alert while it fires. They are needed to end it
	// when the rule was removed or has other labels now.
	Labels alert.Labels `json:"labels,omitempty"`
}

// breaches is the stored list of a service's breaches.
type breaches struct {
	List []breach `json:"entries"`
}

// encodeBreaches returns the change that stores the breaches, and reports whether
// it changes anything.
func encodeBreaches(it store.Item, b breaches) (c store.Change, changed bool, err error) {
	if len(b.List) == 0 {
		c = store.Change{Key: it.Key, Delete: true}
		changed = it.Version != 0
	} else if c, err = store.Encode(it.Key, b); err == nil {
		changed = !bytes.Equal(c.Value, it.Value)
	}
	c.If = store.Unchanged(it)
	return c, changed, err
}

// commitEnded removes the breaches that ended from the store, after their alerts were
// ingested. If the store no longer has the state of beforeIngest, because of another
// report, it does nothing: the next report ends them again.
func commitEnded(ctx context.Context, st store.Store, now time.Time, key string, ev *evaluation) error {
	expected, _, err := encodeBreaches(store.Item{Key: key}, ev.beforeIngest())
	if err != nil {
		return err
	}
	items, err := st.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read breaches: %w", err)
	}
	if !bytes.Equal(items[0].Value, expected.Value) {
		return nil
	}
	c, changed, err := encodeBreaches(items[0], ev.next)
	if err != nil || !changed {
		return err
	}
	return commitBreaches(ctx, st, now, c)
}

// commitBreaches commits a change of breaches. If it conflicts nothing happens.
func commitBreaches(ctx context.Context, st store.Store, now time.Time, c store.Change) error {
	if err := st.Commit(ctx, now, c); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("store breaches: %w", err)
	}
	return nil
}

// checkBreaches ends the alerts of hosts, services and rules that were removed. It
// returns how many other alerts about values fire.
func (w *Watcher) checkBreaches(ctx context.Context, now time.Time) (firing int, err error) {
	var items []store.Item
	var ids, services []string
	err = forEach(ctx, w.Store, keyspace.HostBreach, func(it store.Item) error {
		id, service, _ := strings.Cut(it.Key[len(keyspace.HostBreach):], "/")
		items, ids, services = append(items, it), append(ids, id), append(services, service)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read breaches: %w", err)
	}
	hosts, err := w.findHosts(ctx, ids)
	if err != nil {
		return 0, err
	}
	for i, it := range items {
		var last breaches
		if _, err := store.Decode(it, &last); err != nil {
			w.Log.Error("breaches cannot be read", "host", ids[i], "err", err)
			continue
		}
		ev := evaluateConfig(hosts[i], services[i], last, now, messagesIn(w.Language))
		for _, b := range ev.next.List {
			if b.Firing {
				firing++
			}
		}
		if len(ev.next.List) == len(last.List) {
			continue
		}
		if err := w.ingest(ctx, now, ev.resolved); err != nil {
			return firing, err
		}
		c, _, err := encodeBreaches(it, ev.next)
		if err != nil {
			return firing, err
		}
		if err := commitBreaches(ctx, w.Store, now, c); err != nil {
			return firing, err
		}
	}
	return firing, nil
}

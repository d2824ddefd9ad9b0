package inhibit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// pageSize is the number of items that are read or deleted at a time.
const pageSize = 1000

// Sync makes the stored sources those of the rules: it deletes those of rules that
// are gone, and finds those of rules that are new among the stored alerts. Only if
// the rules have changed does it read the alerts, with decode; after it has
// succeeded once it does nothing. Call it before At.
func (i *Inhibitor) Sync(ctx context.Context, now time.Time, decode func(store.Item) (*alert.Alert, error)) error {
	if i.synced.Load() {
		return nil
	}
	err := store.RetryOnConflict(ctx, func() error {
		items, err := i.store.Get(ctx, keyspace.InhibitRules)
		if err != nil {
			return err
		}
		var old, ids []string
		if _, err := store.Decode(items[0], &old); err != nil {
			i.log.Error("cannot read the former inhibition rules; sources of removed rules remain", "key", keyspace.InhibitRules, "err", err)
			old = nil
		}
		var added []*rule
		for _, r := range i.rules.rules {
			ids = append(ids, r.id)
			if !slices.Contains(old, r.id) {
				added = append(added, r)
			}
		}
		if slices.Equal(old, ids) {
			return nil
		}
		for _, id := range old {
			if removed := (&rule{id: id}); !slices.Contains(ids, id) {
				if err := i.deleteSources(ctx, now, removed.prefix()); err != nil {
					return err
				}
			}
		}
		if err := i.addSources(ctx, now, newRuleSet(added), decode); err != nil {
			return err
		}
		c, err := store.Encode(keyspace.InhibitRules, ids)
		if err != nil {
			return err
		}
		c.If = store.Unchanged(items[0])
		return i.store.Commit(ctx, now, c)
	})
	if err != nil {
		return fmt.Errorf("apply changed inhibition rules: %w", err)
	}
	i.synced.Store(true)
	return nil
}

func (i *Inhibitor) deleteSources(ctx context.Context, now time.Time, prefix string) error {
	for page, err := range store.Pages(ctx, i.store, prefix, pageSize) {
		if err != nil {
			return err
		}
		changes := make([]store.Change, len(page))
		for j, it := range page {
			changes[j] = store.Change{Key: it.Key, Delete: true}
		}
		if err := i.store.Commit(ctx, now, changes...); err != nil {
			return err
		}
	}
	return nil
}

// addSources stores those of the stored alerts that are sources of the added rules.
func (i *Inhibitor) addSources(ctx context.Context, now time.Time, added *ruleSet, decode func(store.Item) (*alert.Alert, error)) error {
	if len(added.rules) == 0 {
		return nil
	}
	limit := min(pageSize, store.MaxChanges/(len(added.rules)+1))
	for after, more := "", true; more; {
		err := store.RetryOnConflict(ctx, func() error {
			page, err := i.store.List(ctx, keyspace.Alert, after, limit)
			if err != nil {
				return err
			}
			changes, err := pageSources(added, page, now, decode)
			if err != nil {
				return err
			}
			if len(changes) > 0 {
				if err := i.store.Commit(ctx, now, changes...); err != nil {
					return err
				}
			}
			if more = len(page) == limit; more {
				after = page[limit-1].Key
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pageSources returns the changes that store the alerts of a page as sources, on
// condition that the alerts have not changed: a newer one has brought its own.
func pageSources(added *ruleSet, page []store.Item, now time.Time, decode func(store.Item) (*alert.Alert, error)) ([]store.Change, error) {
	var changes []store.Change
	for _, it := range page {
		a, err := decode(it)
		if err != nil {
			continue // it will be replaced when its source sends it again
		}
		sources, err := added.sourceChanges(a, a.Fingerprint(), now)
		if err != nil {
			return nil, err
		}
		if len(sources) > 0 {
			changes = append(append(changes, sources...), store.Change{Key: it.Key, If: store.Unchanged(it)})
		}
	}
	return changes, nil
}

package dispatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/store"
)

const rulesKey = "meta/inhibit_rules"

// adoptRules makes the sources in the store those of today's inhibit rules, once
// in an engine's life: it removes those of rules that are gone, and finds those
// of rules that are new among the alerts that fire already. Only when the rules
// have changed does it look at all alerts.
func (e *Engine) syncInhibitRules(ctx context.Context, now time.Time) error {
	if e.inhibitSynced.Load() {
		return nil
	}
	err := retryOnConflict(ctx, func() error {
		items, err := e.store.Get(ctx, rulesKey)
		if err != nil {
			return err
		}
		var old, ids []string
		if _, err := read(items[0], &old); err != nil {
			e.log.Error("cannot read which inhibit rules there were; the sources of gone ones remain", "key", rulesKey, "err", err)
			old = nil
		}
		var added inhibitRules
		for _, r := range e.inhibition {
			ids = append(ids, r.id)
			if !slices.Contains(old, r.id) {
				added = append(added, r)
			}
		}
		if slices.Equal(old, ids) {
			return nil
		}
		for _, id := range old {
			if !slices.Contains(ids, id) {
				if err := e.removeSources(ctx, now, "source/"+id+"/"); err != nil {
					return err
				}
			}
		}
		if err := e.findSources(ctx, now, added); err != nil {
			return err
		}
		c, err := put(rulesKey, ids)
		if err != nil {
			return err
		}
		c.If = store.Unchanged(items[0])
		return e.store.Commit(ctx, now, c)
	})
	if err != nil {
		return fmt.Errorf("take up changed inhibit rules: %w", err)
	}
	e.inhibitSynced.Store(true)
	return nil
}

func (e *Engine) removeSources(ctx context.Context, now time.Time, prefix string) error {
	for {
		page, err := e.store.List(ctx, prefix, "", pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		changes := make([]store.Change, len(page))
		for i, it := range page {
			changes[i] = store.Change{Key: it.Key, Delete: true}
		}
		if err := e.store.Commit(ctx, now, changes...); err != nil {
			return err
		}
	}
}

// findSources writes the sources that standing alerts are of the rules.
func (e *Engine) findSources(ctx context.Context, now time.Time, rules inhibitRules) error {
	if len(rules) == 0 {
		return nil
	}
	limit := min(pageSize, store.MaxChanges/(len(rules)+1))
	for after, more := "", true; more; {
		err := retryOnConflict(ctx, func() error {
			page, err := e.store.List(ctx, "alert/", after, limit)
			if err != nil {
				return err
			}
			var changes []store.Change
			for _, it := range page {
				var rec alertRecord
				if _, err := read(it, &rec); err != nil {
					continue // the next word about it takes its place
				}
				sources, err := rules.changes(rec.Alert, rec.Fingerprint(), now)
				if err != nil {
					return err
				}
				if len(sources) > 0 {
					// A word that comes meanwhile is younger.
					changes = append(append(changes, sources...), store.Change{Key: it.Key, If: store.Unchanged(it)})
				}
			}
			if len(changes) > 0 {
				if err := e.store.Commit(ctx, now, changes...); err != nil {
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

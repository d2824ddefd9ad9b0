package dispatch

import (
	"context"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// member is an alert as the flush of its group sees it.
type member struct {
	item store.Item
	rec  alertRecord
	fp   alert.Fingerprint
}

// members reads the alerts of a group. Those that cannot be read are left where
// they are, which lost tells: the next word about such an alert replaces it, and
// it keeps the others from nothing.
func (e *Engine) members(ctx context.Context, gid string) (all []member, lost bool, err error) {
	prefix := memberPrefix(gid)
	for after := ""; ; {
		page, err := e.store.List(ctx, prefix, after, pageSize)
		if err != nil {
			return nil, false, err
		}
		if len(page) == 0 {
			return all, lost, nil
		}
		after = page[len(page)-1].Key
		keys := make([]string, len(page))
		for i, it := range page {
			keys[i] = "alert/" + it.Key[len(prefix):]
		}
		items, err := e.store.Get(ctx, keys...)
		if err != nil {
			return nil, false, err
		}
		for _, it := range items {
			m := member{item: it}
			ok, err := read(it, &m.rec)
			if !ok || err != nil {
				e.log.Error("cannot read an alert; its group goes on without it", "key", it.Key, "group", gid, "err", err)
				lost = true
				continue
			}
			m.fp = m.rec.Fingerprint()
			all = append(all, m)
		}
		if len(page) < pageSize {
			return all, lost, nil
		}
	}
}

// regroup works out what a group is from the alerts in it: the one of their
// routes and labels that has its id.
func (e *Engine) regroup(gid string, members []member, now time.Time) (head header, found bool) {
	for _, m := range members {
		for _, r := range e.route.Match(m.rec.Labels) {
			g := r.groupLabels(m.rec.Labels)
			if key := r.groupKey(g); groupID(r.ID, key) == gid {
				return header{RouteID: r.ID, Key: key, Labels: g, NextFlush: now}, true
			}
		}
	}
	return header{NextFlush: now}, false
}

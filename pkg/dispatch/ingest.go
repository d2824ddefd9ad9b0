package dispatch

import (
	"context"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// resolvedRetention is how long an alert that is over and in no group is kept,
// so that a late repetition of its end is recognised: Alertmanager's interval of
// collecting garbage.
const resolvedRetention = 30 * time.Minute

// ingest takes alerts in, in one commit. An alert takes one change, and two more
// for every group that it is new in.
func (e *Engine) ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	// Several words about one alert in a batch become one.
	order := make([]alert.Fingerprint, 0, len(alerts))
	merged := make(map[alert.Fingerprint]*alert.Alert, len(alerts))
	for _, a := range alerts {
		fp := a.Fingerprint()
		if earlier, ok := merged[fp]; ok {
			merged[fp] = alert.Merge(earlier, a)
			continue
		}
		merged[fp] = a
		order = append(order, fp)
	}
	keys := make([]string, len(order))
	for i, fp := range order {
		keys[i] = alertKey(fp)
	}
	stored, err := e.store.Get(ctx, keys...)
	if err != nil {
		return err
	}

	var changes []store.Change
	touched := map[string]*groupUpdate{}
	for i, fp := range order {
		var rec alertRecord
		known, err := read(stored[i], &rec)
		if err != nil {
			e.log.Error("cannot read an alert; the new word takes its place", "key", stored[i].Key, "err", err)
			rec = alertRecord{}
		}
		next := merged[fp]
		if known {
			next = alert.Merge(rec.Alert, next)
		}
		over := next.ResolvedAt(now)
		groups := rec.Groups
		if !over {
			for _, r := range e.route.Match(next.Labels) {
				g := r.groupLabels(next.Labels)
				key := r.groupKey(g)
				gid := groupID(r.ID, key)
				if slices.Contains(groups, gid) {
					continue
				}
				groups = append(slices.Clip(groups), gid)
				changes = append(changes, store.Change{Key: memberKey(gid, fp), Value: []byte("1")})
				t := touched[gid]
				if t == nil {
					t = &groupUpdate{header: header{RouteID: r.ID, Key: key, Labels: g}, wait: r.GroupWait}
					touched[gid] = t
				}
				if t.first.IsZero() || next.StartsAt.Before(t.first) {
					t.first = next.StartsAt
				}
			}
		}
		if over && known && !rec.ResolvedAt(now) {
			e.flushNow(touched, next.Labels, groups)
		}
		change, err := put(stored[i].Key, alertRecord{Alert: next, Groups: groups})
		if err != nil {
			return err
		}
		change.If = store.Unchanged(stored[i])
		if over && len(groups) == 0 {
			change.Expires = now.Add(resolvedRetention)
		}
		changes = append(changes, change)
		sources, err := e.inhibition.changes(next, fp, now)
		if err != nil {
			return err
		}
		changes = append(changes, sources...)
	}
	heads, err := e.groupChanges(ctx, now, touched)
	if err != nil {
		return err
	}
	return e.store.Commit(ctx, now, append(changes, heads...)...)
}

// wake makes the groups of an alert that ended due, where its routes announce
// the end of a whole group at once.
func (e *Engine) flushNow(touched map[string]*groupUpdate, l alert.Labels, groups []string) {
	for _, r := range e.route.Match(l) {
		if !r.ResolvedAtOnce {
			continue
		}
		g := r.groupLabels(l)
		key := r.groupKey(g)
		if gid := groupID(r.ID, key); slices.Contains(groups, gid) && touched[gid] == nil {
			touched[gid] = &groupUpdate{header: header{RouteID: r.ID, Key: key, Labels: g}, flushNow: true}
		}
	}
}

// touch is a group that gets a new member, or is woken.
type groupUpdate struct {
	header
	wait     time.Duration
	first    time.Time // the earliest start among the new members
	flushNow bool      // an alert ended, and that may be all that is to be said
}

// touchHeaders returns the changes that make the groups' headers, or that write
// them again as they are: an instance that is about to remove an empty group
// must notice that it is not empty any more.
func (e *Engine) groupChanges(ctx context.Context, now time.Time, touched map[string]*groupUpdate) ([]store.Change, error) {
	if len(touched) == 0 {
		return nil, nil
	}
	keys := make([]string, 0, len(touched))
	for gid := range touched {
		keys = append(keys, groupKey(gid))
	}
	slices.Sort(keys)
	items, err := e.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	changes := make([]store.Change, len(items))
	for i, it := range items {
		t := touched[it.Key[len(kindGroup)+1:]]
		if it.Version != 0 {
			due := it.Due
			if t.flushNow && now.Before(due) {
				due = now
			}
			changes[i] = store.Change{Key: it.Key, Value: it.Value, Due: due, If: store.Unchanged(it)}
			continue
		}
		// A group waits for company, counted from now, unless its first alert
		// has waited long enough elsewhere.
		t.NextFlush = now.Add(t.wait)
		if t.first.Add(t.wait).Before(now) {
			t.NextFlush = now
		}
		c, err := put(it.Key, t.header)
		if err != nil {
			return nil, err
		}
		c.If, c.Due = store.Absent(), t.NextFlush
		changes[i] = c
	}
	return changes, nil
}

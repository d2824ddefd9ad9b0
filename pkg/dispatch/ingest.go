package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/inhibit"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// maxIngestBatch is the maximum number of alerts in one commit.
	maxIngestBatch = 1000
	// resolvedRetention is how long a resolved alert that is in no group is kept, so
	// that its resolution is recognized when it is sent again: the interval of
	// Alertmanager's garbage collection.
	resolvedRetention = 30 * time.Minute
)

// ingester stores alerts and puts them into their groups.
type ingester struct {
	store     store.Store
	root      *route.Route
	inhibitor *inhibit.Inhibitor
	logs      *notificationLogs
	intake    *intakeRecorder
	log       *slog.Logger
}

// Ingest stores alerts as of now. When it returns nil they are durable and in their
// groups; the next Tick notifies. When it returns an error, which wraps
// store.ErrUnavailable if the store is out of reach, some of the alerts may be
// stored; ingesting all of them again is harmless.
//
// Concurrent calls share commits: a store takes hundreds of alerts in little more
// time than one, and calls that change the same groups do not conflict.
func (e *Engine) Ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	for part := range slices.Chunk(alerts, maxIngestBatch) {
		updated := make([]*alert.Alert, len(part))
		for i, a := range part {
			c := *a
			c.UpdatedAt = now
			updated[i] = &c
		}
		if err := e.batcher.add(ctx, now, updated); err != nil {
			return fmt.Errorf("ingest %d alerts: %w", len(updated), err)
		}
	}
	return nil
}

// batch stores alerts in one commit: one change for each alert, two more for
// each group that it joins, and those of the logs if it moves. If these are more
// than a commit takes, it commits in parts.
func (n *ingester) batch(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	return n.merged(ctx, now, mergeDuplicates(alerts))
}

func (n *ingester) merged(ctx context.Context, now time.Time, alerts []incomingAlert) error {
	tooLarge := false
	err := store.RetryOnConflict(ctx, func() error {
		changes, err := n.changes(ctx, now, alerts)
		if tooLarge = len(changes) > store.MaxChanges && len(alerts) > 1; err != nil || tooLarge {
			return err
		}
		return n.store.Commit(ctx, now, changes...)
	})
	if errors.Is(err, store.ErrFull) {
		return errors.Join(err, n.refreshKnown(ctx, now, alerts))
	}
	if err != nil || !tooLarge {
		return err
	}
	for half := range slices.Chunk(alerts, (len(alerts)+1)/2) {
		if err := n.merged(ctx, now, half); err != nil {
			return err
		}
	}
	return nil
}

// refreshKnown stores those of the alerts that the store has, if there are others: a store
// that is full takes their refreshes and their ends.
func (n *ingester) refreshKnown(ctx context.Context, now time.Time, alerts []incomingAlert) error {
	keys := make([]string, len(alerts))
	for i, a := range alerts {
		keys[i] = alertKey(a.fp)
	}
	items, err := n.store.Get(ctx, keys...)
	if err != nil {
		return err
	}
	var known []incomingAlert
	for i, a := range alerts {
		if items[i].Version != 0 {
			known = append(known, a)
		}
	}
	if len(known) == 0 || len(known) == len(alerts) {
		return nil
	}
	return n.merged(ctx, now, known)
}

// incomingAlert is an alert to store; fp is its fingerprint.
type incomingAlert struct {
	*alert.Alert
	fp alert.Fingerprint
}

// mergeDuplicates merges alerts with equal labels, in the order in which each comes
// first.
func mergeDuplicates(alerts []*alert.Alert) []incomingAlert {
	position := make(map[alert.Fingerprint]int, len(alerts))
	merged := make([]incomingAlert, 0, len(alerts))
	for _, a := range alerts {
		fp := a.Fingerprint()
		if i, ok := position[fp]; ok {
			merged[i].Alert = alert.Merge(merged[i].Alert, a)
			continue
		}
		position[fp] = len(merged)
		merged = append(merged, incomingAlert{a, fp})
	}
	return merged
}

func (n *ingester) changes(ctx context.Context, now time.Time, alerts []incomingAlert) ([]store.Change, error) {
	keys := make([]string, len(alerts), len(alerts)+1)
	for i, a := range alerts {
		keys[i] = alertKey(a.fp)
	}
	items, err := n.store.Get(ctx, append(keys, keyspace.Intake)...)
	if err != nil {
		return nil, err
	}
	leases := n.intake.decode(items[len(alerts)]).leases(now)
	var changes []store.Change
	var moves []move
	updates := groupUpdates{}
	for i, in := range alerts {
		var stored alertRecord
		known, err := store.Decode(items[i], &stored)
		if err != nil {
			n.log.Error("cannot read a stored alert; it is replaced", "key", items[i].Key, "err", err)
			stored = alertRecord{}
		}
		rec := alertRecord{Alert: in.Alert, Groups: stored.Groups}
		if known {
			stored.Alert = leases.apply(stored.Alert)
			rec.Alert = alert.Merge(stored.Alert, in.Alert)
		}
		resolved := rec.ResolvedAt(now)
		switch {
		case !resolved:
			m := move{fp: in.fp, routes: n.root.Match(rec.Labels), left: slices.Clone(rec.Groups)}
			for _, r := range m.routes {
				group := r.GroupFor(rec.Labels)
				m.groups = append(m.groups, group)
				m.left = slices.DeleteFunc(m.left, func(id string) bool { return id == group.ID })
				if slices.Contains(rec.Groups, group.ID) {
					continue
				}
				rec.Groups = append(slices.Clip(rec.Groups), group.ID)
				changes = append(changes, store.Change{Key: memberKey(group.ID, in.fp), Value: []byte(memberNew)})
				updates.join(group, r.GroupWait, rec.StartsAt)
			}
			if len(m.left) > 0 {
				moves = append(moves, m)
			}
		case known && !stored.ResolvedAt(now):
			updates.flushResolved(n.root.Match(rec.Labels), rec)
		}
		change, err := store.Encode(items[i].Key, rec)
		if err != nil {
			return nil, err
		}
		change.If = store.Unchanged(items[i])
		if resolved && len(rec.Groups) == 0 {
			change.Expires = now.Add(resolvedRetention)
		}
		changes = append(changes, change)
		sources, err := n.inhibitor.SourceChanges(rec.Alert, in.fp, now)
		if err != nil {
			return nil, err
		}
		changes = append(changes, sources...)
	}
	logs, err := n.logs.moveAlerts(ctx, now, moves)
	if err != nil {
		return nil, err
	}
	headers, err := n.headerChanges(ctx, now, updates)
	return slices.Concat(changes, logs, headers), err
}

// groupUpdates are the groups that a batch changes, by ID.
type groupUpdates map[string]*groupUpdate

type groupUpdate struct {
	route.Group
	wait     time.Duration // the route's group_wait
	earliest time.Time     // start of the new members
	flushNow bool          // an alert resolved: flush at once
}

// join records that an alert which started at start becomes a member of the group.
func (u groupUpdates) join(g route.Group, wait time.Duration, start time.Time) {
	update := u[g.ID]
	if update == nil {
		update = &groupUpdate{Group: g, wait: wait}
		u[g.ID] = update
	}
	if update.earliest.IsZero() || start.Before(update.earliest) {
		update.earliest = start
	}
}

// flushResolved makes those groups of an alert that resolved due at once whose
// route has resolved_at_once.
func (u groupUpdates) flushResolved(routes []*route.Route, rec alertRecord) {
	for _, r := range routes {
		if !r.ResolvedAtOnce {
			continue
		}
		g := r.GroupFor(rec.Labels)
		if slices.Contains(rec.Groups, g.ID) && u[g.ID] == nil {
			u[g.ID] = &groupUpdate{Group: g, flushNow: true}
		}
	}
}

// headerChanges returns the changes that write the headers of the updated groups.
// Existing ones are written as they are, so that an instance which is deleting the
// group because it is empty runs into a conflict.
func (n *ingester) headerChanges(ctx context.Context, now time.Time, updates groupUpdates) ([]store.Change, error) {
	if len(updates) == 0 {
		return nil, nil
	}
	keys := make([]string, 0, len(updates))
	for id := range updates {
		keys = append(keys, groupKey(id))
	}
	slices.Sort(keys)
	items, err := n.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	changes := make([]store.Change, len(items))
	for i, it := range items {
		u := updates[it.Key[len(keyspace.Group):]]
		if it.Value != nil {
			due := it.Due
			if u.flushNow && now.Before(due) {
				due = now
			}
			changes[i] = store.Reschedule(it, due)
			continue
		}
		// There is none, or one that the store cannot decode.
		// group_wait counts from now. As in Alertmanager there is none for an alert
		// that started longer ago than that.
		h := newHeader(u.Group, now.Add(u.wait))
		if u.earliest.Add(u.wait).Before(now) {
			h.NextFlush = now
		}
		c, err := store.Encode(it.Key, h)
		if err != nil {
			return nil, err
		}
		c.If, c.Due = store.Unchanged(it), h.NextFlush
		changes[i] = c
	}
	return changes, nil
}

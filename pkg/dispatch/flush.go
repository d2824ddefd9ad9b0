package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/outbox"
	"tocsin/pkg/route"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// dueBatch is the number of due groups that are read at a time.
	dueBatch = 64
	// maxConcurrentFlushes is how many groups are flushed at a time.
	maxConcurrentFlushes = 8
	// flushTime is the time after which flushing pauses, so that notifications are
	// sent while a slow store or many groups keep it busy.
	flushTime = 2 * time.Second
	// maxConflicts is how many conflicts a run of flushes retries at once; after
	// that the groups are left to the next tick.
	maxConflicts = 16
	// pageSize is the number of items that are read at a time.
	pageSize = 1000
)

// FlushDue flushes groups that are due at now, until there are none or the budget is
// spent. Their notifications are due in the outbox then. After every 2 s it calls pause,
// between flushes, so that the first ones can be sent, and returns if that reports false.
// An error is the store's.
func (e *Engine) FlushDue(ctx context.Context, b *outbox.Budget, now time.Time, pause func() bool) error {
	var mutes *mutes
	var began time.Time // flushing, after the last pause
	paused := func() bool { return time.Since(began) >= flushTime }
	conflicts := 0
	for !b.Spent() {
		read := time.Now()
		due, err := e.store.Due(ctx, groupQueue, now, dueBatch)
		if err != nil || len(due) == 0 {
			return err
		}
		b.Observe(time.Since(read))
		if mutes == nil {
			if mutes, err = e.mutesAt(ctx, now); err != nil {
				return err
			}
		}
		if began.IsZero() {
			began = time.Now() // so that some groups are flushed, however slow the store is
		}
		results := e.flushAll(ctx, now, due, mutes, func() bool { return b.Spent() || paused() })
		again := len(due) == dueBatch || len(results) < len(due)
		for _, r := range results {
			switch {
			case r.err == nil:
			case errors.Is(r.err, store.ErrConflict):
				// Another instance flushed the group, or an alert joined it. If it is
				// still due, the next read of the queue returns it.
				conflicts++
				again = again || conflicts < maxConflicts
			case errors.Is(r.err, store.ErrUnavailable), ctx.Err() != nil:
				return r.err
			default:
				e.log.Error("cannot flush a group; it is deferred by one group_interval", "group", r.item.Key, "err", r.err)
				if err := e.deferGroup(ctx, now, r.item); err != nil {
					return err
				}
			}
		}
		if !again {
			return nil
		}
		if paused() {
			if !pause() {
				return nil
			}
			began = time.Time{}
		}
	}
	return nil
}

// flushResult is the result of the flush of one group.
type flushResult struct {
	item store.Item
	err  error
}

// flushAll flushes groups concurrently until stop returns true, and returns the
// results of those that were flushed.
func (e *Engine) flushAll(ctx context.Context, now time.Time, due []store.Item, mutes *mutes, stop func() bool) []flushResult {
	results := make([]flushResult, len(due))
	var workers errgroup.Group
	workers.SetLimit(maxConcurrentFlushes)
	for i, it := range due {
		workers.Go(func() error { // which waited for a worker
			if !stop() {
				results[i] = flushResult{it, e.flush(ctx, now, it, mutes)}
			}
			return nil // an error is one group's
		})
	}
	_ = workers.Wait() // never an error
	return slices.DeleteFunc(results, func(r flushResult) bool { return r.item.Key == "" })
}

// flush flushes the group with this header.
func (e *Engine) flush(ctx context.Context, now time.Time, item store.Item, mutes *mutes) error {
	g, err := e.loadGroup(ctx, now, item, mutes)
	if err != nil {
		return err
	}
	return e.commitFlush(ctx, now, g, plan(g, now, e.upstream))
}

// deferGroup makes a group that cannot be flushed due later.
func (e *Engine) deferGroup(ctx context.Context, now time.Time, it store.Item) error {
	err := e.store.Commit(ctx, now, store.Reschedule(it, now.Add(route.DefaultGroupInterval)))
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// restartBatch is the number of groups in one commit of Restart.
const restartBatch = 500

// Restart restarts the schedule of all groups, as Alertmanager does when its
// configuration is reloaded: each group is flushed at the next tick, and every
// group_interval from now on. Nothing is notified twice. A group that waits for its
// group_wait keeps its schedule.
func (e *Engine) Restart(ctx context.Context, now time.Time) error {
	for page, err := range store.Pages(ctx, e.store, keyspace.Group, restartBatch) {
		if err == nil {
			err = e.restartGroups(ctx, now, page, func(_ store.Item, h header) bool { return h.Flushed })
		}
		if err != nil {
			return fmt.Errorf("restart the schedule of groups: %w", err)
		}
	}
	return nil
}

// restartGroups makes those groups due now whose item and header are selected. A header
// that cannot be read is empty.
func (e *Engine) restartGroups(ctx context.Context, now time.Time, items []store.Item, selected func(store.Item, header) bool) error {
	var changes []store.Change
	for _, it := range items {
		var h header
		_, unreadable := store.Decode(it, &h)
		if unreadable != nil {
			h = header{} // its flush logs the error
		}
		if !selected(it, h) {
			continue
		}
		c := store.Reschedule(it, now)
		if unreadable == nil {
			h.NextFlush = now
			encoded, err := store.Encode(it.Key, h)
			if err != nil {
				return err
			}
			c.Value = encoded.Value
		}
		changes = append(changes, c)
	}
	// A group that conflicts is being flushed, or was restarted already.
	return store.CommitEach(ctx, e.store, now, changes)
}

package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/pkg/store"
)

// restartBatch bounds the groups of one commit.
const restartBatch = 500

// Restart begins the rhythm of all groups anew, as Alertmanager does when its
// configuration is reloaded: each is looked at now, and from then on every
// group_interval. What was told stays told. A group that still has its
// group_wait keeps it.
func (e *Engine) Restart(ctx context.Context, now time.Time) error {
	for after := ""; ; {
		page, err := e.store.List(ctx, kindGroup+"/", after, restartBatch)
		if err != nil {
			return fmt.Errorf("start the groups' timers anew: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		after = page[len(page)-1].Key
		changes := make([]store.Change, 0, len(page))
		for _, it := range page {
			var head header
			if _, err := read(it, &head); err != nil || !head.Flushed {
				continue // its flush will tell
			}
			head.NextFlush = now
			c, err := put(it.Key, head)
			if err != nil {
				return err
			}
			c.Due, c.If = now, store.Unchanged(it)
			changes = append(changes, c)
		}
		if err := e.restart(ctx, now, changes); err != nil {
			return fmt.Errorf("start the groups' timers anew: %w", err)
		}
	}
}

// restart commits the changes, without those that others forestall: such a
// group is being flushed, or was restarted already.
func (e *Engine) restart(ctx context.Context, now time.Time, changes []store.Change) error {
	err := e.store.Commit(ctx, now, changes...)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	for _, c := range changes {
		if err := e.store.Commit(ctx, now, c); err != nil && !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return nil
}

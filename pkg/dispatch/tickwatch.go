package dispatch

import (
	"context"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// tickRecordInterval is how often the time of a tick is recorded.
const tickRecordInterval = time.Minute

// WatchTicks is called before each tick and fires an alert, TocsinTickLate, if the
// last one was longer ago than limit. The alert resolves when ticks have been on
// time for as long as limit.
func (e *Engine) WatchTicks(ctx context.Context, now time.Time, limit time.Duration) error {
	return store.RetryOnConflict(ctx, func() error {
		items, err := e.store.Get(ctx, keyspace.LastTick)
		if err != nil {
			return err
		}
		var last time.Time
		known, err := store.Decode(items[0], &last)
		if err != nil {
			e.log.Error("cannot read the time of the last tick; it is recorded again", "err", err)
		}
		elapsed := now.Sub(last)
		if known && elapsed < tickRecordInterval {
			return nil
		}
		if known && elapsed > limit {
			if err := e.Ingest(ctx, now, []*alert.Alert{tickLateAlert(last, now, limit)}); err != nil {
				return err
			}
		}
		c, err := store.Encode(keyspace.LastTick, now)
		if err != nil {
			return err
		}
		c.If = store.Unchanged(items[0])
		return e.store.Commit(ctx, now, c)
	})
}

// tickLateAlert is the alert that no tick ran between last and now. It resolves by
// its end time.
func tickLateAlert(last, now time.Time, limit time.Duration) *alert.Alert {
	return &alert.Alert{
		Labels: alert.Labels{alert.NameLabel: alert.TickLateAlert, alert.SeverityLabel: alert.SeverityWarning},
		Annotations: alert.Labels{
			alert.SummaryAnnotation: "No tick ran from " + last.UTC().Format(time.RFC3339) + " to " + now.UTC().Format(time.RFC3339) +
				": the timer did not fire, or every run failed. Notifications that were due in between are sent now.",
		},
		StartsAt: last, EndsAt: now.Add(limit), Timeout: true,
	}
}

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

// WatchTicks is called before each tick of a timer. It records that alerts can be
// received (see RecordIntake), and fires an alert, TocsinTickLate, if the last tick was
// longer ago than limit; 0 is no limit. The alert resolves when ticks have been on time
// for as long as limit.
func (e *Engine) WatchTicks(ctx context.Context, now time.Time, limit time.Duration) error {
	return store.RetryOnConflict(ctx, func() error {
		items, err := e.store.Get(ctx, keyspace.LastTick, keyspace.Intake)
		if err != nil {
			return err
		}
		var changes []store.Change
		if in := e.intake.decode(items[1]); in.staleAt(now) {
			if changes, err = e.intake.change(ctx, now, 0, false, items[1]); err != nil {
				return err
			}
		}
		late, err := e.tickChange(ctx, now, limit, items[0])
		if changes = append(changes, late...); err != nil || len(changes) == 0 {
			return err
		}
		return e.store.Commit(ctx, now, changes...)
	})
}

// tickChange returns the change that records a tick at now, whose stored record is it,
// if there is one to record, and fires the alert if the last tick was too long ago.
func (e *Engine) tickChange(ctx context.Context, now time.Time, limit time.Duration, it store.Item) ([]store.Change, error) {
	if limit == 0 {
		return nil, nil
	}
	var last time.Time
	known, err := store.Decode(it, &last)
	if err != nil {
		e.log.Error("cannot read the time of the last tick; it is recorded again", "err", err)
	}
	elapsed := now.Sub(last)
	if known && elapsed >= 0 && elapsed < tickRecordInterval {
		return nil, nil
	}
	if known && elapsed > limit {
		if err := e.Ingest(ctx, now, []*alert.Alert{tickLateAlert(last, now, limit)}); err != nil {
			return nil, err
		}
	}
	c, err := store.Encode(it.Key, now)
	c.If = store.Unchanged(it)
	return []store.Change{c}, err
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

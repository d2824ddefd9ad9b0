package dispatch

import (
	"context"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

const (
	// noteEvery is how often it is written down that ticks happen.
	tickRecordInterval = time.Minute

	// tickKey holds when the last tick was, to the minute.
	tickKey = "meta/tick"
)

// WatchTicks notes that there is about to be a tick, and raises an alert when
// the last one was longer ago than limit: what was due in between is late. The
// alert ends by itself when ticks have come on time for as long as that.
func (e *Engine) WatchTicks(ctx context.Context, now time.Time, limit time.Duration) error {
	return retryOnConflict(ctx, func() error {
		items, err := e.store.Get(ctx, tickKey)
		if err != nil {
			return err
		}
		var last time.Time
		known, err := read(items[0], &last)
		if err != nil {
			e.log.Error("cannot read when the last tick was; it is written anew", "err", err)
		}
		pause := now.Sub(last)
		if known && pause < tickRecordInterval {
			return nil
		}
		if known && pause > limit {
			if err := e.Ingest(ctx, now, []*alert.Alert{lateAlert(last, now, now.Add(limit))}); err != nil {
				return err
			}
		}
		c, err := put(tickKey, now)
		if err != nil {
			return err
		}
		c.If = store.Unchanged(items[0])
		return e.store.Commit(ctx, now, c)
	})
}

// lateAlert says that nobody ticked from one time to another. It ends by itself.
func lateAlert(from, to, end time.Time) *alert.Alert {
	return &alert.Alert{
		Labels: alert.Labels{alert.NameLabel: alert.TickLateAlert, alert.SeverityLabel: alert.SeverityWarning},
		Annotations: alert.Labels{
			alert.SummaryAnnotation: "Nothing was said from " + from.UTC().Format(time.RFC3339) + " to " + to.UTC().Format(time.RFC3339) +
				": the timer did not fire, or every run failed. What was due in between is said now.",
		},
		StartsAt: from, EndsAt: end, Timeout: true, Builtin: alert.BuiltinSummary,
	}
}

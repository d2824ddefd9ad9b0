package host

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// Watcher finds hosts that fell silent.
type Watcher struct {
	Store     store.Store
	Inventory *Inventory
	// InTimeInterval tells whether a time interval of the configuration contains a time.
	InTimeInterval func(interval string, t time.Time) bool
	// Ingest takes alerts in durably. It is given an alert for every offline host
	// at every check, and some alerts' ends more than once.
	Ingest func(ctx context.Context, now time.Time, alerts []*alert.Alert) error
	// Language is that of the built-in texts, "zh" or "en".
	Language string
	Log      *slog.Logger
}

// CheckResult is what a check came to.
type CheckResult struct {
	Polled int // hosts read
	Firing int // alerts firing, those about values included
}

// Check looks for hosts that fell silent and for those that are back, and hands
// the alerts to Ingest. A host is judged when it is active and has reported
// before, and not in ignored intervals nor just after a gap in which nobody
// watched. An alert starts at the last report and ends at the first one in time
// after that.
//
// An error is trouble with the store or with Ingest; what it left undone the next
// check does. Any number of instances may check, and each may die at any moment:
// that a host is offline is stored before it is told, and forgotten after its end
// was told. So whatever got lost on the way is said again at the next check.
func (w *Watcher) Check(ctx context.Context, now time.Time) (CheckResult, error) {
	now = now.UTC().Truncate(time.Millisecond)
	var sum CheckResult
	judging, err := w.watching(ctx, now)
	if err != nil {
		return sum, err
	}
	told, err := w.offline(ctx)
	if err != nil {
		return sum, err
	}
	sum.Polled = len(told)
	left, err := w.settle(ctx, now, told)
	if err != nil {
		return sum, err
	}
	if judging && !w.ignored(now) {
		polled, err := w.silent(ctx, now, left)
		sum.Polled += polled
		if err != nil {
			return sum, err
		}
	}
	if err := w.say(ctx, now, left); err != nil {
		return sum, err
	}
	beyond, err := w.prune(ctx, now)
	sum.Firing = len(left) + beyond
	return sum, err
}

// batch is how many hosts are written or told at a time.
const batch = 200

// say hands on the alerts of all hosts that are offline, those first that are
// new.
func (w *Watcher) say(ctx context.Context, now time.Time, left map[string]*mark) error {
	if len(left) == 0 {
		return nil
	}
	next, err := w.Store.NextDue(ctx, hostQueue)
	if err != nil {
		return fmt.Errorf("see whether any host reports: %w", err)
	}
	marks := make([]*mark, 0, len(left))
	for _, m := range left {
		marks = append(marks, m)
	}
	slices.SortFunc(marks, func(a, b *mark) int {
		if c := b.Since.Compare(a.Since); c != 0 {
			return c
		}
		return a.Labels.Compare(b.Labels)
	})
	for some := range slices.Chunk(marks, batch) {
		alerts := make([]*alert.Alert, len(some))
		for i, m := range some {
			alerts[i] = m.alert(wordsIn(w.Language), next.IsZero() && len(left) > 1)
		}
		if err := w.ingest(ctx, now, alerts); err != nil {
			return err
		}
	}
	return nil
}

func (w *Watcher) ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	if len(alerts) == 0 {
		return nil
	}
	if err := w.Ingest(ctx, now, alerts); err != nil {
		return fmt.Errorf("take in the alerts about hosts: %w", err)
	}
	return nil
}

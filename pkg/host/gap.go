package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// recovery bounds how long hosts have to report again after a gap: an agent that
// could not report for long tries again about once a minute.
const recovery = 2 * time.Minute

// checkNote is what a check leaves for the next.
type checkNote struct {
	At time.Time `json:"at"`
	// Pauses are the last two between checks, the newer first.
	Pauses [2]time.Duration `json:"pauses"`
	// JudgeFrom is when silence is judged again after a gap.
	JudgeFrom time.Time `json:"judge_from,omitzero"`
}

// gap tells whether nobody watched for so long before now that hosts may look
// silent only because nobody took their reports: a check was missed, and half of
// the time that a host may be silent has passed. The pace of the checks is the
// configured interval, or slower if the timer is: a slow timer is not one gap after
// the other.
func (n checkNote) gap(now time.Time, every, offlineAfter time.Duration) bool {
	if n.At.IsZero() {
		return false
	}
	pause := now.Sub(n.At)
	pace := max(every, min(n.Pauses[0], n.Pauses[1]))
	return pause > pace*3/2 && pause > offlineAfter/2
}

// next is the note of a check at now.
func (n checkNote) next(now time.Time, gap bool, offlineAfter time.Duration) checkNote {
	if n.At.IsZero() {
		return checkNote{At: now}
	}
	pause := now.Sub(n.At)
	next := checkNote{At: now, Pauses: [2]time.Duration{pause, n.Pauses[0]}, JudgeFrom: n.JudgeFrom}
	if gap {
		next.JudgeFrom = now.Add(max(offlineAfter, min(pause/2, recovery)))
	}
	return next
}

// watching notes that there is a check at now, and tells whether silence may be
// judged.
func (w *Watcher) watching(ctx context.Context, now time.Time) (bool, error) {
	items, err := w.Store.Get(ctx, keyspace.HostCheck)
	if err != nil {
		return false, fmt.Errorf("read when silence was last looked for: %w", err)
	}
	var last checkNote
	if _, err := store.Decode(items[0], &last); err != nil {
		w.Log.Error("cannot read when silence was last looked for; it is written anew", "err", err)
	}
	gap := last.gap(now, w.Inventory.every, w.Inventory.offlineAfter)
	if gap {
		reported, err := w.reportedThrough(ctx, last.At, now)
		if err != nil {
			return false, err
		}
		gap = !reported
	}
	next := last.next(now, gap, w.Inventory.offlineAfter)
	if gap {
		w.Log.Warn("the silence of hosts was not watched; they have time to report again before it is judged", "from", last.At, "judged_from", next.JudgeFrom)
	}
	c, err := store.Encode(keyspace.HostCheck, next)
	if err != nil {
		return false, err
	}
	c.If = store.Unchanged(items[0])
	if err := w.Store.Commit(ctx, now, c); err != nil && !errors.Is(err, store.ErrConflict) {
		return false, fmt.Errorf("note that silence is looked for: %w", err)
	}
	return !now.Before(next.JudgeFrom), nil
}

// reportedThrough tells whether one of the hosts that may be silent next, or are,
// reported all the time from one moment to another: then reports were taken, and
// who is silent is so indeed.
func (w *Watcher) reportedThrough(ctx context.Context, from, to time.Time) (bool, error) {
	items, err := w.Store.Due(ctx, hostQueue, to.Add(w.Inventory.offlineAfter), batch)
	if err != nil {
		return false, fmt.Errorf("see whether hosts report: %w", err)
	}
	for _, it := range items {
		var b beat
		if _, err := store.Decode(it, &b); err == nil && !b.Up.After(from) && b.Live.After(from) && inTime(to, b.Live, w.Inventory.offlineAfter) {
			return true, nil
		}
	}
	return false, nil
}

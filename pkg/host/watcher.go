package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// Watcher finds hosts that stopped reporting.
type Watcher struct {
	Store     store.Store
	Inventory *Inventory
	// InTimeInterval reports whether a time interval of the configuration contains
	// a time.
	InTimeInterval func(interval string, t time.Time) bool
	// Ingest accepts alerts durably. The alert of an offline host is passed with
	// every check; the end of an alert may be passed more than once.
	Ingest func(ctx context.Context, now time.Time, alerts []*alert.Alert) error
	// Language is the language of the built-in texts, "zh" or "en".
	Language string
	Log      *slog.Logger
}

// CheckResult counts the work of a check.
type CheckResult struct {
	Polled int // hosts read
	Firing int // alerts firing, including those about values and conditions
}

// batchSize is how many hosts are committed or ingested at a time.
const batchSize = 200

// Check finds hosts that went offline and hosts that are online again, and passes
// their alerts to Ingest. A host goes offline if it is active and has reported
// before; not in ignored intervals, and not directly after a missed check. The
// alert starts at the last report and ends at the first one after it that was not
// late.
//
// An error comes from the store or from Ingest; the next check repeats what was not
// done. Any number of instances may check at the same time, and each may be killed at
// any moment: that a host is offline is stored before its alert is ingested, and
// deleted after the end of the alert was ingested. The next check passes again what
// an interrupted one did not.
func (w *Watcher) Check(ctx context.Context, now time.Time) (CheckResult, error) {
	now = now.UTC().Truncate(time.Millisecond)
	var result CheckResult
	mayGoOffline, err := w.recordCheck(ctx, now)
	if err != nil {
		return result, err
	}
	records, err := w.readOffline(ctx)
	if err != nil {
		return result, err
	}
	result.Polled = len(records)
	offline, err := w.resolveOffline(ctx, now, records)
	if err != nil {
		return result, err
	}
	if mayGoOffline && !w.ignored(now) {
		polled, err := w.findOffline(ctx, now, offline)
		result.Polled += polled
		if err != nil {
			return result, err
		}
	}
	if err := w.ingestOffline(ctx, now, offline); err != nil {
		return result, err
	}
	conditions, err := w.checkConditions(ctx, now, offline)
	if err != nil {
		return result, err
	}
	breaches, err := w.checkBreaches(ctx, now)
	result.Firing = len(offline) + conditions + breaches
	return result, err
}

// ignored reports whether hosts are not checked now: in an ignored interval, and for
// the grace period after one. Intervals begin and end at full minutes, so that steps
// of a minute miss none.
func (w *Watcher) ignored(now time.Time) bool {
	inIgnored := func(t time.Time) bool {
		return slices.ContainsFunc(w.Inventory.ignore, func(name string) bool { return w.InTimeInterval(name, t) })
	}
	grace := w.Inventory.ignoreGrace
	for back := time.Duration(0); back < grace; back += time.Minute {
		if inIgnored(now.Add(-back)) {
			return true
		}
	}
	return inIgnored(now.Add(-grace))
}

func (w *Watcher) ingest(ctx context.Context, now time.Time, alerts []*alert.Alert) error {
	if len(alerts) == 0 {
		return nil
	}
	if err := w.Ingest(ctx, now, alerts); err != nil {
		return fmt.Errorf("ingest the alerts of hosts: %w", err)
	}
	return nil
}

// maxRecovery bounds how long hosts have to report again after missed checks. An
// agent that could not report for long retries about once a minute.
const maxRecovery = 2 * time.Minute

// checkRecord is the stored record of the last check.
type checkRecord struct {
	At time.Time `json:"at"`
	// Intervals are the times between the last checks, the newest first.
	Intervals [2]time.Duration `json:"pauses"`
	// OfflineFrom is when hosts may go offline again after missed checks.
	OfflineFrom time.Time `json:"judge_from,omitzero"`
}

// missedCheck reports whether so much time has passed since the last check that
// hosts may seem silent because no server accepted their reports: a check was
// missed, and half of OfflineAfter has passed. If the timer is slower than configured,
// the shorter of the last two intervals is the expected one, so that not every check
// counts as late.
func (r checkRecord) missedCheck(now time.Time, configured, offlineAfter time.Duration) bool {
	if r.At.IsZero() {
		return false
	}
	interval := now.Sub(r.At)
	expected := max(configured, min(r.Intervals[0], r.Intervals[1]))
	return interval > expected*3/2 && interval > offlineAfter/2
}

// next returns the record of a check at now.
func (r checkRecord) next(now time.Time, missed bool, offlineAfter time.Duration) checkRecord {
	if r.At.IsZero() {
		return checkRecord{At: now}
	}
	interval := now.Sub(r.At)
	next := checkRecord{At: now, Intervals: [2]time.Duration{interval, r.Intervals[0]}, OfflineFrom: r.OfflineFrom}
	if missed {
		next.OfflineFrom = now.Add(max(offlineAfter, min(interval/2, maxRecovery)))
	}
	return next
}

// recordCheck stores that there is a check now, and reports whether hosts may go
// offline: not for a while after missed checks, because their reports may not have
// been accepted.
func (w *Watcher) recordCheck(ctx context.Context, now time.Time) (mayGoOffline bool, err error) {
	items, err := w.Store.Get(ctx, keyspace.HostCheck)
	if err != nil {
		return false, fmt.Errorf("read the last check: %w", err)
	}
	var last checkRecord
	if _, err := store.Decode(items[0], &last); err != nil {
		w.Log.Error("last check cannot be read and is replaced", "err", err)
	}
	if last.At.Sub(now) > maxClockSkew {
		w.Log.Error("a clock was ahead: of this machine earlier, or of another instance now; hosts that it keeps online are checked again", "ahead", last.At.Sub(now))
		if err := w.correctHeartbeats(ctx, now); err != nil {
			return false, err
		}
		last = checkRecord{}
	}
	missed := last.missedCheck(now, w.Inventory.checkInterval, w.Inventory.offlineAfter)
	if missed {
		reported, err := w.anyReportedThrough(ctx, last.At, now)
		if err != nil {
			return false, err
		}
		missed = !reported
	}
	next := last.next(now, missed, w.Inventory.offlineAfter)
	if missed {
		w.Log.Warn("checks were missed and hosts get time to report again", "last_check", last.At, "offline_from", next.OfflineFrom)
	}
	c, err := store.Encode(keyspace.HostCheck, next)
	if err != nil {
		return false, err
	}
	c.If = store.Unchanged(items[0])
	if err := w.Store.Commit(ctx, now, c); err != nil && !errors.Is(err, store.ErrConflict) {
		return false, fmt.Errorf("record the check: %w", err)
	}
	return !now.Before(next.OfflineFrom), nil
}

// correctHeartbeats corrects heartbeats from a clock that was ahead: the hosts count
// as offline if they do not report within OfflineAfter.
func (w *Watcher) correctHeartbeats(ctx context.Context, now time.Time) error {
	latest := now.Add(w.Inventory.offlineAfter + maxClockSkew)
	return forEach(ctx, w.Store, keyspace.Host, func(it store.Item) error {
		var b heartbeat
		if _, err := store.Decode(it, &b); err != nil || !it.Due.After(latest) && !b.At.After(now) {
			return nil
		}
		c, err := store.Encode(it.Key, b.notAfter(now))
		if err != nil {
			return err
		}
		c.If = store.Unchanged(it)
		if !it.Due.IsZero() {
			c.Due = now.Add(w.Inventory.offlineAfter)
		}
		if err := w.Store.Commit(ctx, now, c); err != nil && !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("correct the heartbeats of hosts: %w", err)
		}
		return nil
	})
}

// anyReportedThrough reports whether one of the hosts that are due next has reported
// without interruption between two times. If so, reports were accepted all the time,
// and a host that is silent did not send any.
func (w *Watcher) anyReportedThrough(ctx context.Context, from, to time.Time) (bool, error) {
	items, err := w.Store.Due(ctx, hostQueue, to.Add(w.Inventory.offlineAfter), batchSize)
	if err != nil {
		return false, fmt.Errorf("read the hosts that are due: %w", err)
	}
	for _, it := range items {
		var b heartbeat
		if _, err := store.Decode(it, &b); err == nil && !b.Up.After(from) && b.Live.After(from) && isRecent(to, b.Live, w.Inventory.offlineAfter) {
			return true, nil
		}
	}
	return false, nil
}

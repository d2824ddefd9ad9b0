package dispatch

import (
	"context"
	"log/slog"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

const (
	// maxClockSkew is how far the clocks of instances may differ. A stored time that is
	// further in the future was written by a clock that was ahead.
	maxClockSkew = time.Minute
	// intakeStep is the least time between two records of the intake.
	intakeStep = 10 * time.Second
	// minTimerOutage is the least length of an outage between two runs of a timer.
	minTimerOutage = 2 * time.Minute
	// maxOutages and outageRetention bound the outages that are remembered.
	maxOutages      = 50
	outageRetention = 30 * 24 * time.Hour
)

// intake is the stored record of when alerts could be received: a process was there to
// receive them, and the store took a commit.
type intake struct {
	// At is the last time at which they could.
	At time.Time `json:"at"`
	// Every is how often the process that wrote the record writes it; zero for timers
	// of a platform, whose interval is not known.
	Every time.Duration `json:"every,omitempty"`
	// Intervals are the times between the last records, the newest first.
	Intervals [2]time.Duration `json:"intervals"`
	// Outages are the times in which no alert could be received, oldest first.
	Outages []outage `json:"outages,omitempty"`
	// Corrected is when a clock was last found to have been ahead.
	Corrected time.Time `json:"corrected,omitzero"`
}

type outage struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// maxGap returns the longest time between two records that is not an outage: three
// intervals of a process, or two of a timer.
func (in intake) maxGap() time.Duration {
	if in.Every > 0 {
		return 3 * in.Every
	}
	return max(minTimerOutage, 2*in.Intervals[0], 2*in.Intervals[1])
}

// staleAt reports whether a tick at now is to be recorded: it is not if a process
// records more often.
func (in intake) staleAt(now time.Time) bool {
	since := now.Sub(in.At)
	return since < -maxClockSkew || since >= max(intakeStep, 3*in.Every)
}

// clockWasAhead reports whether the record was written by a clock that was ahead.
func (in intake) clockWasAhead(now time.Time) bool { return in.At.Sub(now) > maxClockSkew }

// outages returns the outages before now, and the one that ends now if the time since the
// last record is longer than maxGap.
func (in intake) outages(now time.Time, maxGap time.Duration) []outage {
	var all []outage
	for _, o := range in.Outages {
		if o.To.Sub(now) <= maxClockSkew { // otherwise a clock was ahead
			all = append(all, o)
		}
	}
	if in.At.IsZero() || now.Sub(in.At) <= maxGap {
		return all
	}
	if n := len(all); n > 0 && all[n-1].To.Equal(in.At) {
		all[n-1].To = now // the process ended before its second record
		return all
	}
	return append(all, outage{in.At, now})
}

// next returns the record after alerts could be received at now. every is its Every.
func (in intake) next(now time.Time, every, maxGap time.Duration) intake {
	next := intake{At: now, Every: every, Outages: in.outages(now, maxGap), Corrected: in.Corrected}
	if in.clockWasAhead(now) {
		next.Corrected = now
	} else if !in.At.IsZero() {
		next.Intervals = [2]time.Duration{now.Sub(in.At), in.Intervals[0]}
	}
	for len(next.Outages) > maxOutages || len(next.Outages) > 0 && now.Sub(next.Outages[0].To) > outageRetention {
		next.Outages = next.Outages[1:]
	}
	return next
}

// leases computes the ends of alerts at one time.
type leases struct {
	now       time.Time
	outages   []outage
	corrected time.Time
}

func (in intake) leases(now time.Time) leases {
	return leases{now, in.outages(now, in.maxGap()), in.Corrected}
}

// extend returns when an alert ends that was received at a time with an end, and
// since when this end holds. An end that was in the future then is a lease, which its
// source renews: it is later by the outages since. An end that the source reported
// stays. A time of receipt in the future is that of a clock that was ahead: the lease
// counts from the time at which this was found.
func (l leases) extend(received, end time.Time) (since, extended time.Time) {
	if !end.After(received) { // or zero
		return received, end
	}
	if received.Sub(l.now) > maxClockSkew {
		found := l.corrected
		if found.IsZero() || found.After(l.now) {
			found = l.now
		}
		received, end = found, found.Add(end.Sub(received))
	}
	for _, o := range l.outages {
		from := o.From
		if received.After(from) {
			from = received
		}
		if end.After(from) && o.To.After(from) {
			received, end = o.To, end.Add(o.To.Sub(from))
		}
	}
	return received, end
}

// end is extend without the time since which the end holds.
func (l leases) end(received, end time.Time) time.Time {
	_, end = l.extend(received, end)
	return end
}

// apply returns the alert with its extended end. So that a stored alert is not
// extended twice by an outage, the end of the outage counts as its last update.
func (l leases) apply(a *alert.Alert) *alert.Alert {
	since, end := l.extend(a.UpdatedAt, a.EndsAt)
	if end.Equal(a.EndsAt) && since.Equal(a.UpdatedAt) {
		return a
	}
	c := *a
	c.UpdatedAt, c.EndsAt = since, end
	if c.StartsAt.After(l.now) && since.Before(a.UpdatedAt) {
		c.StartsAt = since
	}
	return &c
}

// intakeRecorder reads and writes the record of the intake.
type intakeRecorder struct {
	store store.Store
	log   *slog.Logger
	// correctDue makes due what a clock that was ahead has put off.
	correctDue func(ctx context.Context, now, ahead time.Time) error
}

// leasesAt reads the outages before now.
func (r *intakeRecorder) leasesAt(ctx context.Context, now time.Time) (leases, error) {
	items, err := r.store.Get(ctx, keyspace.Intake)
	if err != nil {
		return leases{}, err
	}
	return r.decode(items[0]).leases(now), nil
}

func (r *intakeRecorder) decode(it store.Item) (in intake) {
	if _, err := store.Decode(it, &in); err != nil {
		r.log.Error("cannot read when alerts could last be received; leases of alerts are not extended by earlier outages", "key", it.Key, "err", err)
		return intake{}
	}
	return in
}

func (r *intakeRecorder) record(ctx context.Context, now time.Time, every time.Duration, started bool, with []store.Change) error {
	return store.RetryOnConflict(ctx, func() error {
		items, err := r.store.Get(ctx, keyspace.Intake)
		if err != nil {
			return err
		}
		change, err := r.change(ctx, now, every, started, items[0])
		if err != nil {
			return err
		}
		return r.store.Commit(ctx, now, append(change, with...)...)
	})
}

// change returns the change that records the intake, whose stored record is it.
// started is for a process that has just started and alone has the store open.
func (r *intakeRecorder) change(ctx context.Context, now time.Time, every time.Duration, started bool, it store.Item) ([]store.Change, error) {
	last := r.decode(it)
	if last.clockWasAhead(now) {
		r.log.Error("a clock was ahead: of this machine earlier, or of another instance now; what it made due too late is due now",
			"ahead", last.At.Sub(now).Round(time.Second))
		if err := r.correctDue(ctx, now, last.At); err != nil {
			return nil, err
		}
	}
	maxGap, level := last.maxGap(), slog.LevelWarn
	if started {
		maxGap, level = 0, slog.LevelInfo
	}
	next := last.next(now, every, maxGap)
	if n := len(next.Outages); n > 0 && next.Outages[n-1].To.Equal(now) {
		r.log.Log(ctx, level, "no alert could be received for a while; the leases of alerts are extended by this time",
			"from", next.Outages[n-1].From, "to", now)
	}
	c, err := store.Encode(it.Key, next)
	c.If = store.Unchanged(it)
	return []store.Change{c}, err
}

// RecordIntake records that alerts can be received at now, by a process that records
// it every so often, and commits other changes with it. The leases of alerts are
// extended by the times in which nobody could record it.
//
// It also finds that a clock was ahead, and makes due what would be due only when that
// clock's time is reached.
func (e *Engine) RecordIntake(ctx context.Context, now time.Time, every time.Duration, with ...store.Change) error {
	return e.intake.record(ctx, now, every, false, with)
}

// RecordStart is RecordIntake at the start of a process that alone has the store open:
// alerts could not be received since the last record, however short that is ago.
func (e *Engine) RecordStart(ctx context.Context, now time.Time, every time.Duration, with ...store.Change) error {
	return e.intake.record(ctx, now, every, true, with)
}

// correctDue makes the groups and the pending notifications due now that are due at
// the time of a clock that was ahead, or later than any timer allows.
func (e *Engine) correctDue(ctx context.Context, now, ahead time.Time) error {
	latest := now
	for r := range e.root.All() {
		for _, wait := range []time.Duration{r.GroupWait, r.GroupInterval} {
			if t := now.Add(wait + maxClockSkew); t.After(latest) {
				latest = t
			}
		}
	}
	if t := ahead.Add(-maxClockSkew); t.Before(latest) {
		latest = t
	}
	for page, err := range store.Pages(ctx, e.store, keyspace.Group, restartBatch) {
		if err == nil {
			err = e.restartGroups(ctx, now, page, func(it store.Item, _ header) bool { return it.Due.After(latest) })
		}
		if err != nil {
			return err
		}
	}
	return e.outbox.CorrectDue(ctx, now, ahead.Add(-maxClockSkew))
}

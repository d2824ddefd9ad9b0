package outbox

import (
	"context"
	"time"

	"tocsin/pkg/store"
)

// giveUpAfter is how long a notification is retried if its receiver has no fallback.
const giveUpAfter = 24 * time.Hour

// delivery is a batch while its worker sends it.
type delivery struct {
	*Workers
	name  string // of the integration, with its receiver
	in    Integration
	queue []*Entry         // leased, and not attempted yet
	back  []store.Change   // that give entries back
	renew <-chan time.Time // receives when leases must be renewed
}

// deliver attempts the entries of a batch one after another, until the budget is
// spent, the channel must not be tried again, or the store fails: while results cannot
// be recorded, nothing more is sent. Entries that were not attempted are given back.
func (w *Workers) deliver(b *batch) error {
	renew := time.NewTicker(renewInterval)
	defer renew.Stop()
	d := &delivery{Workers: w, name: b.name, queue: b.entries, renew: renew.C}
	err := d.run(b.size)
	d.giveBack(d.queue, w.now(), 0)
	if err == nil && !w.budget.Spent() {
		return store.CommitEach(w.ctx, w.outbox.store, w.now(), d.back)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unsent = append(w.unsent, d.back...)
	return err
}

// run attempts up to size entries of the queue.
func (d *delivery) run(size int) (err error) {
	o := d.outbox
	var configured bool
	d.in, configured = o.integration(d.queue[0])
	if configured {
		// These leave the queue for their next flush if there is nothing to notify now.
		current, err := o.updateRefused(d.ctx, d.now(), d.in, d.queue)
		if err != nil {
			return err
		}
		d.queue = current
	}
	if configured && len(d.in.Kind.Quotas) > 0 {
		merged, err := o.mergeOverQuota(d.ctx, d.now(), d.in, d.queue)
		if err != nil {
			return err
		}
		d.queue = merged
	}
	if len(d.queue) > size {
		d.giveBack(d.queue[size:], d.now(), 0)
		d.queue = d.queue[:size]
	}
	for len(d.queue) > 0 && !d.budget.Spent() {
		if until, waits := o.integrations.waitUntil(d.name, d.now()); waits {
			// The channel has just rejected another message and would reject these.
			d.giveBack(d.queue, until, time.Millisecond)
			d.queue = nil
			return nil
		}
		e := d.queue[0]
		d.queue = d.queue[1:]
		if until, locked := d.in.lockedOut(e, o.integrations.lockedOut(d.name, d.now())); locked {
			d.giveBack([]*Entry{e}, until, 0)
		} else if err := d.deliverEntry(e); err != nil {
			return err
		}
	}
	return nil
}

// giveBack gives entries back that were not attempted, due at a time and each by step
// later than the one before it.
func (d *delivery) giveBack(entries []*Entry, due time.Time, step time.Duration) {
	for i, e := range entries {
		c, err := e.unlease(due.Add(time.Duration(i+1) * step))
		if err != nil {
			d.outbox.log.Error("cannot give back a notification; it is retried when its lease expires", "id", e.ID, "err", err)
			continue
		}
		d.back = append(d.back, c)
	}
}

// deliverEntry attempts an entry and records the result. An error is the store's.
func (d *delivery) deliverEntry(e *Entry) error {
	o := d.outbox
	if d.in.Kind.AtMostOnce && !e.Attempting {
		if held, err := o.markAttempt(d.ctx, d.now(), e); err != nil || !held {
			return err
		}
	}
	if e.lost() {
		o.logLost(e)
		return nil
	}
	began := time.Now()
	ctx, cancel := d.budget.attemptContext()
	defer cancel()
	ended := make(chan attemptResult, 1)
	go func() { ended <- o.attempt(ctx, d.now(), e) }()
	a := d.await(e, ended, cancel)
	d.count(a.sent)
	if err := o.recordResult(d.ctx, d.now(), e, a); err != nil {
		return err
	}
	o.integrations.record(d.name, d.now(), time.Since(began), a)
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := d.optional[d.name]
	for _, m := range a.optional {
		waiting = append(waiting, optionalMessage{d.in.Kind, e, m})
	}
	d.optional[d.name] = waiting[max(len(waiting)-maxOptional, 0):]
	return nil
}

// await waits for the end of an attempt. While that takes long, it renews the lease,
// and gives back the entries that wait, so that they are coalesced with newer ones. It
// cancels the attempt before the lease expires.
func (d *delivery) await(e *Entry, ended <-chan attemptResult, cancel func()) attemptResult {
	expiry := time.AfterFunc(time.Until(e.heldUntil), cancel)
	defer expiry.Stop()
	for {
		select {
		case a := <-ended:
			return a
		case <-d.renew:
		}
		d.giveBack(d.queue, d.now(), 0)
		d.queue = nil
		err := store.CommitEach(d.ctx, d.outbox.store, d.now(), d.back)
		held := false
		if err == nil {
			d.back = nil
			held, err = d.outbox.renew(d.ctx, d.now(), e)
		}
		switch {
		case err != nil:
			d.outbox.log.Warn("cannot renew the lease of a notification", "id", e.ID, "receiver", e.Receiver, "err", err)
		case held:
			expiry.Reset(time.Until(e.heldUntil))
		default:
			cancel()
		}
	}
}

// lockedOut returns until when a target of e is locked out, if one is.
func (in Integration) lockedOut(e *Entry, lockedOut map[string]time.Time) (until time.Time, locked bool) {
	if len(lockedOut) == 0 {
		return until, false
	}
	messages, _, err := in.messages(&e.Notification)
	if err != nil {
		return until, false // its attempt fails
	}
	for _, m := range messages {
		if t, found := lockedOut[m.Target]; found && t.After(until) {
			until, locked = t, true
		}
	}
	return until, locked
}

// recordResult commits the result of an attempt: the entry is deleted, requeued, or
// handed to the fallback.
func (o *Outbox) recordResult(ctx context.Context, now time.Time, e *Entry, a attemptResult) (err error) {
	e.Accepted = e.Accepted || a.sent > 0
	for unit, err := range a.failed {
		e.Accepted = e.Accepted || err.Ambiguous
		if e.Failed == nil {
			e.Failed = map[string]string{}
		}
		e.Failed[unit] = err.Error()
		// Accepted units are left out of later messages; so is one that failed.
		if unit != "" {
			e.AcceptedUnits = append(e.AcceptedUnits, unit)
		}
		e.LastError, e.FailureReason = err.Error(), failureReason(err)
	}
	if a.retry != nil {
		e.LastError, e.FailureReason = a.retry.Error(), failureReason(a.retry)
		if end := e.Since.Add(o.retryFor(e.Receiver)); now.Before(end) {
			due := now.Add(a.wait)
			if end.Before(due) {
				due = end
			}
			if !a.overQuota {
				o.countFailing(e, now, due)
			}
			return o.requeue(ctx, now, e, due)
		}
	}
	var changes []store.Change
	if e.Accepted {
		deleted, origins, err := o.deleteOrigins(ctx, e)
		if err != nil {
			return err
		}
		for _, origin := range origins {
			if err := o.reportAccepted(ctx, now, origin); err != nil {
				return err
			}
		}
		changes = deleted
	}
	rest := e.muted
	if a.retry != nil || len(e.Failed) > 0 {
		again := o.attemptedAgain(now, e)
		handed, err := o.handToFallback(ctx, now, e, again)
		if err != nil {
			return err
		}
		changes = append(changes, handed...)
		if again && len(e.muted) > 0 {
			// A fallback that accepts the others deletes e.
			c, err := e.mutedPart(now).atNextFlush(now, e.muted)
			if err != nil {
				return err
			}
			changes = append(changes, c)
		}
		if again {
			rest = e.Alerts
		}
		o.metrics.Failed(e.Kind, e.FailureReason)
	} else if err := o.reportAccepted(ctx, now, e); err != nil {
		return err
	} else if e.Group != "" {
		rest = resolvedAt(now, e.muted)
	}
	c, err := e.atNextFlush(now, rest)
	if err != nil {
		return err
	}
	return o.commitResult(ctx, now, e, append(changes, c)...)
}

// failingInterval is how often a notification that is retried counts as failed:
// Alertmanager gives one up at the next flush, after group_interval, which is 5m by
// default, and attempts another.
const failingInterval = 5 * time.Minute

// countFailing counts a notification that failed at now and is attempted again at due as
// failed, and the next attempts as another one, if a failingInterval ends in between.
func (o *Outbox) countFailing(e *Entry, now, due time.Time) {
	if due.Sub(e.Since)/failingInterval > now.Sub(e.Since)/failingInterval {
		o.metrics.Failed(e.Kind, e.FailureReason)
		o.metrics.Attempted(e.Kind)
	}
}

// retryFor returns how long a notification to the receiver is retried.
func (o *Outbox) retryFor(receiver string) time.Duration {
	if r := o.receivers[receiver]; r != nil && r.Fallback != "" {
		return r.FallbackAfter
	}
	return giveUpAfter
}

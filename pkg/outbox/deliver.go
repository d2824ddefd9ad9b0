package outbox

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/store"
)

const (
	// maxConcurrentIntegrations is how many integrations are sent to at a time.
	maxConcurrentIntegrations = 8
	// giveUpAfter is how long a notification is retried if its receiver has no
	// fallback.
	giveUpAfter = 24 * time.Hour
)

// Delivered is the result of delivering entries.
type Delivered struct {
	// Sent counts the messages that channels accepted.
	Sent int

	optional []optionalMessage // messages that may follow
}

// Add adds the result of another delivery.
func (d *Delivered) Add(more Delivered) {
	d.Sent += more.Sent
	d.optional = append(d.optional, more.optional...)
}

// DeliverDue delivers the entries that are due at now, until there are none or the
// budget is spent. An error is the store's; failures of channels are recorded.
func (o *Outbox) DeliverDue(ctx context.Context, b Budget, now time.Time) (done Delivered, err error) {
	for !b.Spent() {
		leased, err := o.leaseDue(ctx, now)
		if err != nil || len(leased) == 0 {
			return done, err
		}
		more, err := o.Deliver(ctx, b, now, leased)
		done.Add(more)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// Deliver attempts entries that this instance has leased: those of one integration
// one after another in their order, different integrations concurrently. Entries for
// which the budget does not suffice are given back, due now. An error is the store's;
// failures of channels are recorded. When a result cannot be recorded, nothing more is
// sent, since it would be sent again later.
func (o *Outbox) Deliver(ctx context.Context, b Budget, now time.Time, leased []*Entry) (Delivered, error) {
	if len(leased) == 0 {
		return Delivered{}, nil
	}
	if err := o.refreshVersions(ctx, leased); err != nil {
		return Delivered{}, err
	}
	var (
		workers errgroup.Group
		mu      sync.Mutex
		done    Delivered
		stop    atomic.Bool
	)
	workers.SetLimit(maxConcurrentIntegrations)
	for _, queue := range byIntegration(leased) {
		workers.Go(func() error {
			more, err := o.deliverQueue(ctx, b, now, queue, &stop)
			mu.Lock()
			defer mu.Unlock()
			done.Add(more)
			return err
		})
	}
	err := workers.Wait()
	return done, err
}

// integrationQueue is the leased entries of one integration.
type integrationQueue []*Entry

// byIntegration splits entries into queues, in the order in which each integration
// comes first.
func byIntegration(leased []*Entry) []integrationQueue {
	position := map[string]int{}
	var queues []integrationQueue
	for _, e := range leased {
		name := e.Receiver + "/" + integrationName(e.Kind, e.Index)
		i, ok := position[name]
		if !ok {
			i = len(queues)
			position[name] = i
			queues = append(queues, nil)
		}
		queues[i] = append(queues[i], e)
	}
	return queues
}

// deliverQueue attempts the entries of an integration. After an error of the store it
// sets stop, and when that is set it gives back the entries that are left.
func (o *Outbox) deliverQueue(ctx context.Context, b Budget, now time.Time, queue integrationQueue, stop *atomic.Bool) (done Delivered, err error) {
	defer func() {
		if err != nil {
			stop.Store(true)
		}
	}()
	in, configured := o.integration(queue[0])
	if configured {
		if queue, err = o.updateRefused(ctx, now, in, queue); err != nil {
			return done, err
		}
	}
	if configured && len(in.Kind.Quotas) > 0 {
		if queue, err = o.mergeOverQuota(ctx, now, in, queue); err != nil {
			return done, err
		}
	}
	var wait time.Duration                  // until the channel may be tried again
	lockedOut := map[string]time.Duration{} // until a target may be
	for i, e := range queue {
		if stop.Load() {
			return done, o.giveBack(ctx, now, queue[i:])
		}
		until := max(wait, in.lockedOut(e, lockedOut))
		switch {
		case b.Spent():
			err = o.unlease(ctx, now, e, now)
		case until > 0:
			// The channel has just rejected another message and would reject this one.
			err = o.unlease(ctx, now, e, now.Add(until))
		default:
			if in.Kind.AtMostOnce {
				held, err := o.holdsLease(ctx, e)
				if err != nil {
					return done, err
				}
				if !held {
					continue
				}
			}
			a := o.attempt(b.send, now, e)
			done.Sent += a.sent
			switch {
			case a.overQuota: // others may have another target
			case a.lockedOut != "":
				lockedOut[a.lockedOut] = a.wait
			default:
				wait = a.wait
			}
			for _, m := range a.optional {
				done.optional = append(done.optional, optionalMessage{in.Kind, e, m})
			}
			err = o.recordResult(ctx, now, e, a)
		}
		if err != nil {
			return done, errors.Join(err, o.giveBack(ctx, now, queue[i+1:]))
		}
	}
	return done, nil
}

// lockedOut returns the longest time for which one of the targets of e is locked
// out.
func (in Integration) lockedOut(e *Entry, lockedOut map[string]time.Duration) (wait time.Duration) {
	if len(lockedOut) == 0 {
		return 0
	}
	messages, _, err := in.messages(&e.Notification)
	if err != nil {
		return 0 // its attempt fails
	}
	for _, m := range messages {
		wait = max(wait, lockedOut[m.Target])
	}
	return wait
}

// recordResult commits the result of an attempt: the entry is deleted, requeued, or
// handed to the fallback.
func (o *Outbox) recordResult(ctx context.Context, now time.Time, e *Entry, a attemptResult) error {
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
			e.Attempting = false
			return o.requeue(ctx, now, e, due)
		}
	}
	var changes []store.Change
	if e.Accepted {
		for _, key := range e.Origins {
			changes = append(changes, store.Change{Key: key, Delete: true})
		}
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

package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"tocsin/pkg/store"
)

const (
	// claimBatch is how many owed notifications are claimed at a time.
	claimBatch = maxLeased
	// lanes is how many integrations are served at the same time.
	maxConcurrentIntegrations = 8
	// attemptTime bounds one attempt at one notification.
	attemptTime = 45 * time.Second
)

// delivered is how many messages channels accepted, and what may be sent beside
// them.
type delivered struct {
	sent  int
	extra []optional
}

func (d *delivered) add(more delivered) {
	d.sent += more.sent
	d.extra = append(d.extra, more.extra...)
}

// deliverDue delivers what is owed and due at now, until nothing is or start is
// done.
func (e *Engine) deliverDue(ctx, start, send context.Context, now time.Time) (done delivered, err error) {
	for start.Err() == nil {
		batch, err := e.lease(ctx, now, claimBatch)
		if err != nil || len(batch) == 0 {
			return done, err
		}
		more, err := e.deliver(ctx, start, send, now, batch)
		done.add(more)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// deliver tries the claimed notifications: those of one integration one after
// the other, as they were scheduled, different integrations side by side.
func (e *Engine) deliver(ctx, start, send context.Context, now time.Time, batch []*leased) (done delivered, err error) {
	if err := e.refreshVersions(ctx, batch); err != nil {
		return done, err
	}
	byLane := map[string][]*leased{}
	for _, c := range batch {
		lane := c.Receiver + "/" + c.Kind + "/" + strconv.Itoa(c.Index)
		byLane[lane] = append(byLane[lane], c)
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
		free = make(chan struct{}, maxConcurrentIntegrations)
	)
	for _, lane := range slices.Sorted(maps.Keys(byLane)) {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			more, err := e.deliverQueue(ctx, start, send, now, byLane[lane])
			mu.Lock()
			defer mu.Unlock()
			done.add(more)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return done, errors.Join(errs...)
}

func (e *Engine) deliverQueue(ctx, start, send context.Context, now time.Time, lane []*leased) (done delivered, err error) {
	in, known := e.integration(lane[0])
	if known && len(in.Kind.Quotas) > 0 {
		if lane, err = e.mergeOverQuota(ctx, now, in, lane); err != nil {
			return done, err
		}
	}
	var errs []error
	var wait time.Duration             // until the channel may be tried again
	shut := map[string]time.Duration{} // until a target may be
	for _, c := range lane {
		until := max(wait, in.longest(c, shut))
		switch {
		case start.Err() != nil:
			errs = append(errs, e.unlease(ctx, now, c, now))
		case until > 0:
			// What was refused a moment ago for one message would be for the next.
			errs = append(errs, e.unlease(ctx, now, c, now.Add(until)))
		default:
			res := e.attempt(send, now, c)
			done.sent += res.sent
			switch { // a lane may have several targets
			case res.overQuota:
			case res.lockedOut != "":
				shut[res.lockedOut] = res.wait
			default:
				wait = res.wait
			}
			for _, m := range res.extra {
				done.extra = append(done.extra, optional{in, c, m})
			}
			errs = append(errs, e.recordResult(ctx, now, c, res))
		}
	}
	return done, errors.Join(errs...)
}

// longest is how long one of the targets of c is shut.
func (in Integration) longest(c *leased, shut map[string]time.Duration) (wait time.Duration) {
	if len(shut) == 0 {
		return 0
	}
	messages, _, err := in.messages(&c.Notification)
	if err != nil {
		return 0 // its attempt will tell
	}
	for _, m := range messages {
		wait = max(wait, shut[m.Target])
	}
	return wait
}

// release gives a claim back untried.
func (e *Engine) unlease(ctx context.Context, now time.Time, c *leased, due time.Time) error {
	c.Attempts--
	return e.requeue(ctx, now, c, due)
}

// keep writes an entry that is still owed.
func (e *Engine) requeue(ctx context.Context, now time.Time, c *leased, due time.Time) error {
	c.Attempting = false
	change, err := put(c.item.Key, c.outboxEntry)
	if err != nil {
		return err
	}
	change.Due, change.If = due, store.Unchanged(c.item)
	return e.commitResult(ctx, now, c, change)
}

// write commits what became of a claim. If the lease ran out and another
// instance took over, that one's word counts.
func (e *Engine) commitResult(ctx context.Context, now time.Time, c *leased, changes ...store.Change) error {
	err := e.store.Commit(ctx, now, changes...)
	if errors.Is(err, store.ErrConflict) {
		e.log.Warn("lease ran out during delivery; another instance may say it again", "id", c.ID, "receiver", c.Receiver)
		return nil
	}
	return err
}

// settle writes down what came of an attempt: the entry is done, still owed, or
// handed over to the fallback receiver or the dead letters.
func (e *Engine) recordResult(ctx context.Context, now time.Time, c *leased, res result) error {
	r := e.receivers[c.Receiver]
	for unit, err := range res.failed {
		if c.Failed == nil {
			c.Failed = map[string]string{}
		}
		c.Failed[unit] = err.Error()
		// A failed unit is not tried again; Done leaves it out of later messages.
		if unit != "" {
			c.AcceptedUnits = append(c.AcceptedUnits, unit)
		}
		c.LastError, c.Fault = err.Error(), failureReason(err)
	}
	if res.retry != nil {
		c.LastError, c.Fault = res.retry.Error(), failureReason(res.retry)
		patience := giveUpAfter
		if r != nil && r.Fallback != "" {
			patience = r.FallbackAfter
		}
		if end := c.Since.Add(patience); now.Before(end) {
			due := now.Add(res.wait)
			if end.Before(due) {
				due = end
			}
			return e.requeue(ctx, now, c, due)
		}
	}
	gone := store.Change{Key: c.item.Key, Delete: true, If: store.Unchanged(c.item)}
	if res.retry == nil && len(c.Failed) == 0 {
		return e.commitResult(ctx, now, c, gone)
	}
	handed, err := e.handToFallback(now, c, r)
	if err != nil {
		return err
	}
	e.metrics.Failed(c.Kind, c.Fault)
	return e.commitResult(ctx, now, c, append(handed, gone)...)
}

// handOver returns the changes that owe what c could not say to the fallback
// receiver, marked as such. A notification that is already a stand-in, or has
// none, becomes a dead letter.
func (e *Engine) handToFallback(now time.Time, c *leased, r *Receiver) ([]store.Change, error) {
	to := e.route.Receiver // of a receiver that is gone
	if r != nil {
		to = r.Fallback
	}
	var changes []store.Change
	if to != "" && to != c.Receiver && c.FallbackFor == "" {
		for _, in := range e.receivers[to].Integrations {
			n := c.Notification
			n.FallbackFor, n.Cause, n.Receiver = c.Receiver, c.LastError, to
			n.AcceptedUnits, n.HalfSize = nil, false
			n.ID = digest(c.ID, to, in.name())
			if !in.SendResolved {
				if n.Alerts = n.Firing(); len(n.Alerts) == 0 {
					continue
				}
			}
			for _, entry := range newEntries(n, in, now) {
				owed, err := entry.enqueue(now)
				if err != nil {
					return nil, err
				}
				changes = append(changes, owed)
			}
		}
	}
	if len(changes) > 0 {
		e.log.Warn("handed over to the fallback receiver", "receiver", c.Receiver, "fallback", to, "id", c.ID, "cause", c.LastError)
		return changes, nil
	}
	dead, err := put(kindDead+"/"+c.ID, c.outboxEntry)
	if err != nil {
		return nil, err
	}
	dead.Expires = now.Add(deadRetention)
	e.log.Error("could not be delivered to anyone; kept as a dead letter", "receiver", c.Receiver, "channel", c.Kind,
		"id", c.ID, "group", c.GroupKey, "alerts", len(c.Alerts), "cause", c.LastError)
	return []store.Change{dead}, nil
}

package dispatch

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/store"
)

const (
	// claimBatch is how many owed notifications are claimed at a time.
	claimBatch = heldLimit
	// lanes is how many integrations are served at the same time.
	lanes = 8
	// attemptTime bounds one attempt at one notification.
	attemptTime = 45 * time.Second
)

// deliverDue delivers what is owed and due at now, until nothing is or start is
// done. It returns how many messages channels accepted.
func (e *Engine) deliverDue(ctx, start, send context.Context, now time.Time) (sent int, err error) {
	for start.Err() == nil {
		batch, err := e.claim(ctx, now, claimBatch)
		if err != nil || len(batch) == 0 {
			return sent, err
		}
		n, err := e.deliver(ctx, start, send, now, batch)
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// deliver tries the claimed notifications: those of one integration one after
// the other, as they were scheduled, different integrations side by side.
func (e *Engine) deliver(ctx, start, send context.Context, now time.Time, batch []*claimed) (int, error) {
	if err := e.reread(ctx, batch); err != nil {
		return 0, err
	}
	byLane := map[string][]*claimed{}
	for _, c := range batch {
		lane := c.Receiver + "/" + c.Kind + "/" + strconv.Itoa(c.Index)
		byLane[lane] = append(byLane[lane], c)
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		sent int
		errs []error
		free = make(chan struct{}, lanes)
	)
	for _, lane := range slices.Sorted(maps.Keys(byLane)) {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			n, err := e.deliverLane(ctx, start, send, now, byLane[lane])
			mu.Lock()
			defer mu.Unlock()
			sent += n
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return sent, errors.Join(errs...)
}

func (e *Engine) deliverLane(ctx, start, send context.Context, now time.Time, lane []*claimed) (sent int, err error) {
	in, known := e.integration(lane[0])
	if known && len(in.Kind.Quotas) > 0 {
		if lane, err = e.fit(ctx, now, in, lane); err != nil {
			return 0, err
		}
	}
	var errs []error
	var wait time.Duration // until the channel may be tried again
	for _, c := range lane {
		switch {
		case start.Err() != nil:
			errs = append(errs, e.release(ctx, now, c, now))
		case wait > 0:
			// What a channel refused a moment ago for one message it would for the next.
			errs = append(errs, e.release(ctx, now, c, now.Add(wait)))
		default:
			res := e.attempt(send, now, c)
			sent += res.sent
			wait = res.wait
			errs = append(errs, e.settle(ctx, now, c, res))
		}
	}
	return sent, errors.Join(errs...)
}

// fit merges what waits for an integration into a digest when its quota is too
// short for each.
func (e *Engine) fit(ctx context.Context, now time.Time, in Integration, lane []*claimed) ([]*claimed, error) {
	if len(lane) < 2 {
		return lane, nil
	}
	want, target := 0, ""
	for _, c := range lane {
		messages, err := in.Notifier.Messages(&c.Notification)
		if err != nil || len(messages) == 0 {
			continue // its attempt will tell
		}
		want, target = want+len(messages), messages[0].Target
	}
	items, err := e.store.Get(ctx, "pace/"+target)
	if err != nil {
		return nil, err
	}
	var sent pace
	if _, err := read(items[0], &sent); err != nil {
		return nil, err
	}
	if free, _ := sent.free(in.Kind.Quotas, now); want <= free {
		return lane, nil
	}
	return e.merge(ctx, now, in, lane)
}

// result is what came of one attempt.
type result struct {
	sent   int
	failed map[string]*notify.Error // units that will not be tried again
	retry  *notify.Error            // why the rest must be tried again, nil when there is no rest
	wait   time.Duration            // before the next attempt
}

// attempt sends what is left of a notification, and notes in it what was
// accepted.
func (e *Engine) attempt(ctx context.Context, now time.Time, c *claimed) result {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	res := result{failed: map[string]*notify.Error{}}
	in, ok := e.integration(c)
	if !ok {
		res.failed[""] = &notify.Error{Class: notify.Permanent, Message: "the receiver is no longer in the configuration"}
		return res
	}
	messages, err := in.Notifier.Messages(&c.Notification)
	if err != nil {
		res.failed[""] = notify.AsError(err)
		return res
	}
	granted, next := len(messages), time.Time{}
	if len(messages) > 0 {
		if granted, next, err = e.reserve(ctx, now, messages[0].Target, in.Kind.Quotas, len(messages)); err != nil {
			res.retry = &notify.Error{Class: notify.Retry, Message: "cannot tell what the channel's quota allows", Err: err}
			return res
		}
	}
	crashed := c.Attempting && in.Kind.AtMostOnce
	for i, m := range messages {
		if i == granted {
			res.retry = &notify.Error{Class: notify.Rate, Message: "the channel's quota is used up for now", RetryAfter: max(next.Sub(now), time.Second)}
			res.wait = res.retry.RetryAfter
			break
		}
		var outcomes []notify.Outcome
		if crashed {
			outcomes = notify.Outcomes(m.Units, &notify.Error{Class: notify.Permanent, Ambiguous: true,
				Message: "an earlier attempt was cut off, and it is not known whether it was sent"})
		} else {
			outcomes = m.Send(ctx)
		}
		accepted := 0
		for _, o := range outcomes {
			if o.Err == nil {
				accepted++
				c.Done = append(c.Done, o.Unit)
				continue
			}
			err := notify.AsError(o.Err)
			e.log.Warn("not delivered", "receiver", c.Receiver, "channel", c.Kind, "target", m.Target,
				"class", err.Class.String(), "attempt", c.Attempts, "err", err)
			switch {
			case in.Kind.AtMostOnce && err.Ambiguous, err.Class == notify.Permanent, err.Class == notify.TooLong && c.Shrink:
				res.failed[o.Unit] = err
			default:
				res.retry = err
				res.wait = max(res.wait, err.RetryAfter)
			}
		}
		if accepted > 0 {
			res.sent++
			e.log.Info("delivered", "receiver", c.Receiver, "channel", c.Kind, "target", m.Target, "group", c.GroupKey,
				"reason", c.Reason, "alerts", len(c.Alerts), "units", accepted, "attempt", c.Attempts)
		} else {
			// Later parts would only be refused the same way, or arrive without the earlier.
			if res.retry == nil {
				res.failRest(messages, c.Done)
			}
			break
		}
	}
	if res.retry != nil {
		if res.retry.Class == notify.TooLong {
			// The parts will be others: what was accepted of the old ones is said again.
			c.Shrink, c.Done, res.wait = true, nil, 0
		} else if granted == len(messages) {
			res.wait = max(res.wait, backoff(c.ID, c.Attempts))
		}
	}
	return res
}

// failRest gives the units that were not tried the fate of the one that failed.
func (r *result) failRest(messages []notify.Message, done []string) {
	var cause *notify.Error
	for _, err := range r.failed {
		cause = err
	}
	for _, m := range messages {
		for _, u := range m.Units {
			if _, ok := r.failed[u]; !ok && !slices.Contains(done, u) {
				r.failed[u] = cause
			}
		}
	}
}

func (e *Engine) integration(c *claimed) (Integration, bool) {
	if r := e.receivers[c.Receiver]; r != nil {
		for _, in := range r.Integrations {
			if in.Kind.Name == c.Kind && in.Index == c.Index {
				return in, true
			}
		}
	}
	return Integration{}, false
}

const (
	backoffFirst = 500 * time.Millisecond
	backoffCap   = 5 * time.Minute
)

// backoff is how long to wait after the nth attempt: doubling from half a second
// to 5 min, and up to a fifth more so that what failed together does not come back
// together. The share depends on the notification alone.
func backoff(id string, attempts int) time.Duration {
	d := backoffFirst << min(max(attempts-1, 0), 10)
	d = min(d, backoffCap)
	h := fnv.New32a()
	fmt.Fprint(h, id, attempts)
	share := d / 5 * time.Duration(h.Sum32()%256) / 256
	return d + share
}

// release gives a claim back untried.
func (e *Engine) release(ctx context.Context, now time.Time, c *claimed, due time.Time) error {
	c.Attempts--
	return e.keep(ctx, now, c, due)
}

// keep writes an entry that is still owed.
func (e *Engine) keep(ctx context.Context, now time.Time, c *claimed, due time.Time) error {
	c.Attempting = false
	change, err := put(c.item.Key, c.entry)
	if err != nil {
		return err
	}
	change.Due, change.If = due, store.Unchanged(c.item)
	return e.write(ctx, now, c, change)
}

// write commits what became of a claim. If the lease ran out and another
// instance took over, that one's word counts.
func (e *Engine) write(ctx context.Context, now time.Time, c *claimed, changes ...store.Change) error {
	err := e.store.Commit(ctx, now, changes...)
	if errors.Is(err, store.ErrConflict) {
		e.log.Warn("lease ran out during delivery; another instance may say it again", "id", c.ID, "receiver", c.Receiver)
		return nil
	}
	return err
}

// settle writes down what came of an attempt: the entry is done, still owed, or
// handed over to the fallback receiver or the dead letters.
func (e *Engine) settle(ctx context.Context, now time.Time, c *claimed, res result) error {
	r := e.receivers[c.Receiver]
	for unit, err := range res.failed {
		if c.Failed == nil {
			c.Failed = map[string]string{}
		}
		c.Failed[unit] = err.Error()
		// A failed unit is not tried again; Done leaves it out of later messages.
		if unit != "" {
			c.Done = append(c.Done, unit)
		}
		c.LastError = err.Error()
	}
	if res.retry != nil {
		c.LastError = res.retry.Error()
		patience := giveUpAfter
		if r != nil && r.Fallback != "" {
			patience = r.FallbackAfter
		}
		if end := c.Since.Add(patience); now.Before(end) {
			due := now.Add(res.wait)
			if end.Before(due) {
				due = end
			}
			return e.keep(ctx, now, c, due)
		}
	}
	gone := store.Change{Key: c.item.Key, Delete: true, If: store.Unchanged(c.item)}
	if res.retry == nil && len(c.Failed) == 0 {
		return e.write(ctx, now, c, gone)
	}
	handed, err := e.handOver(now, c, r)
	if err != nil {
		return err
	}
	return e.write(ctx, now, c, append(handed, gone)...)
}

// handOver returns the changes that owe what c could not say to the fallback
// receiver, marked as such. A notification that is already a stand-in, or has
// none, becomes a dead letter.
func (e *Engine) handOver(now time.Time, c *claimed, r *Receiver) ([]store.Change, error) {
	to := e.route.Receiver // of a receiver that is gone
	if r != nil {
		to = r.Fallback
	}
	var changes []store.Change
	if to != "" && to != c.Receiver && c.Instead == "" {
		for _, in := range e.receivers[to].Integrations {
			n := c.Notification
			n.Instead, n.Cause, n.Receiver = c.Receiver, c.LastError, to
			n.Done, n.Shrink = nil, false
			n.ID = digest(c.ID, to, in.name())
			if !in.SendResolved {
				if n.Alerts = n.Firing(); len(n.Alerts) == 0 {
					continue
				}
			}
			for _, entry := range newEntries(n, in, now) {
				owed, err := entry.owed(now)
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
	dead, err := put(kindDead+"/"+c.ID, c.entry)
	if err != nil {
		return nil, err
	}
	dead.Expires = now.Add(deadRetention)
	e.log.Error("could not be delivered to anyone; kept as a dead letter", "receiver", c.Receiver, "channel", c.Kind,
		"id", c.ID, "group", c.GroupKey, "alerts", len(c.Alerts), "cause", c.LastError)
	return []store.Change{dead}, nil
}

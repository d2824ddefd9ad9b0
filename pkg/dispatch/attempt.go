package dispatch

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/notify"
)

// result is what came of one attempt.
type result struct {
	sent      int
	failed    map[string]*notify.Error // units that will not be tried again
	retry     *notify.Error            // why the rest must be tried again, nil when there is no rest
	wait      time.Duration            // before the next attempt
	overQuota bool                     // the wait is for a quota, not for the channel
	lockedOut string                   // the target that the wait is for, when it takes no more for now
	extra     []notify.Message         // what may be sent beside, when all was accepted
}

// attempt sends what is left of a notification, and notes in it what was
// accepted.
func (e *Engine) attempt(ctx context.Context, now time.Time, c *leased) result {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	res := result{failed: map[string]*notify.Error{}}
	if c.Attempts == 1 {
		e.metrics.Attempted(c.Kind)
	}
	in, ok := e.integration(c)
	if !ok {
		res.failed[""] = &notify.Error{Class: notify.Permanent, Message: "the receiver is no longer in the configuration"}
		return res
	}
	messages, extra, err := in.messages(&c.Notification)
	if err != nil {
		res.failed[""] = notify.AsError(err)
		return res
	}
	if c.Attempting && in.Kind.AtMostOnce {
		res.fail(messages, &notify.Error{Class: notify.Permanent, Ambiguous: true,
			Message: "an earlier attempt was cut off, and it is not known whether it was sent"})
		return res
	}
	later, next, err := e.reserve(ctx, now, in.Kind, messages)
	if err != nil {
		res.retry = &notify.Error{Class: notify.Retry, Message: "cannot tell what the channel's quota allows", Err: err}
		res.wait = backoff(c.ID, c.Attempts)
		return res
	}
	if len(later) > 0 {
		within := c.Notification
		within.AcceptedUnits = slices.Concat(within.AcceptedUnits, later)
		if messages, _, err = in.messages(&within); err != nil {
			res.failed[""] = notify.AsError(err)
			return res
		}
	}
	for _, m := range messages {
		accepted := e.send(ctx, in, c, m, &res)
		if accepted > 0 {
			res.sent++
			e.log.Info("delivered", "receiver", c.Receiver, "channel", c.Kind, "target", m.Target, "group", c.GroupKey,
				"reason", c.Reason, "alerts", len(c.Alerts), "units", accepted, "attempt", c.Attempts)
			continue
		}
		if in.Kind.PerUnit {
			continue // the others are for other people
		}
		// Later parts would only be refused the same way, or arrive without the earlier.
		if res.retry == nil {
			res.failRest(messages, c.AcceptedUnits)
		}
		break
	}
	switch {
	case res.retry != nil && res.retry.Class == notify.TooLong:
		c.HalfSize, res.wait = true, 0
		if !in.Kind.PerUnit {
			c.AcceptedUnits = nil // the parts will be others: what was accepted of the old ones is said again
		}
	case res.retry != nil:
		res.wait = max(res.wait, backoff(c.ID, c.Attempts))
	case len(later) > 0:
		res.wait, res.overQuota = max(next.Sub(now), time.Second), true
		res.retry = &notify.Error{Class: notify.Rate, Message: "the channel's quota is used up for now", RetryAfter: res.wait}
	case res.sent > 0 && res.sent == len(messages) && len(res.failed)+len(c.Failed) == 0 && !c.Attempting:
		// After an attempt that was cut off it is not known what was sent beside.
		res.extra = extra
	}
	return res
}

// send sends one message and notes what came of it. It returns how many of its
// units were accepted.
func (e *Engine) send(ctx context.Context, in Integration, c *leased, m notify.Message, res *result) (accepted int) {
	answered := e.metrics.StartRequest(c.Kind)
	outcomes := m.Send(ctx)
	for _, o := range outcomes {
		if o.Err == nil {
			accepted++
			c.AcceptedUnits = append(c.AcceptedUnits, o.Unit)
			continue
		}
		err := notify.AsError(o.Err)
		e.log.Warn("not delivered", "receiver", c.Receiver, "channel", c.Kind, "target", m.Target,
			"class", err.Class.String(), "attempt", c.Attempts, "err", err)
		switch {
		case in.Kind.AtMostOnce && err.Ambiguous, err.Class == notify.Permanent, err.Class == notify.TooLong && c.HalfSize:
			res.failed[o.Unit] = err
		default:
			res.retry = err
			res.wait = max(res.wait, err.RetryAfter)
			if err.Class == notify.Rate {
				res.lockedOut = m.Target
			}
		}
	}
	answered(accepted == len(outcomes))
	return accepted
}

// fail gives all units of the messages the same fate.
func (r *result) fail(messages []notify.Message, err *notify.Error) {
	for _, m := range messages {
		for _, u := range m.Units {
			r.failed[u] = err
		}
	}
}

// fault is why a delivery failed in one of the few words of Alertmanager's
// metrics.
func failureReason(err *notify.Error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "contextDeadlineExceeded"
	case errors.Is(err, context.Canceled):
		return "contextCanceled"
	case err.Class == notify.Rate:
		return "rateLimited"
	case err.Code == "HTTP 401", err.Code == "HTTP 403":
		return "authError"
	case strings.HasPrefix(err.Code, "HTTP 5"):
		return "serverError"
	case err.Class == notify.Permanent, err.Class == notify.TooLong:
		return "clientError"
	default:
		return "other"
	}
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

func (e *Engine) integration(c *leased) (Integration, bool) {
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

package outbox

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

// attemptTimeout is the time limit of one attempt at one notification.
const attemptTimeout = 45 * time.Second

// attemptResult is the result of one attempt.
type attemptResult struct {
	sent      int                      // messages accepted
	failed    map[string]*notify.Error // units that will not be retried
	retry     *notify.Error            // why the rest must be retried, nil if there is no rest
	wait      time.Duration            // before the next attempt
	overQuota bool                     // the wait is for a quota, not for the channel
	lockedOut string                   // the target that the wait is for, if the channel locked it out
	optional  []notify.Message         // messages that may follow, if all were accepted
}

// attempt sends the units of a notification that have not been accepted yet, and
// records in e those that are now.
func (o *Outbox) attempt(ctx context.Context, now time.Time, e *Entry) attemptResult {
	res := attemptResult{failed: map[string]*notify.Error{}}
	if e.Attempts == 1 {
		o.metrics.Attempted(e.Kind)
	}
	in, ok := o.integration(e)
	if !ok {
		res.failed[""] = &notify.Error{Class: notify.Permanent, Message: "the receiver is no longer in the configuration"}
		return res
	}
	messages, optional, err := in.messages(&e.Notification)
	if err != nil {
		res.failed[""] = notify.AsError(err)
		return res
	}
	if e.Attempting && in.Kind.AtMostOnce {
		res.failAll(messages, &notify.Error{Class: notify.Permanent, Ambiguous: true,
			Message: "an earlier attempt was cut off, and it is not known whether it was sent"})
		return res
	}
	deferred, next, err := o.limiter.reserve(ctx, now, in.Kind, messages)
	if err != nil {
		res.retry = &notify.Error{Class: notify.Retry, Message: "cannot read the channel's quota", Err: err}
		res.wait = backoff(e.ID, e.Attempts)
		return res
	}
	if len(deferred) > 0 {
		withinQuota := e.Notification
		withinQuota.AcceptedUnits = slices.Concat(e.AcceptedUnits, deferred)
		if messages, _, err = in.messages(&withinQuota); err != nil {
			res.failed[""] = notify.AsError(err)
			return res
		}
	}
	o.sendAll(ctx, in, e, messages, &res)
	switch {
	case res.retry != nil && res.retry.Class == notify.TooLong:
		e.HalfSize, res.wait = true, 0
		if !in.Kind.PerUnit {
			e.AcceptedUnits = nil // the parts will be others: all are sent again
		}
	case res.retry != nil:
		res.wait = max(res.wait, backoff(e.ID, e.Attempts))
	case len(deferred) > 0:
		res.wait, res.overQuota = max(next.Sub(now), time.Second), true
		res.retry = &notify.Error{Class: notify.Rate, Message: "the channel's quota is used up for now", RetryAfter: res.wait}
	case res.sent > 0 && res.sent == len(messages) && len(res.failed)+len(e.Failed) == 0 && !e.Attempting:
		// Not after an interrupted attempt: it may have sent the optional messages.
		res.optional = optional
	}
	return res
}

// sendAll sends messages in order. Unless units are independent of each other, it
// stops at the first of which nothing was accepted.
func (o *Outbox) sendAll(ctx context.Context, in Integration, e *Entry, messages []notify.Message, res *attemptResult) {
	for _, m := range messages {
		if accepted := o.send(ctx, in, e, m, res); accepted > 0 {
			res.sent++
			o.log.Info("notification sent", "receiver", e.Receiver, "channel", e.Kind, "target", m.Target, "group", e.GroupKey,
				"reason", e.Reason, "alerts", len(e.Alerts), "units", accepted, "attempt", e.Attempts)
			continue
		}
		if in.Kind.PerUnit {
			continue
		}
		// Later parts would be rejected in the same way, or arrive without this one.
		if res.retry == nil {
			res.failRest(messages, e.AcceptedUnits)
		}
		return
	}
}

// send sends one message and records its outcome. It returns the number of units
// that were accepted.
func (o *Outbox) send(ctx context.Context, in Integration, e *Entry, m notify.Message, res *attemptResult) (accepted int) {
	answered := o.metrics.StartRequest(e.Kind)
	outcomes := m.Send(ctx)
	for _, out := range outcomes {
		if out.Err == nil {
			accepted++
			e.AcceptedUnits = append(e.AcceptedUnits, out.Unit)
			continue
		}
		err := notify.AsError(out.Err)
		o.log.Warn("notification failed", "receiver", e.Receiver, "channel", e.Kind, "target", m.Target,
			"class", err.Class.String(), "attempt", e.Attempts, "err", err)
		switch {
		case in.Kind.AtMostOnce && err.Ambiguous, err.Class == notify.Permanent, err.Class == notify.TooLong && e.HalfSize:
			res.failed[out.Unit] = err
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

// failAll fails all units of the messages with err.
func (r *attemptResult) failAll(messages []notify.Message, err *notify.Error) {
	for _, m := range messages {
		for _, u := range m.Units {
			r.failed[u] = err
		}
	}
}

// failRest fails the units that were not tried with the error of one that failed.
func (r *attemptResult) failRest(messages []notify.Message, accepted []string) {
	var cause *notify.Error
	for _, err := range r.failed {
		cause = err
	}
	for _, m := range messages {
		for _, u := range m.Units {
			if r.failed[u] == nil && !slices.Contains(accepted, u) {
				r.failed[u] = cause
			}
		}
	}
}

// failureReason returns the reason of a failure as Alertmanager's metrics name it.
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

const (
	minBackoff = 500 * time.Millisecond
	maxBackoff = 5 * time.Minute
)

// backoff returns the wait after the nth attempt: minBackoff, doubled with each
// attempt up to maxBackoff, and up to a fifth more, so that what failed together is
// not retried together. The jitter depends on the notification alone.
func backoff(id string, attempts int) time.Duration {
	d := min(minBackoff<<min(max(attempts-1, 0), 10), maxBackoff)
	h := fnv.New32a()
	fmt.Fprint(h, id, attempts)
	return d + d/5*time.Duration(h.Sum32()%256)/256
}

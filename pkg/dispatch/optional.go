package dispatch

import (
	"context"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
)

// optionalTime bounds what a tick spends on messages that are not owed.
const optionalTime = 3 * time.Second

// optional is a message that may be sent now that all that is owed of its
// notification has been accepted.
type optional struct {
	in Integration
	c  *leased
	m  notify.Message
}

// messages returns the messages that say n, those that are owed apart from those
// that are not. Of a digest, of what stands in for another receiver, and of what
// is over there are none of the latter.
func (in Integration) messages(n *alert.Notification) (owed, extra []notify.Message, err error) {
	owed, err = in.Notifier.Messages(n)
	wanted := n.Merged == 0 && n.FallbackFor == "" && slices.ContainsFunc(n.Alerts, func(a *alert.Alert) bool { return !a.ResolvedAt(n.At) })
	owed = slices.DeleteFunc(owed, func(m notify.Message) bool {
		if m.Optional && wanted {
			extra = append(extra, m)
		}
		return m.Optional
	})
	return owed, extra, err
}

// sayOptional sends what is not owed, as long as start is not done, and returns
// how much was accepted. It comes after everything else of a tick, so that nothing
// waits for it, and only when the store has taken that the notifications are done,
// so that nothing of it is ever sent twice. What fails is forgotten.
func (e *Engine) sendOptional(start, send context.Context, now time.Time, all []optional) (sent int) {
	ctx, cancel := context.WithTimeout(send, optionalTime)
	defer cancel()
	for _, o := range all {
		if start.Err() != nil || ctx.Err() != nil {
			return sent
		}
		log := e.log.With("receiver", o.c.Receiver, "channel", o.c.Kind, "target", o.m.Target, "units", o.m.Units)
		if spare, err := e.reserveOptional(ctx, now, o.in.Kind, o.m); err != nil || !spare {
			log.Debug("optional message left out: the quota is wanted for others", "err", err)
			continue
		}
		answered := e.metrics.StartRequest(o.c.Kind)
		failed := slices.DeleteFunc(o.m.Send(ctx), func(out notify.Outcome) bool { return out.Err == nil })
		answered(len(failed) == 0)
		if len(failed) > 0 {
			log.Debug("optional message not delivered", "err", failed[0].Err)
			continue
		}
		sent++
	}
	return sent
}

// spare takes an optional message out of the quotas of those whom it is for, if at
// least half of every one of them is left.
func (e *Engine) reserveOptional(ctx context.Context, now time.Time, k notify.Kind, m notify.Message) (ok bool, err error) {
	if len(k.Quotas) == 0 {
		return true, nil
	}
	keys := quotaKeys(k, m)
	err = retryOnConflict(ctx, func() error {
		accounts, err := e.readQuotas(ctx, keys)
		if err != nil {
			return err
		}
		ok = true
		for _, a := range accounts {
			ok = ok && a.sent.halfFree(k.Quotas, now)
			a.take(now)
		}
		if !ok {
			return nil
		}
		return e.saveQuota(ctx, now, k, accounts)
	})
	return ok && err == nil, err
}

// halfFree tells that at now at least half of every quota is left.
func (p sendTimes) halfFree(quotas []notify.Quota, now time.Time) bool {
	return !slices.ContainsFunc(quotas, func(q notify.Quota) bool { return 2*len(p.within(q, now)) > q.Messages })
}

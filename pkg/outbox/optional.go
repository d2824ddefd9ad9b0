package outbox

import (
	"context"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
)

const (
	// optionalTimeout is the time that an integration spends on optional messages.
	optionalTimeout = 3 * time.Second
	// maxOptional is how many optional messages of an integration wait while it has
	// others to send: the latest ones.
	maxOptional = 16
)

// optionalMessage is an optional message of a notification whose other messages
// have all been accepted.
type optionalMessage struct {
	kind    notify.Kind
	entry   *Entry
	message notify.Message
}

// messages returns the messages of n, the optional ones apart. Digests, fallbacks
// and notifications in which nothing fires have no optional messages.
func (in Integration) messages(n *alert.Notification) (required, optional []notify.Message, err error) {
	required, err = in.Notifier.Messages(n)
	firing := func(a *alert.Alert) bool { return !a.ResolvedAt(n.At) }
	wanted := n.Merged == 0 && n.FallbackFor == "" && slices.ContainsFunc(n.Alerts, firing)
	required = slices.DeleteFunc(required, func(m notify.Message) bool {
		if m.Optional && wanted {
			optional = append(optional, m)
		}
		return m.Optional
	})
	return required, optional, err
}

// sendOptional sends the optional messages of delivered notifications and returns
// how many were accepted. It stops when the budget or 3 s are spent, and retries
// nothing. It is called when an integration has nothing else to send and the results
// have been committed, so that no optional message is sent twice.
func (o *Outbox) sendOptional(b *Budget, now time.Time, messages []optionalMessage) (sent int) {
	ctx, cancelAttempt := b.attemptContext()
	defer cancelAttempt()
	ctx, cancel := context.WithTimeout(ctx, optionalTimeout)
	defer cancel()
	for _, opt := range messages {
		if b.Spent() || ctx.Err() != nil {
			return sent
		}
		e, m := opt.entry, opt.message
		log := o.log.With("receiver", e.Receiver, "channel", e.Kind, "target", m.Target, "units", m.Units)
		if ok, err := o.limiter.tryOptional(ctx, now, opt.kind, m); err != nil || !ok {
			log.Debug("optional message skipped: less than half of the quota is left", "err", err)
			continue
		}
		answered := o.metrics.StartRequest(e.Kind)
		failed := slices.DeleteFunc(m.Send(ctx), func(out notify.Outcome) bool { return out.Err == nil })
		answered(len(failed) == 0)
		if len(failed) > 0 {
			log.Debug("optional message failed", "err", failed[0].Err)
			continue
		}
		sent++
	}
	return sent
}

package outbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// deadRetention is how long a dead letter is kept.
const deadRetention = 30 * 24 * time.Hour

// ErrDeadLetterNotFound is returned for an id that no dead letter has.
var ErrDeadLetterNotFound = errors.New("there is no such dead letter")

// DeadLetter describes a notification that neither its receiver nor a fallback accepted.
// It is without the alerts, so that many can be listed.
type DeadLetter struct {
	ID       string    `json:"id"`
	Receiver string    `json:"receiver"`
	Channel  string    `json:"channel"` // kind of the integration
	Group    string    `json:"group"`   // Alertmanager's groupKey
	Time     time.Time `json:"time"`    // when the notification was enqueued
	Cause    string    `json:"cause"`   // the last error
	Alerts   int       `json:"alerts"`  // the number of alerts
}

// handToFallback returns the changes that enqueue, for the fallback receiver, what
// could not be delivered of e. If there is no fallback, or e is a fallback's
// notification already, they store a dead letter. again reports that e stays, and
// is attempted again unless the fallback accepts it.
func (o *Outbox) handToFallback(ctx context.Context, now time.Time, e *Entry, again bool) ([]store.Change, error) {
	fallback := o.config.RemovedReceiverFallback
	if r := o.receivers[e.Receiver]; r != nil {
		fallback = r.Fallback
	}
	var entries []*Entry
	if to := o.receivers[fallback]; to != nil && fallback != e.Receiver && e.FallbackFor == "" {
		for _, in := range to.Integrations {
			n := e.Notification
			n.FallbackFor, n.Cause, n.Receiver = e.Receiver, e.LastError, fallback
			n.AcceptedUnits, n.HalfSize = nil, false
			n.ID = keyspace.Hash(e.ID, fallback, in.Name())
			if n.Alerts = in.AlertsOf(&n); len(n.Alerts) == 0 {
				continue
			}
			entry := newEntry(n, in, now)
			entry.LetterID = keyspace.Hash(e.letterID(), fallback, in.Name())
			if again {
				entry.Origins = []string{e.item.Key}
			}
			entries = append(entries, entry)
		}
	}
	if len(entries) > 0 {
		changes, err := o.enqueueAbsent(ctx, now, entries)
		if err != nil {
			return nil, err
		}
		o.log.Warn("notification handed to the fallback receiver", "receiver", e.Receiver, "fallback", fallback, "id", e.ID, "err", e.LastError)
		return changes, nil
	}
	letter := *e
	letter.ID, letter.LetterID, letter.muted = e.letterID(), "", nil
	if again && e.FallbackFor == "" {
		letter.Origins = []string{e.item.Key}
	}
	dead, err := store.Encode(keyspace.DeadLetter+letter.ID, letter)
	if err != nil {
		return nil, err
	}
	dead.Expires = now.Add(deadRetention)
	o.log.Error("no receiver accepted the notification; kept as a dead letter", "receiver", e.Receiver, "channel", e.Kind,
		"id", letter.ID, "group", e.GroupKey, "alerts", len(e.Alerts), "err", e.LastError)
	return []store.Change{dead}, nil
}

// deleteOrigins returns the changes that delete the entries of e.Origins, in whatever
// state they are when it is committed, and those entries as far as they can be read.
func (o *Outbox) deleteOrigins(ctx context.Context, e *Entry) (changes []store.Change, origins []*Entry, err error) {
	if len(e.Origins) == 0 {
		return nil, nil, nil
	}
	items, err := o.store.Get(ctx, e.Origins...)
	for _, it := range items {
		changes = append(changes, store.Change{Key: it.Key, Delete: true, If: store.Unconditional(it)})
		origin := new(Entry)
		if found, err := store.Decode(it, origin); found && err == nil {
			origins = append(origins, origin)
		}
	}
	return changes, origins, err
}

// enqueueAbsent returns the changes that store entries due now, except those that
// are pending since an earlier attempt.
func (o *Outbox) enqueueAbsent(ctx context.Context, now time.Time, entries []*Entry) (changes []store.Change, err error) {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.item.Key
	}
	items, err := o.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	for i, e := range entries {
		if items[i].Version > 0 {
			continue
		}
		c, err := e.enqueueChange(now)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// DeadLetters returns the dead letters of the last 30 days, oldest first.
func (o *Outbox) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	var all []DeadLetter
	for page, err := range store.Pages(ctx, o.store, keyspace.DeadLetter, pageSize) {
		if err != nil {
			return nil, err
		}
		for _, it := range page {
			var e Entry
			if _, err := store.Decode(it, &e); err != nil {
				o.log.Error("cannot read a dead letter; it is not listed", "key", it.Key, "err", err)
				continue
			}
			all = append(all, DeadLetter{e.ID, e.Receiver, e.Kind, e.GroupKey, e.Since, e.LastError, len(e.Alerts)})
		}
	}
	slices.SortStableFunc(all, func(a, b DeadLetter) int { return a.Time.Compare(b.Time) })
	return all, nil
}

// CountDeadLetters returns the number of dead letters.
func (o *Outbox) CountDeadLetters(ctx context.Context) (n int, err error) {
	for page, err := range store.Pages(ctx, o.store, keyspace.DeadLetter, pageSize) {
		if err != nil {
			return 0, err
		}
		n += len(page)
	}
	return n, nil
}

// Resend moves a dead letter back into the outbox, due at now. Units that were
// accepted are not sent again. The error is ErrDeadLetterNotFound for an unknown
// id.
func (o *Outbox) Resend(ctx context.Context, now time.Time, id string) error {
	if store.CheckKeys(keyspace.DeadLetter+id) != nil {
		return ErrDeadLetterNotFound
	}
	return store.RetryOnConflict(ctx, func() error {
		items, err := o.store.Get(ctx, keyspace.DeadLetter+id)
		if err != nil {
			return err
		}
		e := Entry{item: store.Item{Key: keyspace.Outbox + id}}
		if found, err := store.Decode(items[0], &e); err != nil {
			return err
		} else if !found {
			return ErrDeadLetterNotFound
		}
		e.AcceptedUnits = slices.DeleteFunc(e.AcceptedUnits, func(unit string) bool { _, failed := e.Failed[unit]; return failed })
		e.Failed, e.Attempts, e.Attempting, e.Since, e.LastError, e.FailureReason = nil, 0, false, now, "", ""
		e.Accepted = false
		changes := []store.Change{{Key: items[0].Key, Delete: true, If: store.Unchanged(items[0])}}
		if e.FallbackFor == "" {
			// The entry replaces the one that waits for another attempt.
			waiting, _, err := o.deleteOrigins(ctx, &e)
			if err != nil {
				return err
			}
			for _, c := range waiting {
				if c.Key != e.item.Key {
					changes = append(changes, c)
				}
			}
			e.Origins = nil
		}
		c, err := e.enqueueChange(now)
		if err != nil {
			return err
		}
		return o.store.Commit(ctx, now, append(changes, c)...)
	})
}

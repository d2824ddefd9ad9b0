package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

const (
	// leaseTime is how long a claim on an owed notification holds. It is longer
	// than any delivery takes; after it, another instance takes over.
	leaseTime = 3 * time.Minute
	// giveUpAfter is how long a notification is tried when its receiver has no
	// fallback. Then it is kept as a dead letter.
	giveUpAfter = 24 * time.Hour
	// unreadableDelay is how long what cannot be read is put off.
	unreadableRetry = 10 * time.Minute
	// deadRetention is how long a dead letter is kept.
	deadRetention = 30 * 24 * time.Hour
	// entrySize bounds the alerts of one entry, as bytes of text in them: what
	// is more becomes several notifications. A stored value may have 1 MiB.
	entrySize = 512 << 10
)

// entry is a notification that is owed to one integration.
type outboxEntry struct {
	alert.Notification
	Kind  string `json:"kind"`
	Index int    `json:"index"`
	// Since is when it was first owed.
	Since time.Time `json:"since"`
	// Attempts counts the deliveries begun; Attempting tells that one was begun
	// and its outcome not written down.
	Attempts   int  `json:"attempts,omitempty"`
	Attempting bool `json:"attempting,omitempty"`
	// Failed are units that will not be tried again, and why.
	Failed map[string]string `json:"failed,omitempty"`
	// LastError is why the last attempt did not deliver everything, and Fault is
	// that in one word.
	LastError string `json:"lastError,omitempty"`
	Fault     string `json:"fault,omitempty"`
}

// MarshalBinary writes the alerts in their compact form, which they are nearly all
// of, after a line of JSON with the rest.
func (e outboxEntry) MarshalBinary() ([]byte, error) {
	type fields outboxEntry
	rest := fields(e)
	rest.Alerts = nil
	b, err := json.Marshal(rest)
	if err != nil {
		return nil, err
	}
	b = append(slices.Grow(b, 512*len(e.Alerts)), '\n')
	for _, a := range e.Alerts {
		if b, err = a.AppendBinary(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (e *outboxEntry) UnmarshalBinary(b []byte) error {
	type fields outboxEntry
	rest, alerts, whole := bytes.Cut(b, []byte{'\n'})
	if !whole {
		return errors.New("it ends before its alerts")
	}
	if err := json.Unmarshal(rest, (*fields)(e)); err != nil {
		return err
	}
	e.Alerts = nil
	for len(alerts) > 0 {
		a := new(alert.Alert)
		var err error
		if alerts, err = a.ReadBinary(alerts); err != nil {
			return err
		}
		e.Alerts = append(e.Alerts, a)
	}
	return nil
}

// absorb takes into n what an integration has not heard yet of the same group,
// so that it is not overtaken: an alert that fired and ended while its receiver
// was out of reach is mentioned once. It returns since when the oldest of it is
// owed, and the changes that delete it. What is being delivered at the moment is
// left alone.
func (e *Engine) coalesce(ctx context.Context, now time.Time, lane string, n *alert.Notification) (since time.Time, changes []store.Change, err error) {
	since = now
	items, err := e.store.List(ctx, kindPending+"/"+lane+"-", "", pageSize)
	if err != nil || len(items) == 0 {
		return since, nil, err
	}
	known := map[alert.Fingerprint]bool{}
	for _, a := range n.Alerts {
		known[a.Fingerprint()] = true
	}
	alerts := slices.Clone(n.Alerts)
	for _, it := range slices.Backward(items) { // the latest word about an alert counts
		var old outboxEntry
		if _, err := read(it, &old); err != nil || old.Attempting && it.Due.After(now) {
			continue
		}
		if old.Since.Before(since) {
			since = old.Since
		}
		for _, a := range old.Alerts {
			if fp := a.Fingerprint(); !known[fp] {
				known[fp] = true
				alerts = append(alerts, a)
			}
		}
		changes = append(changes, store.Change{Key: it.Key, Delete: true, If: store.Unchanged(it)})
	}
	if len(alerts) > len(n.Alerts) {
		alert.Sort(alerts)
	}
	n.Alerts = alerts
	return since, changes, nil
}

// newEntries returns what owes n to an integration since a time: one entry, or
// more when n holds more than one may.
func newEntries(n alert.Notification, in Integration, since time.Time) []*leased {
	var entries []*leased
	id := n.ID
	for i, alerts := range chunk(n.Alerts) {
		n.Alerts = alerts
		if i > 0 {
			n.ID = fmt.Sprintf("%s-%d", id, i)
		}
		c := &leased{outboxEntry: outboxEntry{Notification: n, Kind: in.Kind.Name, Index: in.Index, Since: since}}
		c.item.Key = kindPending + "/" + n.ID
		entries = append(entries, c)
	}
	return entries
}

// owed is the change that writes a new entry, due now.
func (c *leased) enqueue(now time.Time) (store.Change, error) {
	change, err := put(c.item.Key, c.outboxEntry)
	change.Due = now
	return change, err
}

// held is the change that writes an entry with the lease of this instance, so
// that no other delivers it meanwhile.
func (c *leased) lease(now time.Time) (store.Change, error) {
	e := c.outboxEntry
	e.Attempting = true
	e.Attempts++
	change, err := put(c.item.Key, e)
	change.Due = now.Add(leaseTime)
	return change, err
}

// chunk cuts alerts into pieces that fit an entry.
func chunk(alerts []*alert.Alert) [][]*alert.Alert {
	var chunks [][]*alert.Alert
	begin, size := 0, 0
	for i, a := range alerts {
		s := textSize(a)
		if size+s > entrySize && i > begin {
			chunks = append(chunks, alerts[begin:i])
			begin, size = i, 0
		}
		size += s
	}
	return append(chunks, alerts[begin:])
}

func textSize(a *alert.Alert) int {
	size := 200 + len(a.GeneratorURL)
	for _, l := range []alert.Labels{a.Labels, a.Annotations} {
		for k, v := range l {
			size += len(k) + len(v) + 6
		}
	}
	return size
}

// claimed is an entry that this instance holds the lease of.
type leased struct {
	outboxEntry
	item store.Item
}

// claim takes the lease of up to limit owed notifications that are due, so that
// no other instance delivers them meanwhile.
func (e *Engine) lease(ctx context.Context, now time.Time, limit int) ([]*leased, error) {
	var out []*leased
	err := retryOnConflict(ctx, func() error {
		due, err := e.store.Due(ctx, kindPending, now, limit)
		if err != nil {
			return err
		}
		out = out[:0]
		var changes []store.Change
		for _, it := range due {
			c := &leased{item: it}
			if _, err := read(it, &c.outboxEntry); err != nil {
				// A newer version wrote it, and may deliver it: it stays, and the
				// log goes on saying so.
				e.log.Error("cannot read an owed notification; put off", "key", it.Key, "err", err)
				changes = append(changes, store.Change{Key: it.Key, Value: it.Value, Due: now.Add(unreadableRetry), If: store.Unchanged(it)})
				continue
			}
			change, err := c.lease(now)
			if err != nil {
				return err
			}
			change.If = store.Unchanged(it)
			changes = append(changes, change)
			out = append(out, c)
		}
		if len(changes) == 0 {
			return nil
		}
		return e.store.Commit(ctx, now, changes...)
	})
	return out, err
}

// reread gives claimed entries the versions under which they are held.
func (e *Engine) refreshVersions(ctx context.Context, held []*leased) error {
	keys := make([]string, len(held))
	for i, c := range held {
		keys[i] = c.item.Key
	}
	items, err := e.store.Get(ctx, keys...)
	if err != nil {
		return err
	}
	for i, c := range held {
		c.item = items[i]
		c.Attempts++
	}
	return nil
}

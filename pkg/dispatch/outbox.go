package dispatch

import (
	"context"
	"fmt"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/store"
)

const (
	// leaseTime is how long a claim on an owed notification holds. It is longer
	// than any delivery takes; after it, another instance takes over.
	leaseTime = 3 * time.Minute
	// giveUpAfter is how long a notification is tried when its receiver has no
	// fallback. Then it is kept as a dead letter.
	giveUpAfter = 24 * time.Hour
	// deadRetention is how long a dead letter is kept.
	deadRetention = 30 * 24 * time.Hour
	// entrySize bounds the alerts of one entry, as bytes of text in them: what
	// is more becomes several notifications. A stored value may have 1 MiB.
	entrySize = 512 << 10
)

// entry is a notification that is owed to one integration.
type entry struct {
	notify.Notification
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
	// LastError is why the last attempt did not deliver everything.
	LastError string `json:"lastError,omitempty"`
}

// newEntries returns the changes that owe n to an integration from now on: one
// entry, or more when n holds more than one may.
func newEntries(n notify.Notification, in Integration, now time.Time) ([]store.Change, error) {
	var changes []store.Change
	id := n.ID
	for i, alerts := range chunk(n.Alerts) {
		n.Alerts = alerts
		if i > 0 {
			n.ID = fmt.Sprintf("%s-%d", id, i)
		}
		c, err := put(kindOwed+"/"+n.ID, entry{Notification: n, Kind: in.Kind.Name, Index: in.Index, Since: now})
		if err != nil {
			return nil, err
		}
		c.Due = now
		changes = append(changes, c)
	}
	return changes, nil
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
type claimed struct {
	entry
	item store.Item
}

// claim takes the lease of up to limit owed notifications that are due, so that
// no other instance delivers them meanwhile.
func (e *Engine) claim(ctx context.Context, now time.Time, limit int) ([]*claimed, error) {
	var out []*claimed
	err := settled(ctx, func() error {
		due, err := e.store.Due(ctx, kindOwed, now, limit)
		if err != nil {
			return err
		}
		out = out[:0]
		var changes []store.Change
		for _, it := range due {
			c := &claimed{item: it}
			if _, err := read(it, &c.entry); err != nil {
				// A newer version wrote it, and may deliver it.
				e.log.Error("cannot read an owed notification; put off", "key", it.Key, "err", err)
				changes = append(changes, store.Change{Key: it.Key, Value: it.Value, Due: now.Add(leaseTime), If: store.Unchanged(it)})
				continue
			}
			claim := c.entry
			claim.Attempting = true
			claim.Attempts++
			change, err := put(it.Key, claim)
			if err != nil {
				return err
			}
			change.Due, change.If = now.Add(leaseTime), store.Unchanged(it)
			changes = append(changes, change)
			out = append(out, c)
		}
		if len(changes) == 0 {
			return nil
		}
		return e.store.Commit(ctx, now, changes...)
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return e.reread(ctx, out)
}

// reread gives claimed entries the versions under which they are now held.
func (e *Engine) reread(ctx context.Context, held []*claimed) ([]*claimed, error) {
	keys := make([]string, len(held))
	for i, c := range held {
		keys[i] = c.item.Key
	}
	items, err := e.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	for i, c := range held {
		c.item = items[i]
		c.Attempts++
	}
	return held, nil
}

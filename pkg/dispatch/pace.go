package dispatch

import (
	"context"
	"slices"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/store"
)

// pace is what a target was sent lately, in milliseconds since 1970, oldest
// first. It is kept in the store, so that all instances together stay within a
// robot's limit.
type sendTimes []int64

// free tells how many messages the quotas allow at now, and when they will allow
// one more than that.
func (p sendTimes) free(quotas []notify.Quota, now time.Time) (n int, next time.Time) {
	n = unlimited
	for _, q := range quotas {
		n = min(n, max(q.Messages-len(p.within(q, now)), 0))
	}
	for _, q := range quotas {
		sent := p.within(q, now)
		if len(sent) == 0 || q.Messages-len(sent) > n {
			continue
		}
		// The window must move past the oldest that is one too many.
		oldest := sent[max(len(sent)-q.Messages, 0)]
		if t := time.UnixMilli(oldest).Add(q.Per); t.After(next) {
			next = t
		}
	}
	return n, next
}

// within returns what was sent in the quota's time before now; what is as old as
// that is out of it.
func (p sendTimes) within(q notify.Quota, now time.Time) sendTimes {
	i, _ := slices.BinarySearch(p, now.Add(-q.Per).UnixMilli()+1)
	return p[i:]
}

const unlimited = 1 << 30

// counted returns the keys of the paces that a message counts in: its target's,
// or that of each of its units. They give no number away.
func quotaKeys(k notify.Kind, m notify.Message) []string {
	names := []string{m.Target}
	if k.PerUnit {
		names = m.Units
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = "pace/" + digest(k.Name, name)
	}
	return keys
}

// ledger is some paces as they were read together.
type quotaState map[string]*bucket

type bucket struct {
	item    store.Item
	sent    sendTimes
	changed bool
}

// ledger reads the paces at keys.
func (e *Engine) readQuotas(ctx context.Context, keys []string) (quotaState, error) {
	items, err := e.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	l := make(quotaState, len(items))
	for _, it := range items {
		a := &bucket{item: it}
		if _, err := read(it, &a.sent); err != nil {
			// At worst the vendor refuses something, and it is tried again.
			e.log.Error("cannot read what a target was sent; its quota begins anew", "key", it.Key, "err", err)
			a.sent = nil
		}
		l[it.Key] = a
	}
	return l, nil
}

// reserve takes messages out of the quotas of those whom they are for. It
// returns the units that must wait, and when the first of them may be sent. What
// was taken counts as sent, whatever becomes of it: the vendor counts refused
// messages too. It takes a read and a write of the store, however many targets
// there are.
func (e *Engine) reserve(ctx context.Context, now time.Time, k notify.Kind, messages []notify.Message) (later []string, next time.Time, err error) {
	if len(k.Quotas) == 0 || len(messages) == 0 {
		return nil, next, nil
	}
	var keys []string
	for _, m := range messages {
		keys = append(keys, quotaKeys(k, m)...)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	err = retryOnConflict(ctx, func() error {
		later, next = nil, time.Time{}
		accounts, err := e.readQuotas(ctx, keys)
		if err != nil {
			return err
		}
		for _, m := range messages {
			for i, key := range quotaKeys(k, m) {
				a := accounts[key]
				free, more := a.sent.free(k.Quotas, now)
				if free > 0 {
					a.take(now)
					continue
				}
				if next.IsZero() || more.Before(next) {
					next = more
				}
				if k.PerUnit {
					later = append(later, m.Units[i])
				} else {
					later = append(later, m.Units...)
				}
			}
		}
		return e.saveQuota(ctx, now, k, accounts)
	})
	return later, next, err
}

// take counts one message.
func (a *bucket) take(now time.Time) {
	a.sent, a.changed = append(a.sent, now.UnixMilli()), true
	slices.Sort(a.sent) // clocks of instances differ by a little
}

// book writes the accounts in which something was counted.
func (e *Engine) saveQuota(ctx context.Context, now time.Time, k notify.Kind, l quotaState) error {
	var changes []store.Change
	for _, a := range l {
		if a.changed {
			c, err := a.change(now, e.quotaWindows[k.Name])
			if err != nil {
				return err
			}
			changes = append(changes, c)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return e.store.Commit(ctx, now, changes...)
}

// change writes the account, without what is older than any quota looks back.
func (a *bucket) change(now time.Time, longest time.Duration) (store.Change, error) {
	old, _ := slices.BinarySearch(a.sent, now.Add(-longest).UnixMilli()+1)
	c, err := put(a.item.Key, a.sent[old:])
	c.If, c.Expires = store.Unchanged(a.item), now.Add(longest)
	return c, err
}

// memories returns, by kind of channel, the longest time of a quota: receivers
// whose rate_limit differs may have a target in common.
func longestQuotaWindows(receivers []*Receiver) map[string]time.Duration {
	longest := map[string]time.Duration{}
	for _, r := range receivers {
		for _, in := range r.Integrations {
			for _, q := range in.Kind.Quotas {
				longest[in.Kind.Name] = max(longest[in.Kind.Name], q.Per)
			}
		}
	}
	return longest
}

package dispatch

import (
	"context"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
	"tocsin/pkg/store"
)

// pace is what a target was sent lately, in milliseconds since 1970, oldest
// first. It is kept in the store, so that all instances together stay within a
// robot's limit.
type pace []int64

// free tells how many messages the quotas allow at now, and when they will allow
// one more than that.
func (p pace) free(quotas []notify.Quota, now time.Time) (n int, next time.Time) {
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
func (p pace) within(q notify.Quota, now time.Time) pace {
	i, _ := slices.BinarySearch(p, now.Add(-q.Per).UnixMilli()+1)
	return p[i:]
}

const unlimited = 1 << 30

// reserve takes up to want messages out of a target's quota. It returns how many
// it got, and when more may be had. They count as sent, whatever becomes of
// them: the vendor counts refused ones too.
func (e *Engine) reserve(ctx context.Context, now time.Time, target string, quotas []notify.Quota, want int) (got int, next time.Time, err error) {
	if len(quotas) == 0 || want == 0 {
		return want, next, nil
	}
	longest := time.Duration(0)
	for _, q := range quotas {
		longest = max(longest, q.Per)
	}
	err = settled(ctx, func() error {
		items, err := e.store.Get(ctx, "pace/"+target)
		if err != nil {
			return err
		}
		var sent pace
		if _, err := read(items[0], &sent); err != nil {
			return err
		}
		old, _ := slices.BinarySearch(sent, now.Add(-longest).UnixMilli()+1)
		sent = sent[old:]
		free := 0
		free, next = sent.free(quotas, now)
		if got = min(want, free); got == 0 {
			return nil
		}
		sent = append(sent, slices.Repeat([]int64{now.UnixMilli()}, got)...)
		slices.Sort(sent) // clocks of instances differ by a little
		if got < want {
			_, next = sent.free(quotas, now)
		}
		c, err := put(items[0].Key, sent)
		if err != nil {
			return err
		}
		c.If, c.Expires = store.Unchanged(items[0]), now.Add(longest)
		return e.store.Commit(ctx, now, c)
	})
	return got, next, err
}

// merge makes one notification of all that waits for an integration, when its
// quota does not suffice for each: the latest word about every alert in it. It
// commits the digest in the place of what it stands for, with the lease held.
// What has partly been said already is left as it is.
func (e *Engine) merge(ctx context.Context, now time.Time, in Integration, lane []*claimed) ([]*claimed, error) {
	var rest, merged []*claimed
	for _, c := range lane {
		if len(c.Done) > 0 || c.Attempting {
			rest = append(rest, c)
		} else {
			merged = append(merged, c)
		}
	}
	if len(merged) < 2 {
		return lane, nil
	}
	first := merged[0]
	n := alert.Notification{Receiver: first.Receiver, GroupKey: "digest:" + first.Receiver, Reason: "digest"}
	since := first.Since
	known := map[alert.Fingerprint]bool{}
	ids := make([]string, 0, len(merged))
	var changes []store.Change
	slices.SortStableFunc(merged, func(a, b *claimed) int { return b.At.Compare(a.At) }) // latest first
	for _, c := range merged {
		ids = append(ids, c.ID)
		n.Merged += max(c.Merged, 1)
		if c.At.After(n.At) {
			n.At = c.At
		}
		if c.Since.Before(since) {
			since = c.Since
		}
		if n.Instead == "" {
			n.Instead, n.Cause = c.Instead, c.Cause
		}
		for _, a := range c.Alerts {
			if fp := a.Fingerprint(); !known[fp] {
				known[fp] = true
				n.Alerts = append(n.Alerts, a)
			}
		}
		changes = append(changes, store.Change{Key: c.item.Key, Delete: true, If: store.Unchanged(c.item)})
	}
	alert.Sort(n.Alerts)
	slices.Sort(ids)
	n.ID = digest(ids...)
	digests := newEntries(n, in, since)
	for _, d := range digests {
		held, err := d.held(now)
		if err != nil {
			return nil, err
		}
		changes = append(changes, held)
	}
	if err := e.store.Commit(ctx, now, changes...); err != nil {
		return nil, err
	}
	if err := e.reread(ctx, digests); err != nil {
		return nil, err
	}
	e.log.Info("merged into a digest", "receiver", n.Receiver, "channel", in.Kind.Name, "notifications", n.Merged, "alerts", len(n.Alerts))
	return append(rest, digests...), nil
}

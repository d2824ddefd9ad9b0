package dispatch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
)

// fit merges what waits for an integration into a digest when a quota is too
// short for each. Only what goes to the same people is merged.
func (e *Engine) mergeOverQuota(ctx context.Context, now time.Time, in Integration, lane []*leased) ([]*leased, error) {
	if len(lane) < 2 {
		return lane, nil
	}
	var out []*leased
	var sets []string // in order of what was scheduled first
	bySet := map[string][]*leased{}
	pacesOf := map[string][]string{}
	want := map[string]int{} // messages, by the key of a pace
	for _, c := range lane {
		keys, set, err := in.quotaKeys(c)
		if err != nil || len(keys) == 0 {
			out = append(out, c) // its attempt will tell
			continue
		}
		for _, key := range keys {
			want[key]++
		}
		if bySet[set] == nil {
			sets = append(sets, set)
			pacesOf[set] = keys
		}
		bySet[set] = append(bySet[set], c)
	}
	keys := make([]string, 0, len(want))
	for key := range want {
		keys = append(keys, key)
	}
	accounts, err := e.readQuotas(ctx, keys)
	if err != nil {
		return nil, err
	}
	short := func(key string) bool {
		free, _ := accounts[key].sent.free(in.Kind.Quotas, now)
		return want[key] > free
	}
	for _, set := range sets {
		part := bySet[set]
		if slices.ContainsFunc(pacesOf[set], short) {
			if part, err = e.buildDigest(ctx, now, in, part, set); err != nil {
				return nil, err
			}
		}
		out = append(out, part...)
	}
	return out, nil
}

// counted returns the keys of the paces that the notification's messages count
// in, one for each time, and the set of those who read them.
func (in Integration) quotaKeys(c *leased) (keys []string, set string, err error) {
	messages, _, err := in.messages(&c.Notification)
	var readers []string
	for _, m := range messages {
		for _, key := range quotaKeys(in.Kind, m) {
			keys = append(keys, key)
			readers = append(readers, key+" "+m.Audience)
		}
	}
	slices.Sort(readers)
	return keys, strings.Join(slices.Compact(readers), "\n"), err
}

// merge makes one notification of part, which waits for an integration and goes
// to the same set of readers: the latest word about every alert in it. It commits
// the digest in the place of what it stands for, with the lease held. What has
// partly been said already is left as it is, and so is all of it when the digest
// would go to others, because the templates that name them see another group.
func (e *Engine) buildDigest(ctx context.Context, now time.Time, in Integration, part []*leased, set string) ([]*leased, error) {
	var rest, merged []*leased
	for _, c := range part {
		if len(c.AcceptedUnits) > 0 || c.Attempting {
			rest = append(rest, c)
		} else {
			merged = append(merged, c)
		}
	}
	if len(merged) < 2 {
		return part, nil
	}
	n, since := digestOf(merged)
	digests := newEntries(n, in, since)
	changes := make([]store.Change, 0, len(merged)+len(digests))
	for _, d := range digests {
		if _, to, err := in.quotaKeys(d); err != nil || to != set {
			return part, nil
		}
		held, err := d.lease(now)
		if err != nil {
			return nil, err
		}
		changes = append(changes, held)
	}
	for _, c := range merged {
		changes = append(changes, store.Change{Key: c.item.Key, Delete: true, If: store.Unchanged(c.item)})
	}
	err := e.store.Commit(ctx, now, changes...)
	if errors.Is(err, store.ErrConflict) {
		e.log.Warn("lease ran out before a digest was made; another instance says it", "receiver", n.Receiver)
		return rest, nil
	}
	if err != nil {
		return nil, err
	}
	if err := e.refreshVersions(ctx, digests); err != nil {
		return nil, err
	}
	e.log.Info("merged into a digest", "receiver", n.Receiver, "channel", in.Kind.Name, "notifications", n.Merged, "alerts", len(n.Alerts))
	return append(rest, digests...), nil
}

// digestOf returns the notification that stands for others, and since when the
// oldest of them is owed.
func digestOf(merged []*leased) (alert.Notification, time.Time) {
	first := merged[0]
	n := alert.Notification{Receiver: first.Receiver, GroupKey: "digest:" + first.Receiver, Reason: "digest"}
	since := first.Since
	known := map[alert.Fingerprint]bool{}
	ids := make([]string, 0, len(merged))
	latestFirst := slices.SortedStableFunc(slices.Values(merged), func(a, b *leased) int { return b.At.Compare(a.At) })
	for _, c := range latestFirst {
		ids = append(ids, c.ID)
		n.Merged += max(c.Merged, 1)
		if c.At.After(n.At) {
			n.At = c.At
		}
		if c.Since.Before(since) {
			since = c.Since
		}
		if n.FallbackFor == "" {
			n.FallbackFor, n.Cause = c.FallbackFor, c.Cause
		}
		for _, a := range c.Alerts {
			if fp := a.Fingerprint(); !known[fp] {
				known[fp] = true
				n.Alerts = append(n.Alerts, a)
			}
		}
	}
	alert.Sort(n.Alerts)
	slices.Sort(ids)
	n.ID = digest(ids...)
	return n, since
}

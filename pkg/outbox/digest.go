package outbox

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// audience is who reads a notification: the buckets that its messages count in and,
// within a target, the readers.
type audience string

// quotaUse returns the keys of the buckets that the notification's messages count
// in, one for each time, and its audience.
func (in Integration) quotaUse(e *Entry) (keys []string, to audience, err error) {
	messages, _, err := in.messages(&e.Notification)
	var readers []string
	for _, m := range messages {
		for _, key := range bucketKeys(in.Kind, m) {
			keys = append(keys, key)
			readers = append(readers, key+" "+m.Audience)
		}
	}
	slices.Sort(readers)
	return keys, audience(strings.Join(slices.Compact(readers), "\n")), err
}

// mergeOverQuota merges the notifications of a queue into digests where a quota is
// too small for all of them. Only notifications with the same audience are merged.
func (o *Outbox) mergeOverQuota(ctx context.Context, now time.Time, in Integration, queue []*Entry) ([]*Entry, error) {
	if len(queue) < 2 {
		return queue, nil
	}
	var merged []*Entry
	var audiences []audience // in the order in which each comes first
	byAudience := map[audience][]*Entry{}
	keysOf := map[audience][]string{}
	wanted := map[string]int{} // messages by bucket
	for _, e := range queue {
		keys, to, err := in.quotaUse(e)
		if err != nil || len(keys) == 0 {
			merged = append(merged, e) // its attempt fails, or sends nothing
			continue
		}
		for _, key := range keys {
			wanted[key]++
		}
		if byAudience[to] == nil {
			audiences = append(audiences, to)
			keysOf[to] = keys
		}
		byAudience[to] = append(byAudience[to], e)
	}
	state, err := o.limiter.readQuota(ctx, now, slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return nil, err
	}
	overQuota := func(key string) bool {
		free, _ := state[key].sent.free(in.Kind.Quotas, now)
		return wanted[key] > free
	}
	for _, to := range audiences {
		part := byAudience[to]
		if slices.ContainsFunc(keysOf[to], overQuota) {
			if part, err = o.replaceByDigest(ctx, now, in, part, to); err != nil {
				return nil, err
			}
		}
		merged = append(merged, part...)
	}
	return merged, nil
}

// replaceByDigest replaces leased notifications with the same audience by one
// digest, which it commits with the lease held. Those that were accepted in part or
// have muted alerts stay. So do all, if the digest would have another audience because
// of templates that depend on the group.
func (o *Outbox) replaceByDigest(ctx context.Context, now time.Time, in Integration, queue []*Entry, to audience) ([]*Entry, error) {
	var rest, replaced []*Entry
	for _, e := range queue {
		if len(e.AcceptedUnits) > 0 || e.Attempting || len(e.muted) > 0 {
			rest = append(rest, e)
		} else {
			replaced = append(replaced, e)
		}
	}
	if len(replaced) < 2 {
		return queue, nil
	}
	n, since := buildDigest(replaced)
	digest := newEntry(n, in, since)
	digest.Scheduled = now
	for _, e := range replaced {
		digest.Origins = append(digest.Origins, e.Origins...)
		if digest.Interval == 0 || 0 < e.Interval && e.Interval < digest.Interval {
			digest.Interval = e.Interval
		}
		if e.refused() && digest.LetterID == "" {
			digest.LetterID = e.LetterID
		}
	}
	// A notification that was refused again has another fallback's notification.
	slices.Sort(digest.Origins)
	digest.Origins = slices.Compact(digest.Origins)
	if _, reaches, err := in.quotaUse(digest); err != nil || reaches != to {
		return queue, nil
	}
	leased, err := o.leaseChange(now, digest)
	if err != nil {
		return nil, err
	}
	changes := []store.Change{leased}
	for _, e := range replaced {
		changes = append(changes, store.Change{Key: e.item.Key, Delete: true, If: store.Unchanged(e.item)})
	}
	began := wallClock()
	err = o.store.Commit(ctx, now, changes...)
	if errors.Is(err, store.ErrConflict) {
		o.log.Warn("lease expired before a digest was committed; another instance sends it", "receiver", n.Receiver)
		return rest, nil
	}
	if err != nil {
		return nil, err
	}
	held, err := o.confirmLeases(ctx, began, []*Entry{digest})
	if err != nil {
		return nil, err
	}
	o.log.Info("notifications merged into a digest", "receiver", n.Receiver, "channel", in.Kind.Name, "notifications", n.Merged, "alerts", len(n.Alerts))
	return append(rest, held...), nil
}

// buildDigest returns a notification with the latest state of every alert in the
// replaced ones, and when the oldest of them was enqueued.
func buildDigest(replaced []*Entry) (n alert.Notification, since time.Time) {
	first := replaced[0]
	n = alert.Notification{Receiver: first.Receiver, GroupKey: "digest:" + first.Receiver, Reason: "digest"}
	since = first.Since
	var ids []string
	var alerts [][]*alert.Alert
	for _, e := range slices.SortedStableFunc(slices.Values(replaced), func(a, b *Entry) int { return b.At.Compare(a.At) }) {
		ids = append(ids, e.ID)
		alerts = append(alerts, e.Alerts)
		n.Merged += max(e.Merged, 1)
		if e.At.After(n.At) {
			n.At = e.At
		}
		if e.Since.Before(since) {
			since = e.Since
		}
		if n.FallbackFor == "" {
			n.FallbackFor, n.Cause = e.FallbackFor, e.Cause
		}
	}
	n.Alerts = mergeAlerts(alerts...)
	alert.Sort(n.Alerts)
	slices.Sort(ids)
	n.ID = keyspace.Hash(ids...)
	return n, since
}

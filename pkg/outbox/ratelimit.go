package outbox

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// rateLimiter keeps the quotas of channels. Its state is in the store, so that all
// instances together stay within a vendor's limit.
type rateLimiter struct {
	store   store.Store
	windows map[string]time.Duration // longest quota window by kind of channel
	log     *slog.Logger
}

func newRateLimiter(st store.Store, receivers []*Receiver, log *slog.Logger) *rateLimiter {
	// Receivers with different values of rate_limit may share a target, whose bucket
	// must last for the longest window.
	windows := map[string]time.Duration{}
	for _, r := range receivers {
		for _, in := range r.Integrations {
			for _, q := range in.Kind.Quotas {
				windows[in.Kind.Name] = max(windows[in.Kind.Name], q.Per)
			}
		}
	}
	return &rateLimiter{st, windows, log}
}

// sendTimes are the times at which a target was sent messages, in milliseconds
// since 1970, oldest first.
type sendTimes []int64

// free returns how many messages the quotas allow at now, and when they allow one
// more than that.
func (s sendTimes) free(quotas []notify.Quota, now time.Time) (n int, next time.Time) {
	n = math.MaxInt
	for _, q := range quotas {
		n = min(n, max(q.Messages-len(s.within(q, now)), 0))
	}
	for _, q := range quotas {
		sent := s.within(q, now)
		if len(sent) == 0 || q.Messages-len(sent) > n {
			continue
		}
		// The window must pass the oldest one that is too many.
		oldest := sent[max(len(sent)-q.Messages, 0)]
		if t := time.UnixMilli(oldest).Add(q.Per); t.After(next) {
			next = t
		}
	}
	return n, next
}

// halfFree reports whether at least half of each quota is free at now.
func (s sendTimes) halfFree(quotas []notify.Quota, now time.Time) bool {
	return !slices.ContainsFunc(quotas, func(q notify.Quota) bool { return 2*len(s.within(q, now)) > q.Messages })
}

// within returns the times in the quota's window before now, which excludes its
// start.
func (s sendTimes) within(q notify.Quota, now time.Time) sendTimes {
	i, _ := slices.BinarySearch(s, now.Add(-q.Per).UnixMilli()+1)
	return s[i:]
}

// bucketKeys returns the keys of the buckets that a message counts in: its target's,
// or those of its units. They are hashes, since targets and units may be phone
// numbers.
func bucketKeys(k notify.Kind, m notify.Message) []string {
	names := []string{m.Target}
	if k.PerUnit {
		names = m.Units
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = keyspace.RateLimit + keyspace.Hash(k.Name, name)
	}
	return keys
}

// quotaState is the buckets that were read together, by key.
type quotaState map[string]*bucket

type bucket struct {
	item    store.Item
	sent    sendTimes
	changed bool
}

// take counts one message.
func (b *bucket) take(now time.Time) {
	b.sent, b.changed = append(b.sent, now.UnixMilli()), true
	slices.Sort(b.sent) // the clocks of instances differ a little
}

// maxClockSkew is how far the clocks of instances may differ.
const maxClockSkew = 10 * time.Second

// readQuota reads buckets as of now, without the times of a clock that was ahead.
func (l *rateLimiter) readQuota(ctx context.Context, now time.Time, keys []string) (quotaState, error) {
	items, err := l.store.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	state := make(quotaState, len(items))
	for _, it := range items {
		b := &bucket{item: it}
		if _, err := store.Decode(it, &b.sent); err != nil {
			// At worst the vendor rejects a message and it is retried.
			l.log.Error("cannot read when a target was sent messages; its quota starts again", "key", it.Key, "err", err)
			b.sent = nil
		}
		known, _ := slices.BinarySearch(b.sent, now.Add(maxClockSkew).UnixMilli()+1)
		b.sent = b.sent[:known]
		state[it.Key] = b
	}
	return state, nil
}

// saveQuota commits the changed buckets without times that are older than any
// quota's window.
func (l *rateLimiter) saveQuota(ctx context.Context, now time.Time, k notify.Kind, state quotaState) error {
	window := l.windows[k.Name]
	var changes []store.Change
	for _, b := range state {
		if !b.changed {
			continue
		}
		outdated, _ := slices.BinarySearch(b.sent, now.Add(-window).UnixMilli()+1)
		c, err := store.Encode(b.item.Key, b.sent[outdated:])
		if err != nil {
			return err
		}
		c.If, c.Expires = store.Unchanged(b.item), now.Add(window)
		changes = append(changes, c)
	}
	if len(changes) == 0 {
		return nil
	}
	return l.store.Commit(ctx, now, changes...)
}

// reserve takes the messages out of the quotas. It returns the units that must
// wait, and when the first of them may be sent. Taken messages count as sent even
// if sending fails, because vendors count rejected messages too. The cost is one
// read and one commit, however many targets there are.
func (l *rateLimiter) reserve(ctx context.Context, now time.Time, k notify.Kind, messages []notify.Message) (deferred []string, next time.Time, err error) {
	if len(k.Quotas) == 0 || len(messages) == 0 {
		return nil, next, nil
	}
	var keys []string
	for _, m := range messages {
		keys = append(keys, bucketKeys(k, m)...)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	err = store.RetryOnConflict(ctx, func() error {
		deferred, next = nil, time.Time{}
		state, err := l.readQuota(ctx, now, keys)
		if err != nil {
			return err
		}
		for _, m := range messages {
			for i, key := range bucketKeys(k, m) {
				b := state[key]
				free, more := b.sent.free(k.Quotas, now)
				if free > 0 {
					b.take(now)
					continue
				}
				if next.IsZero() || more.Before(next) {
					next = more
				}
				if k.PerUnit {
					deferred = append(deferred, m.Units[i])
				} else {
					deferred = append(deferred, m.Units...)
				}
			}
		}
		return l.saveQuota(ctx, now, k, state)
	})
	return deferred, next, err
}

// tryOptional takes an optional message out of the quotas, and reports whether at
// least half of each was free.
func (l *rateLimiter) tryOptional(ctx context.Context, now time.Time, k notify.Kind, m notify.Message) (ok bool, err error) {
	if len(k.Quotas) == 0 {
		return true, nil
	}
	keys := bucketKeys(k, m)
	err = store.RetryOnConflict(ctx, func() error {
		state, err := l.readQuota(ctx, now, keys)
		if err != nil {
			return err
		}
		ok = true
		for _, b := range state {
			ok = ok && b.sent.halfFree(k.Quotas, now)
			b.take(now)
		}
		if !ok {
			return nil
		}
		return l.saveQuota(ctx, now, k, state)
	})
	return ok && err == nil, err
}

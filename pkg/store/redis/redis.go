// Package redis keeps a store in Redis 6 or newer, for any number of instances
// at once.
//
// It uses four keys. They share a hash tag, so that a cluster keeps them on one
// node, and its scripts touch no others:
//
//	{tocsin}:items    hash of the items by their keys
//	{tocsin}:keys     sorted set of the keys, for List
//	{tocsin}:due      sorted set of kind, due time and key, for Due and NextDue
//	{tocsin}:expires  sorted set of the keys that may be forgotten, by that time
//
// Every call is one round trip. A commit is one script, which Redis runs and
// logs as a whole. Redis is not asked for the time and expires nothing: a commit
// drops some of what has expired by the caller's clock. As no key has a TTL, a
// policy that evicts keys with a TTL leaves the store alone; one that evicts any
// key does not, and Open refuses it.
//
// A version is a random number drawn for the commit, not a count. A count would
// go back with a failover that loses writes, or with a backup, and then give the
// same version to two contents of a key.
//
// # What is durable
//
// Redis answers a commit when it is in memory. What a crash of the server then
// takes is the server's setting:
//
//	appendonly yes, appendfsync always     nothing
//	appendonly yes, appendfsync everysec   the last second, at worst two
//	appendonly no                          all since the last snapshot
//
// A failover takes what the replica had not received yet, unless the service
// replicates before it answers, as AWS MemoryDB does. Only the first line and
// such a service keep the contract's promise to the letter.
package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"

	"tocsin/pkg/store"
)

const (
	itemsKey   = "{tocsin}:items"
	keysKey    = "{tocsin}:keys"
	dueKey     = "{tocsin}:due"
	expiresKey = "{tocsin}:expires"
)

// Store is a store.Store in Redis. All methods may be called concurrently.
type Store struct {
	client                                  *client
	commitScript, rangeScript, nextScript *redis.Script
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := store.CheckKeys(keys...); err != nil || len(keys) == 0 {
		return nil, err
	}
	args := []any{itemsKey}
	for _, key := range keys {
		args = append(args, key)
	}
	found, err := redis.ByteSlices(s.client.read(ctx, func(c redis.Conn) (any, error) {
		return redis.DoContext(c, ctx, "HMGET", args...)
	}))
	if err == nil && len(found) != len(keys) {
		err = errUnexpectedReply
	}
	if err != nil {
		return nil, s.wrapError("get", err)
	}
	items := make([]store.Item, len(keys))
	for i, raw := range found {
		if items[i].Key = keys[i]; raw == nil {
			continue
		}
		if items[i], err = decode(keys[i], raw); err != nil {
			return nil, s.wrapError("get", err)
		}
	}
	return items, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	from := "[" + prefix
	if after >= prefix {
		from = "(" + after
	}
	items, err := s.readRange(ctx, keysKey, from, prefixEnd(prefix), limit, 0)
	if err != nil {
		return nil, s.wrapError("list", err)
	}
	return items, nil
}

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	if err := store.CheckKinds(kind); err != nil {
		return nil, err
	}
	items, err := s.readRange(ctx, dueKey, "["+queuePrefix(kind), prefixEnd(queuePrefix(kind)+timeText(now)), limit, keyOffset(kind))
	if err != nil {
		return nil, s.wrapError("due", err)
	}
	return items, nil
}

// NextDue implements store.Store.
func (s *Store) NextDue(ctx context.Context, kinds ...string) (time.Time, error) {
	if err := store.CheckKinds(kinds...); err != nil || len(kinds) == 0 {
		return time.Time{}, err
	}
	next, err := s.nextDue(ctx, kinds)
	if err != nil {
		return time.Time{}, s.wrapError("next due", err)
	}
	return next, nil
}

// Close implements store.Store.
func (s *Store) Close() error { return s.client.close() }

// read returns the items of up to limit entries of an index, from min to max as
// ZRANGEBYLEX takes them. keyAt is where in an entry the key begins.
func (s *Store) readRange(ctx context.Context, index, min, max string, limit, keyAt int) ([]store.Item, error) {
	if limit <= 0 {
		return nil, ctx.Err() // to Redis, a negative limit is none
	}
	reply, err := redis.ByteSlices(s.client.read(ctx, func(c redis.Conn) (any, error) {
		return s.rangeScript.DoContext(ctx, c, itemsKey, index, min, max, limit, keyAt)
	}))
	if err == nil && len(reply)%2 != 0 {
		err = errUnexpectedReply
	}
	if err != nil {
		return nil, err
	}
	items := make([]store.Item, len(reply)/2)
	for i := range items {
		entry, raw := string(reply[2*i]), reply[2*i+1]
		if raw == nil || len(entry) < keyAt {
			return nil, damagedError("%s names %q, which is not there", index, entry)
		}
		if items[i], err = decode(entry[keyAt:], raw); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// next returns the earliest due time of the kinds.
func (s *Store) nextDue(ctx context.Context, kinds []string) (nextDue time.Time, err error) {
	args := []any{dueKey}
	for _, kind := range kinds {
		args = append(args, kind)
	}
	entries, err := redis.Strings(s.client.read(ctx, func(c redis.Conn) (any, error) {
		return s.nextScript.DoContext(ctx, c, args...)
	}))
	if err == nil && len(entries) != len(kinds) {
		err = errUnexpectedReply
	}
	if err != nil {
		return nextDue, err
	}
	for i, entry := range entries {
		if entry == "" {
			continue
		}
		at, err := entryTime(kinds[i], entry)
		if err != nil {
			return nextDue, err
		}
		if nextDue.IsZero() || at.Before(nextDue) {
			nextDue = at
		}
	}
	return nextDue, nil
}

// behind returns the end, for ZRANGEBYLEX, of all that begins with prefix.
func prefixEnd(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return "(" + prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return "+"
}

// failed tells which store failed doing what.
func (s *Store) wrapError(doing string, err error) error {
	return fmt.Errorf("%s: %s: %w", s.client.address.name(), doing, err)
}

// Package redis is a store in Redis 6 or newer, for any number of instances at once.
//
// It uses four Redis keys, which share a hash tag so that a cluster keeps them on one
// node:
//
//	{tocsin}:items    hash of the items by their keys
//	{tocsin}:keys     sorted set of the keys, for List
//	{tocsin}:due      sorted set of kind, due time and key, for Due and NextDue
//	{tocsin}:expires  sorted set of the keys that have an expiry, by that time
//
// Every call is one round trip. A commit is one script, which Redis executes and logs
// as a whole. Redis's clock is not used and Redis expires nothing: a commit drops some
// of the items that have expired by the caller's clock. As no Redis key has a TTL, a
// maxmemory-policy that evicts only keys with a TTL does not affect the store; Open
// rejects a policy that evicts any key.
//
// The version of an item is a random number drawn for the commit, not a counter: after
// a failover that loses writes, or a restored backup, a counter would repeat and two
// contents of one key would have the same version.
//
// # Durability
//
// Redis acknowledges a commit when it is in memory. How much a crash of the server
// loses after that depends on its configuration:
//
//	appendonly yes, appendfsync always     nothing
//	appendonly yes, appendfsync everysec   the last second, two at worst
//	appendonly no                          everything since the last snapshot
//
// A failover loses what the replica has not received yet, unless the service
// replicates before it acknowledges, as AWS MemoryDB does. Only the first line and
// such a service fully keep the guarantee of package store.
package redis

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
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

// expiredPerCommit is how many expired items one commit drops at most.
const expiredPerCommit = 100

// Store implements store.Store.
type Store struct {
	client                                *client
	commitScript, rangeScript, nextScript *redis.Script
}

// Get returns the items of the keys.
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
		if items[i].Key = keys[i]; raw != nil {
			items[i] = readable(keys[i], raw)
		}
	}
	return items, nil
}

// List returns items by prefix.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	from := "[" + prefix
	if after >= prefix {
		from = "(" + after
	}
	entries, items, err := s.readRange(ctx, keysKey, from, prefixEnd(prefix), limit, 0)
	if err != nil {
		return nil, s.wrapError("list", err)
	}
	listed := make([]store.Item, len(entries))
	for i, key := range entries {
		listed[i] = readable(key, items[i])
	}
	return listed, nil
}

// Due returns the items of a kind that are due.
func (s *Store) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	if err := store.CheckKinds(kind); err != nil {
		return nil, err
	}
	entries, items, err := s.readRange(ctx, dueKey, "["+queuePrefix(kind), prefixEnd(queuePrefix(kind)+timeText(now)), limit, keyOffset(kind))
	if err != nil {
		return nil, s.wrapError("due", err)
	}
	due := make([]store.Item, 0, len(entries))
	for i, entry := range entries {
		at, err := entryTime(kind, entry)
		if err != nil {
			continue // no Tocsin wrote it
		}
		it := readable(entry[keyOffset(kind):], items[i])
		it.Due = at // the queue decides if the item has another time
		due = append(due, it)
	}
	return due, nil
}

// NextDue returns the earliest due time of the kinds.
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

// Commit applies all changes or none. The script is sent once: if the reply is lost,
// the error wraps store.ErrUnavailable and the changes may have been made. Sending it
// again could conflict with the first time. A caller that reads and decides again is
// right in both cases.
func (s *Store) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if err := store.CheckChanges(changes); err != nil {
		return err
	}
	version := newVersion()
	args := []any{itemsKey, keysKey, dueKey, expiresKey, now.UnixMilli(), expiredPerCommit, store.MayUseReserve(ctx, changes)}
	for _, c := range changes {
		args = append(args, scriptArgs(c, version)...)
	}
	n, err := redis.Int(s.client.write(ctx, func(c redis.Conn) (any, error) {
		return s.commitScript.DoContext(ctx, c, args...)
	}))
	switch {
	case err != nil:
		return s.wrapError("commit", err)
	case n > len(changes) || n < 0:
		return s.wrapError("commit", errUnexpectedReply)
	case n > 0:
		return s.wrapError("commit", store.Conflict(changes[n-1].Key))
	}
	return nil
}

// scriptArgs returns the arguments of commit.lua for a change.
func scriptArgs(c store.Change, version string) []any {
	condition, action, item, expires := "", "", []byte(nil), ""
	if known, set := c.If.Version(); set {
		condition = strconv.FormatUint(known, 10)
	}
	due := dueText(c.Due)
	switch {
	case c.Delete:
		action = "delete"
	case c.KeepsStored():
		action = "keep"
	case c.Writes():
		action, item = "set", encode(version, due, c.Value)
		if !c.Expires.IsZero() {
			expires = strconv.FormatInt(c.Expires.UnixMilli(), 10)
		}
	}
	return []any{c.Key, condition, dueText(c.If.Due()), action, item, due, expires}
}

// newVersion returns a random version.
func newVersion() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return strconv.FormatUint(binary.BigEndian.Uint64(b[:])|1, 10)
}

// Close closes the connections.
func (s *Store) Close() error { return s.client.close() }

// readRange returns up to limit entries of an index, from min to max in the notation of
// ZRANGEBYLEX, and their stored items. The keys begin at offset in the entries.
func (s *Store) readRange(ctx context.Context, index, min, max string, limit, offset int) (entries []string, items [][]byte, err error) {
	if limit <= 0 {
		return nil, nil, ctx.Err() // Redis takes a negative limit for no limit
	}
	reply, err := redis.ByteSlices(s.client.read(ctx, func(c redis.Conn) (any, error) {
		return s.rangeScript.DoContext(ctx, c, itemsKey, index, min, max, limit, offset)
	}))
	if err == nil && len(reply)%2 != 0 {
		err = errUnexpectedReply
	}
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i < len(reply); i += 2 {
		entries, items = append(entries, string(reply[i])), append(items, reply[i+1])
	}
	return entries, items, nil
}

// nextDue returns the earliest due time of the kinds, zero for none.
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

// prefixEnd returns the exclusive end, in the notation of ZRANGEBYLEX, of the strings
// that begin with prefix.
func prefixEnd(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return "(" + prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return "+"
}

// wrapError adds the store's address and the operation to an error.
func (s *Store) wrapError(op string, err error) error {
	return fmt.Errorf("%s: %s: %w", s.client.address.name(), op, err)
}

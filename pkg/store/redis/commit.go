package redis

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"

	"tocsin/pkg/store"
)

// forgetPerCommit bounds how many expired items one commit drops.
const expiredPerCommit = 100

// Commit implements store.Store. It is sent once: when the answer does not come,
// Commit returns store.ErrUnavailable without knowing whether the changes were
// made. Sent again, it could conflict with itself. A caller that reads again and
// decides again is right in both cases, as it is after a crash.
func (s *Store) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if err := store.CheckChanges(changes); err != nil {
		return err
	}
	version := newVersion()
	args := []any{itemsKey, keysKey, dueKey, expiresKey, now.UnixMilli(), expiredPerCommit}
	for _, c := range changes {
		args = append(args, scriptArgs(c, version)...)
	}
	n, err := redis.Int(s.client.write(ctx, func(c redis.Conn) (any, error) {
		return s.commitScript.DoContext(ctx, c, args...)
	}))
	switch {
	case err != nil:
		return s.wrapError("commit", err)
	case n > len(changes) || n < -len(changes):
		return s.wrapError("commit", errUnexpectedReply)
	case n > 0:
		return s.wrapError("commit", store.Conflict(changes[n-1].Key))
	case n < 0:
		return s.wrapError("commit", formatError(changes[-n-1].Key))
	}
	return nil
}

// arguments returns what commit.lua takes for a change.
func scriptArgs(c store.Change, version string) []any {
	args := []any{c.Key, "", "", "", "", ""}
	if known, set := c.If.Version(); set {
		args[1] = strconv.FormatUint(known, 10)
	}
	switch {
	case c.Delete:
		args[2] = "delete"
	case c.Writes():
		due := dueText(c.Due)
		args[2], args[3], args[4] = "set", encode(version, due, c.Value), due
		if !c.Expires.IsZero() {
			args[5] = c.Expires.UnixMilli()
		}
	}
	return args
}

// newVersion draws a version.
func newVersion() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return strconv.FormatUint(binary.BigEndian.Uint64(b[:])|1, 10)
}

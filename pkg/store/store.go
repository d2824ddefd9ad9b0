// Package store keeps Tocsin's state: small values under keys, changed together
// or not at all, some of them due at a time. There is no other place where state
// lives, so that any instance may be killed after any instruction and any number
// of instances may work on one store.
package store

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrConflict is returned by Commit when a key's version is not the expected
	// one. Nothing was written: read again, decide again.
	ErrConflict = errors.New("store: changed meanwhile")
	// ErrUnavailable wraps every error that means the store cannot be reached or
	// cannot write now. The caller may try again later.
	ErrUnavailable = errors.New("store: unavailable")
)

// Store is a set of items. A key is text of the form "kind/rest"; the kind, all
// before the first slash, is the queue in which the key may be due.
//
// What a backend promises:
//   - Commit is atomic over all its changes, and durable when it returns nil:
//     a crash after that loses nothing, a crash before leaves all or nothing.
//   - Versions are per key, opaque but never zero for a present item, and never
//     repeat for one key, not even over deletion.
//   - A Get, List or Due that starts after a Commit returned sees it, on every
//     instance.
//   - Values up to 1 MiB and commits of up to 10,000 changes work.
//   - No backend looks at a clock to decide what is there: times are the
//     caller's. The one exception is Expires, which allows a backend to forget.
//
// A backend that loads, changes and commits one document fits: a version is then
// the document's at the last change of the key, and a conflict of documents that
// touches none of the expected keys is retried inside Commit.
type Store interface {
	// Get returns the items of the keys, in the order asked for. An absent key
	// gives an Item with Version 0 and a nil Value.
	Get(ctx context.Context, keys ...string) ([]Item, error)

	// List returns up to limit items whose keys begin with prefix, in byte order
	// of keys, beginning behind the key after ("" for the first). Fewer than
	// limit items means there are no more.
	List(ctx context.Context, prefix, after string, limit int) ([]Item, error)

	// Due returns up to limit items of a kind that are due at or before now,
	// earliest first, equal times in byte order of keys. Work is proportional to
	// what is returned, not to what is stored.
	Due(ctx context.Context, kind string, now time.Time, limit int) ([]Item, error)

	// NextDue returns the earliest due time of the kinds, zero when none is due
	// ever.
	NextDue(ctx context.Context, kinds ...string) (time.Time, error)

	// Commit applies all changes or none. now is the caller's time; it serves
	// only to judge Expires. It returns ErrConflict when an expected version
	// does not hold.
	Commit(ctx context.Context, now time.Time, changes ...Change) error

	// Close releases the store. What was committed stays.
	Close() error
}

// Item is one key as it was read.
type Item struct {
	Key     string
	Value   []byte
	Version uint64
	// Due is zero when the key is in no queue.
	Due time.Time
}

// Change is a write of one key, or only a condition on it.
type Change struct {
	Key string
	// Value replaces what is stored. Delete removes the key instead. With
	// neither (a nil Value), the change is only its condition.
	Value  []byte
	Delete bool
	// Due puts the key into its kind's queue, to the millisecond; zero keeps it
	// out.
	Due time.Time
	// Expires, if set, is the time from which on the backend may forget the key.
	// It may do so late or never: a reader that cares checks for itself.
	Expires time.Time
	// If is the condition. The zero value sets none.
	If Condition
}

// Condition is what a change expects of its key.
type Condition struct {
	set     bool
	version uint64
}

// Unchanged expects that the key is still as it was read: that version, or still
// absent.
func Unchanged(it Item) Condition { return Condition{set: true, version: it.Version} }

// Absent expects that the key is not there.
func Absent() Condition { return Condition{set: true} }

// Holds tells whether the condition allows a change of a key that stands at
// version (0: absent).
func (c Condition) Holds(version uint64) bool { return !c.set || c.version == version }

// Version returns the version that the condition expects (0: absent), and whether
// it expects one at all: for a backend that has the server behind it check.
func (c Condition) Version() (version uint64, set bool) { return c.version, c.set }

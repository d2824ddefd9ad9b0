package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrConflict is wrapped by the error of a Commit when a key does not have the
	// version that its condition expects. Nothing was written.
	ErrConflict = errors.New("store: conflict")
	// ErrUnavailable is wrapped by every error which means that the store cannot
	// be reached or cannot write at the moment. The caller may try again later.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrInUse is wrapped by the error of Open when another process holds the store. It
	// is an ErrUnavailable.
	ErrInUse = fmt.Errorf("%w: another process holds it", ErrUnavailable)
	// ErrFull is wrapped by the error of a Commit that the store has no room for. It
	// wraps ErrUnavailable.
	ErrFull = fmt.Errorf("%w: full", ErrUnavailable)
	// ErrClosed is the error of a store that is used after Close. It wraps
	// ErrUnavailable.
	ErrClosed = fmt.Errorf("%w: it was closed", ErrUnavailable)
)

// Store is a set of items. All methods may be called concurrently. The package
// documentation has the guarantees that hold for every implementation.
//
// Every method returns ctx's error when ctx is done before it starts, and an error
// that wraps ErrUnavailable when the store cannot be reached.
type Store interface {
	// Get returns the items of the keys in the order of the arguments. An absent
	// key gives an Item with Version 0 and a nil Value.
	Get(ctx context.Context, keys ...string) ([]Item, error)

	// List returns up to limit items whose keys begin with prefix, in byte order of
	// keys, starting after the key after ("" for the beginning). Fewer than limit
	// items means that there are no more.
	List(ctx context.Context, prefix, after string, limit int) ([]Item, error)

	// Due returns up to limit items of a kind that are due at or before now,
	// earliest first and equal times in byte order of keys.
	Due(ctx context.Context, kind string, now time.Time, limit int) ([]Item, error)

	// NextDue returns the earliest due time of any of the kinds, zero when nothing
	// of them has a due time.
	NextDue(ctx context.Context, kinds ...string) (time.Time, error)

	// Commit applies all changes or none. It returns an error that wraps
	// ErrConflict when a condition does not hold, and one that wraps
	// ErrUnavailable when it is unknown whether the changes were made. now is used
	// only to decide which expired items may be dropped.
	Commit(ctx context.Context, now time.Time, changes ...Change) error

	// Close releases the store. Everything committed stays.
	Close() error
}

// Item is one key as it was read.
type Item struct {
	Key     string
	Value   []byte // nil when the key is absent
	Version uint64 // 0 when the key is absent
	// Due is the time under which the item stands in its queue, zero for none.
	Due time.Time

	parts  []string // keys of its parts; see WithLargeValues
	err    error    // why it cannot be decoded; see Unreadable
	report func(it Item, err error)
}

// Change is a write of one key, or only a condition on it.
type Change struct {
	Key string
	// Value replaces the stored value. With Delete the key is removed instead. A
	// change with neither (Value is nil, not just empty) is only its condition.
	Value  []byte
	Delete bool
	// Due puts the key into its kind's queue; zero takes it out. A write replaces
	// the due time along with the value.
	Due time.Time
	// Expires is the time after which the backend may drop the key; zero is never.
	Expires time.Time
	// If must hold for the whole commit to be applied. The zero Condition always
	// holds.
	If Condition

	keep bool // see KeepsStored
}

// Writes reports whether the change does more than check its condition.
func (c Change) Writes() bool { return c.Delete || c.Value != nil || c.keep }

// KeepsStored reports whether the change only moves the due time of a key whose item the
// backend cannot decode; see Reschedule.
func (c Change) KeepsStored() bool { return c.keep }

// Condition is what a change expects of its key.
type Condition struct {
	set     bool
	version uint64
	parts   []string  // of the item that it was made of
	due     time.Time // likewise
}

// Unchanged returns the condition that the key still has the version of the item,
// or is still absent.
func Unchanged(it Item) Condition {
	return Condition{set: true, version: it.Version, parts: it.parts, due: it.Due}
}

// Unconditional returns no condition, for the deletion of an item in whatever state it is
// by then. The parts that its value had when it was read (see WithLargeValues) are deleted
// with it.
func Unconditional(it Item) Condition { return Condition{parts: it.parts, due: it.Due} }

// Absent returns the condition that the key does not exist.
func Absent() Condition { return Condition{set: true} }

// Holds reports whether the condition holds for a key whose stored version is
// version (0 for an absent key).
func (c Condition) Holds(version uint64) bool { return !c.set || c.version == version }

// Version returns the version that the condition expects (0 for an absent key), and
// whether it expects any.
func (c Condition) Version() (version uint64, set bool) { return c.version, c.set }

// Due returns the due time that the item of the condition was read with. If the stored item
// has another one, the item or the queue is damaged, and a commit removes the key from
// both places of the queue.
func (c Condition) Due() time.Time { return c.due }

// Conflict returns the error of a commit that failed because of key. It wraps
// ErrConflict.
func Conflict(key string) error { return fmt.Errorf("%w: %q", ErrConflict, key) }

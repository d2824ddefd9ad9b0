// Package store is Tocsin's only memory: small values under keys, changed together
// or not at all, some of them due at a time. Every instance keeps its state here
// and nowhere else, so that any instance may be killed after any instruction and
// any number of instances may share one store.
//
// # Basics
//
// A Store holds items: a key, a value of up to [MaxValue] bytes, a version, and
// optionally a due time and an expiry. Keys have the form "kind/rest". The kind,
// everything before the first slash, is also the queue in which the key may be
// due. Package keyspace lists all kinds and their owners.
//
// Get, List, Due and NextDue read; [Pages] iterates over List. Commit is the only write:
// it applies up to [MaxChanges] changes atomically. [Encode] and [Decode] turn values
// into changes and items into values.
//
// # Optimistic commits
//
// There are no locks and no open transactions. A caller reads items, decides, and
// commits changes that each carry a condition: Unchanged(item) holds while the key
// still has the version that was read, Absent() while it does not exist. If any
// condition fails, Commit returns an error that wraps ErrConflict, nothing was
// written, and the caller reads and decides again; [RetryOnConflict] does that up
// to 16 times.
//
// A change without a condition overwrites whatever is there. A change with neither
// Value nor Delete writes nothing and is only its condition: it ties a commit to a
// key that it does not change.
//
// # Due times
//
// An item with a due time stands in its kind's queue. Due returns the items of one
// kind that are due, earliest first, at a cost proportional to the result and not
// to the size of the store. To lease work, move its due time ahead by the length
// of the lease, on the condition that the item is unchanged: one instance wins, and
// if it dies the item becomes due again.
//
// # Guarantees
//
// Every backend passes the conformance tests of package storetest:
//
//   - Atomic: a commit is applied as a whole or not at all, also when the process
//     is killed in the middle of it.
//   - Durable: when Commit returns nil, a crash loses nothing of it. The memory
//     backend ends with its process; what Redis keeps depends on how its server is
//     configured (see package redis).
//   - Consistent reads: a Get, List or Due that starts after a Commit has returned
//     sees that commit, on every instance, and a single call sees every commit as a
//     whole or not at all.
//   - Versions are opaque, never zero for an existing item, and never repeat for
//     one key, even after it was deleted and created again. Writing the same bytes
//     again changes the version.
//   - Order: List sorts by the bytes of keys; Due sorts by time, then by the bytes
//     of keys.
//   - One item that cannot be decoded, because it is damaged or a newer version wrote it,
//     fails no call. It is returned with a version, without a value, and Decode returns
//     the error; it can be replaced, deleted and rescheduled ([Reschedule]). An item whose
//     due time differs from the one in its queue is due at the time in the queue.
//   - Clocks: whether an item exists or is due never depends on a backend's clock. All
//     times come from the caller and are kept to the millisecond, rounded down.
//
// # Space
//
// A store that is full refuses commits that add items with [ErrFull], before those of
// [WithReserve] and those that replace and delete items have no room. So alerts that were
// accepted are delivered, and deliveries make room.
//
// # Caveats
//
//   - After an error from Commit that wraps ErrUnavailable, the changes may have been
//     made: the answer may have been lost. Read again before deciding, as after a
//     crash.
//   - Expires is a permission, not a timer. A backend drops expired items with
//     later commits, some at a time, or never. A reader that must not see an
//     expired item compares the time itself.
//   - Pages of List are separate reads. Items that change between two pages may be
//     seen as they were before or after.
//   - Values that are returned belong to the caller; values that are committed may
//     be reused after Commit returns.
//
// # Writing a backend
//
// The interface is small enough that a backend is one folder. CheckKeys,
// CheckKinds and CheckChanges enforce the limits that make every backend accept
// the same calls. Condition.Holds evaluates a condition where the backend can see
// the stored version; Condition.Version returns what to compare when the server
// behind it does that. A backend that loads, changes and writes back one document
// fits too: an item's version is then the document's version at the item's last
// change, and a collision of two writers that touches none of the expected keys is
// retried inside Commit. [Unreadable] makes the item of a stored form that the backend
// cannot decode, and storetest.RunUnreadable tests it.
package store

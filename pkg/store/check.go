package store

import (
	"fmt"
	"strings"
)

// Limits that every backend keeps, so that what works on one works on all.
const (
	MaxKey     = 1 << 10 // bytes of a key
	MaxValue   = 1 << 20 // bytes of a value
	MaxChanges = 10_000  // changes of one commit
)

// Kind returns the queue that a key belongs to: all before its first slash.
func Kind(key string) string {
	kind, _, _ := strings.Cut(key, "/")
	return kind
}

// CheckKeys returns an error for the first key that is not of the form
// "kind/rest" or is longer than MaxKey. Backends call it, callers need not.
func CheckKeys(keys ...string) error {
	for _, key := range keys {
		if len(key) > MaxKey {
			return fmt.Errorf("store: key %.40q… has %d bytes, more than %d", key, len(key), MaxKey)
		}
		if strings.IndexByte(key, '/') < 1 {
			return fmt.Errorf("store: key %q is not of the form kind/rest", key)
		}
	}
	return nil
}

// CheckKinds returns an error for the first kind that no key can have.
func CheckKinds(kinds ...string) error {
	for _, kind := range kinds {
		if kind == "" || strings.Contains(kind, "/") {
			return fmt.Errorf("store: kind %q is empty or has a slash", kind)
		}
	}
	return nil
}

// CheckChanges returns an error if a commit breaks a limit or changes one key
// twice. Such a commit is the caller's mistake and never succeeds.
func CheckChanges(changes []Change) error {
	if len(changes) > MaxChanges {
		return fmt.Errorf("store: %d changes in one commit, more than %d: commit in parts", len(changes), MaxChanges)
	}
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		if err := CheckKeys(c.Key); err != nil {
			return err
		}
		if len(c.Value) > MaxValue {
			return fmt.Errorf("store: value of %q has %d bytes, more than %d", c.Key, len(c.Value), MaxValue)
		}
		if seen[c.Key] {
			return fmt.Errorf("store: key %q twice in one commit", c.Key)
		}
		seen[c.Key] = true
	}
	return nil
}

// Writes tells whether the change is more than its condition.
func (c Change) Writes() bool { return c.Delete || c.Value != nil }

// Conflict returns ErrConflict with the key that had changed.
func Conflict(key string) error { return fmt.Errorf("%w: %q", ErrConflict, key) }

// ErrClosed is the error of a store that is used after its Close. It wraps
// ErrUnavailable.
var ErrClosed = fmt.Errorf("%w: it was closed", ErrUnavailable)

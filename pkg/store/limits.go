package store

import (
	"fmt"
	"strings"
)

// Limits of every backend, so that a call that works on one works on all.
const (
	MaxKey     = 1 << 10 // bytes of a key
	MaxValue   = 1 << 20 // bytes of a value
	MaxChanges = 10_000  // changes of one commit
)

// Kind returns the part of a key before its first slash, which is also the name of
// its queue.
func Kind(key string) string {
	kind, _, _ := strings.Cut(key, "/")
	return kind
}

// CheckKeys returns an error for the first key that is longer than MaxKey or does
// not have the form "kind/rest". Only backends need to call it.
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

// CheckKinds returns an error for the first kind that is empty or has a slash.
// Only backends need to call it.
func CheckKinds(kinds ...string) error {
	for _, kind := range kinds {
		if kind == "" || strings.Contains(kind, "/") {
			return fmt.Errorf("store: kind %q is empty or has a slash", kind)
		}
	}
	return nil
}

// CheckChanges returns an error for a commit that exceeds a limit or changes a key
// twice. Such a commit never succeeds, however often it is tried. Only backends
// need to call it.
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

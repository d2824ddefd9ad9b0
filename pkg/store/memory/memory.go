// Package memory is a store in this process, gone when it ends: for tests, and for
// functions whose owner accepts that a cold start loses the state.
package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/store"
)

// expiredPerCommit is how many expired items one commit drops at most.
const expiredPerCommit = 100

// Store implements store.Store.
type Store struct {
	mu      sync.Mutex
	closed  bool
	version uint64 // of the last commit
	items   map[string]storedItem
	keys    sortedSet[string]
	due     sortedSet[queueEntry]
	expires sortedSet[queueEntry] // by expiry; the queue is "" for all
}

type storedItem struct {
	store.Item
	expires time.Time
}

// queueEntry is an entry of a time index.
type queueEntry struct {
	queue string
	at    time.Time
	key   string
}

// New returns an empty store.
func New() *Store {
	compare := func(a, b queueEntry) int {
		return cmp.Or(strings.Compare(a.queue, b.queue), a.at.Compare(b.at), strings.Compare(a.key, b.key))
	}
	return &Store{
		items:   map[string]storedItem{},
		keys:    sortedSet[string]{compare: strings.Compare},
		due:     sortedSet[queueEntry]{compare: compare},
		expires: sortedSet[queueEntry]{compare: compare},
	}
}

// Get returns the items of the keys.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	items := make([]store.Item, len(keys))
	for i, key := range keys {
		items[i] = s.item(key)
	}
	return items, nil
}

// List returns items by prefix.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	var items []store.Item
	for key := range s.keys.from(max(prefix, after)) {
		if len(items) >= limit || !strings.HasPrefix(key, prefix) {
			break
		}
		if key != after {
			items = append(items, s.item(key))
		}
	}
	return items, nil
}

// Due returns the items of a kind that are due.
func (s *Store) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	if err := store.CheckKinds(kind); err != nil {
		return nil, err
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	var items []store.Item
	for entry := range s.due.from(queueEntry{queue: kind}) {
		if len(items) >= limit || entry.queue != kind || entry.at.After(now) {
			break
		}
		items = append(items, s.item(entry.key))
	}
	return items, nil
}

// NextDue returns the earliest due time of the kinds.
func (s *Store) NextDue(ctx context.Context, kinds ...string) (time.Time, error) {
	if err := store.CheckKinds(kinds...); err != nil {
		return time.Time{}, err
	}
	if err := s.lock(ctx); err != nil {
		return time.Time{}, err
	}
	defer s.mu.Unlock()

	var next time.Time
	for _, kind := range kinds {
		for entry := range s.due.from(queueEntry{queue: kind}) {
			if entry.queue == kind && (next.IsZero() || entry.at.Before(next)) {
				next = entry.at
			}
			break
		}
	}
	return next, nil
}

// Commit applies all changes or none. A version is the number of the commit.
func (s *Store) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	if err := store.CheckChanges(changes); err != nil {
		return err
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()

	for _, c := range changes {
		if !c.If.Holds(s.items[c.Key].Version) {
			return store.Conflict(c.Key)
		}
	}
	s.version++
	for _, c := range changes {
		if c.KeepsStored() {
			c.Value, c.Expires = s.items[c.Key].Value, s.items[c.Key].expires
		}
		if c.Writes() {
			s.remove(c.Key)
		}
		if c.Writes() && !c.Delete {
			s.put(c)
		}
	}
	s.dropExpired(now)
	return nil
}

// Close drops everything.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.items = true, nil
	s.keys.runs, s.due.runs, s.expires.runs = nil, nil, nil
	return nil
}

// lock locks s.mu, unless ctx is done or the store is closed.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory store: %w", err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	return nil
}

// item returns a copy of the item of a key.
func (s *Store) item(key string) store.Item {
	it := s.items[key].Item
	it.Key, it.Value = key, bytes.Clone(it.Value)
	return it
}

// put adds the item of a key that is not present.
func (s *Store) put(c store.Change) {
	it := storedItem{expires: c.Expires}
	it.Value, it.Version, it.Due = bytes.Clone(c.Value), s.version, time.UnixMilli(c.Due.UnixMilli()).UTC()
	s.items[c.Key] = it
	s.keys.insert(c.Key)
	if !it.Due.IsZero() {
		s.due.insert(queueEntry{store.Kind(c.Key), it.Due, c.Key})
	}
	if !it.expires.IsZero() {
		s.expires.insert(queueEntry{"", it.expires, c.Key})
	}
}

// remove removes a key from the items and the indexes, if it is present.
func (s *Store) remove(key string) {
	it := s.items[key]
	s.due.remove(queueEntry{store.Kind(key), it.Due, key})
	s.expires.remove(queueEntry{"", it.expires, key})
	s.keys.remove(key)
	delete(s.items, key)
}

// dropExpired removes up to expiredPerCommit items that expired at or before now.
func (s *Store) dropExpired(now time.Time) {
	var keys []string
	for entry := range s.expires.from(queueEntry{}) {
		if len(keys) == expiredPerCommit || entry.at.After(now) {
			break
		}
		keys = append(keys, entry.key)
	}
	for _, key := range keys {
		s.remove(key)
	}
}

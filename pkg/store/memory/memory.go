// Package memory keeps a store in this process: for tests, and for functions
// whose owner accepts that a cold start forgets.
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

// forgetPerCommit bounds how many expired items one commit drops.
const forgetPerCommit = 100

// Store is a store.Store in memory. All methods may be called concurrently.
type Store struct {
	mu      sync.Mutex
	closed  bool
	version uint64 // of the last commit
	items   map[string]entry
	keys    sorted[string]
	due     sorted[slot]
	expires sorted[slot] // all in the queue ""
}

type entry struct {
	store.Item
	expires time.Time
}

// slot is a key's place in a queue.
type slot struct {
	queue string
	at    time.Time
	key   string
}

// New returns an empty store.
func New() *Store {
	compare := func(a, b slot) int {
		return cmp.Or(strings.Compare(a.queue, b.queue), a.at.Compare(b.at), strings.Compare(a.key, b.key))
	}
	return &Store{
		items:   map[string]entry{},
		keys:    sorted[string]{compare: strings.Compare},
		due:     sorted[slot]{compare: compare},
		expires: sorted[slot]{compare: compare},
	}
}

// Get implements store.Store.
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

// List implements store.Store.
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

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	if err := store.CheckKinds(kind); err != nil {
		return nil, err
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	var items []store.Item
	for place := range s.due.from(slot{queue: kind}) {
		if len(items) >= limit || place.queue != kind || place.at.After(now) {
			break
		}
		items = append(items, s.item(place.key))
	}
	return items, nil
}

// NextDue implements store.Store.
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
		for place := range s.due.from(slot{queue: kind}) {
			if place.queue == kind && (next.IsZero() || place.at.Before(next)) {
				next = place.at
			}
			break
		}
	}
	return next, nil
}

// Commit implements store.Store.
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
		if c.Writes() {
			s.remove(c.Key)
		}
		if c.Writes() && !c.Delete {
			s.put(c)
		}
	}
	s.forget(now)
	return nil
}

// Close implements store.Store. It forgets everything.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.items = true, nil
	s.keys.runs, s.due.runs, s.expires.runs = nil, nil, nil
	return nil
}

// lock takes the lock, unless the call is not to be served.
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

// item returns a copy of what the key holds.
func (s *Store) item(key string) store.Item {
	it := s.items[key].Item
	it.Key, it.Value = key, bytes.Clone(it.Value)
	return it
}

func (s *Store) put(c store.Change) {
	e := entry{expires: c.Expires}
	e.Value, e.Version, e.Due = bytes.Clone(c.Value), s.version, time.UnixMilli(c.Due.UnixMilli()).UTC()
	s.items[c.Key] = e
	s.keys.insert(c.Key)
	if !e.Due.IsZero() {
		s.due.insert(slot{store.Kind(c.Key), e.Due, c.Key})
	}
	if !e.expires.IsZero() {
		s.expires.insert(slot{"", e.expires, c.Key})
	}
}

func (s *Store) remove(key string) {
	e := s.items[key]
	s.due.remove(slot{store.Kind(key), e.Due, key})
	s.expires.remove(slot{"", e.expires, key})
	s.keys.remove(key)
	delete(s.items, key)
}

func (s *Store) forget(now time.Time) {
	var keys []string
	for place := range s.expires.from(slot{}) {
		if len(keys) == forgetPerCommit || place.at.After(now) {
			break
		}
		keys = append(keys, place.key)
	}
	for _, key := range keys {
		s.remove(key)
	}
}

package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/store"
)

// Damaged is a store with items that cannot be decoded, as a backend returns them: for the
// tests of those who read them.
type Damaged struct {
	store.Store

	mu   sync.Mutex
	keys map[string]bool
}

// damagedForm stands for the stored form of every damaged item.
var damagedForm = []byte("damaged")

// Damage damages every item of s whose key begins with prefix, and returns how many.
func (s *Damaged) Damage(ctx context.Context, prefix string) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[string]bool{}
	}
	for page, err := range store.Pages(ctx, s.Store, prefix, 1000) {
		if err != nil {
			return n, err
		}
		for _, it := range page {
			s.keys[it.Key] = true
			n++
		}
	}
	return n, nil
}

// Left returns how many damaged items there are whose keys begin with prefix.
func (s *Damaged) Left(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.keys {
		if strings.HasPrefix(key, prefix) {
			n++
		}
	}
	return n
}

func (s *Damaged) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damage(s.Store.Get(ctx, keys...))
}

func (s *Damaged) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damage(s.Store.List(ctx, prefix, after, limit))
}

func (s *Damaged) Due(ctx context.Context, kind string, now time.Time, limit int) ([]store.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damage(s.Store.Due(ctx, kind, now, limit))
}

func (s *Damaged) damage(items []store.Item, err error) ([]store.Item, error) {
	for i, it := range items {
		if s.keys[it.Key] {
			items[i] = store.Unreadable(it.Key, damagedForm, it.Due, errors.New("damaged by the test"))
		}
	}
	return items, err
}

func (s *Damaged) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := append([]store.Change(nil), changes...)
	for i, c := range changes {
		if !s.keys[c.Key] {
			continue
		}
		if !c.If.Holds(store.RawVersion(damagedForm)) {
			return store.Conflict(c.Key)
		}
		changed[i].If = store.Condition{}
		if c.KeepsStored() {
			items, err := s.Store.Get(ctx, c.Key)
			if err != nil {
				return err
			}
			changed[i] = store.Change{Key: c.Key, Value: items[0].Value, Due: c.Due}
		}
	}
	err := s.Store.Commit(ctx, now, changed...)
	for _, c := range changes {
		if err == nil && c.Writes() && !c.KeepsStored() {
			delete(s.keys, c.Key)
		}
	}
	return err
}

package storetest

import (
	"context"
	"time"

	"tocsin/pkg/store"
)

// Op is an operation on a store: Get, List, Due or Commit.
type Op struct {
	Name    string
	Changes []store.Change // of a Commit
}

// Intercept returns a store that runs each operation on s through fn, which runs it
// by calling do, or fails it by returning an error: for tests of crashes, outages
// and conflicts.
func Intercept(s store.Store, fn func(ctx context.Context, op Op, do func() error) error) store.Store {
	return &intercepted{s, fn}
}

type intercepted struct {
	store.Store
	fn func(ctx context.Context, op Op, do func() error) error
}

func (s *intercepted) Get(ctx context.Context, keys ...string) (items []store.Item, err error) {
	err = s.fn(ctx, Op{Name: "Get"}, func() (err error) { items, err = s.Store.Get(ctx, keys...); return err })
	return items, err
}

func (s *intercepted) List(ctx context.Context, prefix, after string, limit int) (items []store.Item, err error) {
	err = s.fn(ctx, Op{Name: "List"}, func() (err error) { items, err = s.Store.List(ctx, prefix, after, limit); return err })
	return items, err
}

func (s *intercepted) Due(ctx context.Context, kind string, now time.Time, limit int) (items []store.Item, err error) {
	err = s.fn(ctx, Op{Name: "Due"}, func() (err error) { items, err = s.Store.Due(ctx, kind, now, limit); return err })
	return items, err
}

func (s *intercepted) Commit(ctx context.Context, now time.Time, changes ...store.Change) error {
	return s.fn(ctx, Op{Name: "Commit", Changes: changes}, func() error { return s.Store.Commit(ctx, now, changes...) })
}

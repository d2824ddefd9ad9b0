package store

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"time"
)

// Unreadable returns the item of a key whose stored form, raw, a backend cannot decode
// because of err; raw is nil if an index has the key and nothing is stored. The item has
// no value, and Decode returns err. It can be replaced, deleted and rescheduled like any
// other. Only backends need to call it.
func Unreadable(key string, raw []byte, due time.Time, err error) Item {
	return Item{Key: key, Version: RawVersion(raw), Due: due, err: err}
}

// RawVersion returns the version of an item that a backend cannot decode, from its stored
// form: 0 for nil, otherwise one more than the first 52 bits of its SHA-1, which scripts in
// Redis can compute.
func RawVersion(raw []byte) uint64 {
	if raw == nil {
		return 0
	}
	sum := sha1.Sum(raw)
	n, _ := strconv.ParseUint(hex.EncodeToString(sum[:])[:13], 16, 64) // 13 digits are 52 bits
	return n + 1
}

// Reschedule returns the change that makes an unchanged item due at another time, zero for
// never. The value stays, also if it cannot be decoded: a newer version may be able to.
func Reschedule(it Item, due time.Time) Change {
	c := Change{Key: it.Key, Value: it.Value, Due: due, If: Unchanged(it)}
	if it.err != nil {
		c.keep, c.Delete = it.Version != 0, it.Version == 0
	}
	return c
}

// ReportUnreadable returns s with items for which Decode calls report when it fails, so
// that one place logs and counts them for all readers.
func ReportUnreadable(s Store, report func(it Item, err error)) Store {
	return &reportingStore{s, report}
}

type reportingStore struct {
	Store
	report func(it Item, err error)
}

func (s *reportingStore) Get(ctx context.Context, keys ...string) ([]Item, error) {
	return s.mark(s.Store.Get(ctx, keys...))
}

func (s *reportingStore) List(ctx context.Context, prefix, after string, limit int) ([]Item, error) {
	return s.mark(s.Store.List(ctx, prefix, after, limit))
}

func (s *reportingStore) Due(ctx context.Context, kind string, now time.Time, limit int) ([]Item, error) {
	return s.mark(s.Store.Due(ctx, kind, now, limit))
}

func (s *reportingStore) mark(items []Item, err error) ([]Item, error) {
	for i := range items {
		items[i].report = s.report
	}
	return items, err
}

// Package storetest holds every backend of package store to its contract.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"tocsin/pkg/store"
)

// Run runs the contract's tests. open gives each test an empty store of its own;
// Run closes it.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"Get", testGet},
		{"Delete", testDelete},
		{"Copies", testCopies},
		{"Atomic", testAtomic},
		{"Conditions", testConditions},
		{"ConditionOnly", testConditionOnly},
		{"VersionsNeverRepeat", testVersionsNeverRepeat},
		{"Refused", testRefused},
		{"Limits", testLimits},
		{"Expires", testExpires},
		{"List", testList},
		{"ListBytes", testListBytes},
		{"ListPages", testListPages},
		{"Due", testDue},
		{"DueMoves", testDueMoves},
		{"DueMillisecond", testDueMillisecond},
		{"NextDue", testNextDue},
		{"Lease", testLease},
		{"Concurrent", testConcurrent},
		{"Snapshot", testSnapshot},
		{"Model", testModel},
		{"Cancelled", testCancelled},
		{"Closed", testClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			test.run(t, s)
		})
	}
}

// noon is the time at which most tests play: no backend looks at a clock.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func set(key, value string) store.Change {
	return store.Change{Key: key, Value: []byte(value)}
}

func setDue(key string, due time.Time) store.Change {
	return store.Change{Key: key, Value: []byte(key), Due: due}
}

func del(key string) store.Change { return store.Change{Key: key, Delete: true} }

func commit(t *testing.T, s store.Store, changes ...store.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), noon, changes...); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func conflict(t *testing.T, s store.Store, changes ...store.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), noon, changes...); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("Commit: %v, want ErrConflict", err)
	}
}

func get(t *testing.T, s store.Store, key string) store.Item {
	t.Helper()
	items, err := s.Get(t.Context(), key)
	if err != nil || len(items) != 1 {
		t.Fatalf("Get(%q): %d items, %v", key, len(items), err)
	}
	return items[0]
}

// want fails unless the key holds the value; "" stands for an absent key.
func want(t *testing.T, s store.Store, key, value string) {
	t.Helper()
	it := get(t, s, key)
	if string(it.Value) != value || (it.Version == 0) != (value == "") {
		t.Fatalf("%q holds %q at version %d, want %q", key, it.Value, it.Version, value)
	}
}

func list(t *testing.T, s store.Store, prefix, after string, limit int) []string {
	t.Helper()
	items, err := s.List(t.Context(), prefix, after, limit)
	if err != nil {
		t.Fatalf("List(%q, %q, %d): %v", prefix, after, limit, err)
	}
	return keys(items)
}

func due(t *testing.T, s store.Store, kind string, now time.Time, limit int) []string {
	t.Helper()
	items, err := s.Due(t.Context(), kind, now, limit)
	if err != nil {
		t.Fatalf("Due(%q, %v, %d): %v", kind, now, limit, err)
	}
	return keys(items)
}

func nextDue(t *testing.T, s store.Store, kinds ...string) time.Time {
	t.Helper()
	next, err := s.NextDue(t.Context(), kinds...)
	if err != nil {
		t.Fatalf("NextDue(%q): %v", kinds, err)
	}
	return next
}

func wantKeys(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func keys(items []store.Item) []string {
	var list []string
	for _, it := range items {
		list = append(list, it.Key)
	}
	return list
}

func testCancelled(t *testing.T, s store.Store) {
	commit(t, s, set("a/1", "before"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range calls(ctx, s) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", name, err)
		}
	}
	want(t, s, "a/1", "before")
}

func testClosed(t *testing.T, s store.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range calls(t.Context(), s) {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
}

// calls calls every method but Close once.
func calls(ctx context.Context, s store.Store) map[string]error {
	_, get := s.Get(ctx, "a/1")
	_, list := s.List(ctx, "a/", "", 1)
	_, due := s.Due(ctx, "a", noon, 1)
	_, next := s.NextDue(ctx, "a")
	commit := s.Commit(ctx, noon, set("a/1", "after"))
	return map[string]error{"Get": get, "List": list, "Due": due, "NextDue": next, "Commit": commit}
}

func testGet(t *testing.T, s store.Store) {
	when := noon.Add(time.Hour)
	commit(t, s, set("a/1", "one"), set("b/2", "two"), store.Change{Key: "a/empty", Value: []byte{}, Due: when})

	items, err := s.Get(t.Context(), "b/2", "a/absent", "a/empty", "a/1", "b/2")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, it := range items {
		got = append(got, fmt.Sprintf("%s=%q present:%v due:%v", it.Key, it.Value, it.Version != 0, it.Due.Equal(when)))
	}
	wantKeys(t, "Get", got,
		`b/2="two" present:true due:false`,
		`a/absent="" present:false due:false`,
		`a/empty="" present:true due:true`,
		`a/1="one" present:true due:false`,
		`b/2="two" present:true due:false`)
	if items[1].Value != nil {
		t.Error("the value of an absent key is not nil")
	}
	if items[2].Value == nil {
		t.Error("the value of a key with an empty value is nil")
	}
	if !items[0].Due.IsZero() {
		t.Errorf("due %v, want the zero time", items[0].Due)
	}
	if items, err := s.Get(t.Context()); err != nil || len(items) != 0 {
		t.Errorf("Get of nothing: %v, %v", items, err)
	}
}

func testDelete(t *testing.T, s store.Store) {
	commit(t, s, setDue("a/1", noon), set("a/2", "two"), del("a/absent"))
	commit(t, s, store.Change{Key: "a/1", Delete: true, Value: []byte("ignored"), Due: noon})
	want(t, s, "a/1", "")
	want(t, s, "a/2", "two")
	wantKeys(t, "List", list(t, s, "a/", "", 9), "a/2")
	wantKeys(t, "Due", due(t, s, "a", noon, 9))
}

func testCopies(t *testing.T, s store.Store) {
	value := []byte("abc")
	commit(t, s, store.Change{Key: "a/1", Value: value, Due: noon})
	value[0] = 'X'
	want(t, s, "a/1", "abc")

	listed, err1 := s.List(t.Context(), "a/", "", 1)
	queued, err2 := s.Due(t.Context(), "a", noon, 1)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, it := range []store.Item{get(t, s, "a/1"), listed[0], queued[0]} {
		if !bytes.Equal(it.Value, []byte("abc")) {
			t.Fatalf("value %q, want abc", it.Value)
		}
		it.Value[0] = 'X'
	}
	want(t, s, "a/1", "abc")
}

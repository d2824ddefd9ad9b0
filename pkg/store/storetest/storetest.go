// Package storetest has the conformance tests that every backend of package store must
// pass, and benchmarks.
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

// Run runs the conformance tests. open returns an empty store for each test, which Run
// closes.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"Get", testGet},
		{"Delete", testDelete},
		{"ValuesAreCopied", testValuesAreCopied},
		{"Atomic", testAtomic},
		{"Conditions", testConditions},
		{"ConditionOnly", testConditionOnly},
		{"VersionsNeverRepeat", testVersionsNeverRepeat},
		{"Rejected", testRejected},
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

// noon is the time of most commits. No backend reads a clock.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func set(key, value string) store.Change {
	return store.Change{Key: key, Value: []byte(value)}
}

func setDue(key string, due time.Time) store.Change {
	return store.Change{Key: key, Value: []byte(key), Due: due}
}

func del(key string) store.Change { return store.Change{Key: key, Delete: true} }

func mustCommit(t *testing.T, s store.Store, changes ...store.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), noon, changes...); err != nil {
		t.Fatalf("Commit: got %v, want no error", err)
	}
}

func mustConflict(t *testing.T, s store.Store, changes ...store.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), noon, changes...); !errors.Is(err, store.ErrConflict) {
		t.Fatalf("Commit: got %v, want ErrConflict", err)
	}
}

func mustGet(t *testing.T, s store.Store, key string) store.Item {
	t.Helper()
	items, err := s.Get(t.Context(), key)
	if err != nil || len(items) != 1 {
		t.Fatalf("Get(%q): got %d items, %v, want one", key, len(items), err)
	}
	return items[0]
}

// wantValue fails the test unless the key has the value; "" is an absent key.
func wantValue(t *testing.T, s store.Store, key, value string) {
	t.Helper()
	it := mustGet(t, s, key)
	if string(it.Value) != value || (it.Version == 0) != (value == "") {
		t.Fatalf("%q: got %q at version %d, want %q", key, it.Value, it.Version, value)
	}
}

func listKeys(t *testing.T, s store.Store, prefix, after string, limit int) []string {
	t.Helper()
	items, err := s.List(t.Context(), prefix, after, limit)
	if err != nil {
		t.Fatalf("List(%q, %q, %d): got %v, want no error", prefix, after, limit, err)
	}
	return keysOf(items)
}

func dueKeys(t *testing.T, s store.Store, kind string, now time.Time, limit int) []string {
	t.Helper()
	items, err := s.Due(t.Context(), kind, now, limit)
	if err != nil {
		t.Fatalf("Due(%q, %v, %d): got %v, want no error", kind, now, limit, err)
	}
	return keysOf(items)
}

func mustNextDue(t *testing.T, s store.Store, kinds ...string) time.Time {
	t.Helper()
	next, err := s.NextDue(t.Context(), kinds...)
	if err != nil {
		t.Fatalf("NextDue(%q): got %v, want no error", kinds, err)
	}
	return next
}

func wantKeys(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func keysOf(items []store.Item) []string {
	var list []string
	for _, it := range items {
		list = append(list, it.Key)
	}
	return list
}

func testCancelled(t *testing.T, s store.Store) {
	mustCommit(t, s, set("a/1", "before"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range callAll(ctx, s) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
	}
	wantValue(t, s, "a/1", "before")
}

func testClosed(t *testing.T, s store.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range callAll(t.Context(), s) {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable", name, err)
		}
	}
}

// callAll calls every method but Close and returns the errors by name.
func callAll(ctx context.Context, s store.Store) map[string]error {
	_, get := s.Get(ctx, "a/1")
	_, list := s.List(ctx, "a/", "", 1)
	_, due := s.Due(ctx, "a", noon, 1)
	_, next := s.NextDue(ctx, "a")
	commit := s.Commit(ctx, noon, set("a/1", "after"))
	return map[string]error{"Get": get, "List": list, "Due": due, "NextDue": next, "Commit": commit}
}

func testGet(t *testing.T, s store.Store) {
	when := noon.Add(time.Hour)
	mustCommit(t, s, set("a/1", "one"), set("b/2", "two"), store.Change{Key: "a/empty", Value: []byte{}, Due: when})

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
		t.Errorf("got value %q for an absent key, want nil", items[1].Value)
	}
	if items[2].Value == nil {
		t.Error("got nil for an empty value, want it empty but not nil")
	}
	if !items[0].Due.IsZero() {
		t.Errorf("got due time %v, want zero", items[0].Due)
	}
	if items, err := s.Get(t.Context()); err != nil || len(items) != 0 {
		t.Errorf("Get without keys: got %v, %v, want nothing", items, err)
	}
}

func testDelete(t *testing.T, s store.Store) {
	mustCommit(t, s, setDue("a/1", noon), set("a/2", "two"), del("a/absent"))
	mustCommit(t, s, store.Change{Key: "a/1", Delete: true, Value: []byte("ignored"), Due: noon})
	wantValue(t, s, "a/1", "")
	wantValue(t, s, "a/2", "two")
	wantKeys(t, "List", listKeys(t, s, "a/", "", 9), "a/2")
	wantKeys(t, "Due", dueKeys(t, s, "a", noon, 9))
}

func testValuesAreCopied(t *testing.T, s store.Store) {
	value := []byte("abc")
	mustCommit(t, s, store.Change{Key: "a/1", Value: value, Due: noon})
	value[0] = 'X'
	wantValue(t, s, "a/1", "abc")

	listed, err1 := s.List(t.Context(), "a/", "", 1)
	queued, err2 := s.Due(t.Context(), "a", noon, 1)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, it := range []store.Item{mustGet(t, s, "a/1"), listed[0], queued[0]} {
		if !bytes.Equal(it.Value, []byte("abc")) {
			t.Fatalf("got value %q, want abc", it.Value)
		}
		it.Value[0] = 'X'
	}
	wantValue(t, s, "a/1", "abc")
}

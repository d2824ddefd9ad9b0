package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"tocsin/pkg/store"
	"tocsin/pkg/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestContract(t *testing.T) {
	server := newServer(t)
	storetest.Run(t, func(*testing.T) store.Store { return server.openEmpty() })
}

func TestExpiry(t *testing.T) {
	storetest.RunExpiry(t, newServer(t).open(), expiredPerCommit)
}

func BenchmarkStore(b *testing.B) {
	server := newServer(b)
	storetest.Benchmark(b, func(*testing.B) store.Store { return server.openEmpty() })
}

func set(key, value string) store.Change { return store.Change{Key: key, Value: []byte(value)} }

func mustCommit(t testing.TB, s store.Store, changes ...store.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), noon, changes...); err != nil {
		t.Fatal(err)
	}
}

func mustGet(t testing.TB, s store.Store, key string) store.Item {
	t.Helper()
	items, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return items[0]
}

// storeCalls returns a call of every method but Close.
func storeCalls(s store.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Get":     func(ctx context.Context) error { _, err := s.Get(ctx, "a/1"); return err },
		"List":    func(ctx context.Context) error { _, err := s.List(ctx, "a/", "", 100); return err },
		"Due":     func(ctx context.Context) error { _, err := s.Due(ctx, "a", noon, 100); return err },
		"NextDue": func(ctx context.Context) error { _, err := s.NextDue(ctx, "a", "b", "c"); return err },
		"Commit":  func(ctx context.Context) error { return s.Commit(ctx, noon, set("a/1", "x")) },
	}
}

// TestTwoInstances: one sees the commits of the other, and one of two leases wins.
func TestTwoInstances(t *testing.T) {
	server := newServer(t)
	one, two := server.open(), server.open()
	mustCommit(t, one, store.Change{Key: "job/1", Value: []byte("one"), Due: noon})
	items, err := two.Due(t.Context(), "job", noon, 9)
	if err != nil || len(items) != 1 || string(items[0].Value) != "one" {
		t.Fatalf("got %+v, %v from the other instance, want job/1", items, err)
	}
	lease := store.Change{Key: "job/1", Value: []byte("two"), If: store.Unchanged(items[0])}
	mustCommit(t, two, lease)
	if err := one.Commit(t.Context(), noon, lease); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), `"job/1"`) {
		t.Errorf("got %v for the second lease, want ErrConflict of job/1", err)
	}
	if it := mustGet(t, one, "job/1"); string(it.Value) != "two" {
		t.Errorf("got %q in job/1, want two", it.Value)
	}
}

// TestRoundTrips counts the commands that the server receives.
func TestRoundTrips(t *testing.T) {
	server := newServer(t)
	s := server.open()
	received := func(call func()) map[string]string {
		server.MustCommand("CONFIG RESETSTAT")
		call()
		calls := map[string]string{}
		for line := range strings.Lines(server.MustCommand("INFO commandstats")) {
			name, rest, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
			calls[name], _, _ = strings.Cut(rest, ",")
		}
		return calls
	}
	var changes []store.Change
	var keys []string
	for i := range 100 {
		key := fmt.Sprintf("a/%d", i)
		changes = append(changes, store.Change{Key: key, Value: []byte("x"), Due: noon, If: store.Absent()})
		keys = append(keys, key)
	}

	first := received(func() { mustCommit(t, s, changes[0]) })
	if first["evalsha"] != "1" || first["eval"] != "1" {
		t.Errorf("first commit: got %v, want one evalsha and one eval", first)
	}
	if n := received(func() { mustCommit(t, s, changes[1:]...) }); n["evalsha"] != "1" || n["eval"] != "" {
		t.Errorf("second commit: got %v, want one evalsha", n)
	}
	if n := received(func() {
		if items, err := s.Get(t.Context(), keys...); err != nil || len(items) != 100 {
			t.Errorf("got %d items, %v, want 100", len(items), err)
		}
	}); n["hmget"] != "1" {
		t.Errorf("Get of 100 keys: got %v, want one hmget", n)
	}
	for name, call := range storeCalls(s) {
		n := received(func() {
			if err := errors.Join(call(t.Context()), call(t.Context())); err != nil {
				t.Errorf("%s: got %v, want no error", name, err)
			}
		})
		if name != "Get" && n["evalsha"] != "2" {
			t.Errorf("two calls of %s: got %v, want two evalsha", name, n)
		}
	}

	server.MustCommand("SCRIPT FLUSH") // like a restart or a failover
	for name, call := range storeCalls(s) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: got %v after SCRIPT FLUSH, want no error", name, err)
		}
	}
}

// TestKeys: the store uses four Redis keys, none of them with a TTL.
func TestKeys(t *testing.T) {
	server := newServer(t)
	s := server.open()
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("x"), Due: noon, Expires: noon.Add(time.Second)}, set("b/2", "x"))
	keys, err := redis.Strings(server.Command("KEYS *"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	if want := []string{"{tocsin}:due", "{tocsin}:expires", "{tocsin}:items", "{tocsin}:keys"}; !slices.Equal(keys, want) {
		t.Errorf("got keys %q, want %q", keys, want)
	}
	for _, key := range keys {
		if ttl, err := redis.Int(server.Command("TTL " + key)); err != nil || ttl != -1 {
			t.Errorf("%s: got TTL %d, %v, want none", key, ttl, err)
		}
	}
	mustCommit(t, s, store.Change{Key: "a/1", Delete: true}, store.Change{Key: "b/2", Delete: true})
	if left, err := redis.Strings(server.Command("KEYS *")); err != nil || len(left) != 0 {
		t.Errorf("got %q, %v after everything was deleted, want no keys", left, err)
	}
}

// TestClock: expiry depends on the caller's time and not on Redis's clock, which is
// years away from it in both directions.
func TestClock(t *testing.T) {
	s := newServer(t).open()
	for _, now := range []time.Time{noon.AddDate(-10, 0, 0), noon.AddDate(10, 0, 0)} {
		write := store.Change{Key: "a/1", Value: []byte("x"), Due: now.Add(time.Minute), Expires: now.Add(time.Minute)}
		if err := s.Commit(t.Context(), now, write); err != nil {
			t.Fatal(err)
		}
		for _, at := range []struct {
			after   time.Duration
			present bool
		}{{time.Minute, true}, {time.Minute + time.Millisecond, false}} {
			if err := s.Commit(t.Context(), now.Add(at.after)); err != nil {
				t.Fatal(err)
			}
			if present := mustGet(t, s, "a/1").Version != 0; present != at.present {
				t.Errorf("%v after %v: got present %v, want %v", at.after, now, present, at.present)
			}
		}
	}
}

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

// calls are all methods but Close.
func storeCalls(s store.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Get":     func(ctx context.Context) error { _, err := s.Get(ctx, "a/1"); return err },
		"List":    func(ctx context.Context) error { _, err := s.List(ctx, "a/", "", 100); return err },
		"Due":     func(ctx context.Context) error { _, err := s.Due(ctx, "a", noon, 100); return err },
		"NextDue": func(ctx context.Context) error { _, err := s.NextDue(ctx, "a", "b", "c"); return err },
		"Commit":  func(ctx context.Context) error { return s.Commit(ctx, noon, set("a/1", "x")) },
	}
}

// TestTwoInstances: what one commits the other sees, and one of two wins.
func TestTwoInstances(t *testing.T) {
	server := newServer(t)
	one, two := server.open(), server.open()
	mustCommit(t, one, store.Change{Key: "job/1", Value: []byte("one"), Due: noon})
	items, err := two.Due(t.Context(), "job", noon, 9)
	if err != nil || len(items) != 1 || string(items[0].Value) != "one" {
		t.Fatalf("the other sees %+v, %v", items, err)
	}
	claim := store.Change{Key: "job/1", Value: []byte("two"), If: store.Unchanged(items[0])}
	mustCommit(t, two, claim)
	if err := one.Commit(t.Context(), noon, claim); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), `"job/1"`) {
		t.Errorf("the second claim: %v", err)
	}
	if it := mustGet(t, one, "job/1"); string(it.Value) != "two" {
		t.Errorf("job/1 holds %q", it.Value)
	}
}

// TestRoundTrips counts what the server is asked.
func TestRoundTrips(t *testing.T) {
	server := newServer(t)
	s := server.open()
	asked := func(do func()) map[string]string {
		server.mustCommand("CONFIG RESETSTAT")
		do()
		calls := map[string]string{}
		for line := range strings.Lines(server.mustCommand("INFO commandstats")) {
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

	first := asked(func() { mustCommit(t, s, changes[0]) })
	if first["evalsha"] != "1" || first["eval"] != "1" {
		t.Errorf("the first commit asked %v, want evalsha and then eval", first)
	}
	if n := asked(func() { mustCommit(t, s, changes[1:]...) }); n["evalsha"] != "1" || n["eval"] != "" {
		t.Errorf("a commit asked %v, want one evalsha", n)
	}
	if n := asked(func() {
		if items, err := s.Get(t.Context(), keys...); err != nil || len(items) != 100 {
			t.Error(len(items), err)
		}
	}); n["hmget"] != "1" {
		t.Errorf("a Get of 100 keys asked %v, want one hmget", n)
	}
	for name, call := range storeCalls(s) {
		n := asked(func() {
			if err := errors.Join(call(t.Context()), call(t.Context())); err != nil {
				t.Error(name, err)
			}
		})
		if name != "Get" && n["evalsha"] != "2" {
			t.Errorf("two calls of %s asked %v, want two evalsha", name, n)
		}
	}

	server.mustCommand("SCRIPT FLUSH") // as a restart or a failover does
	for name, call := range storeCalls(s) {
		if err := call(t.Context()); err != nil {
			t.Errorf("after SCRIPT FLUSH: %s: %v", name, err)
		}
	}
}

// TestKeys: there are four keys and no other, and none of them ever expires.
func TestKeys(t *testing.T) {
	server := newServer(t)
	s := server.open()
	mustCommit(t, s, store.Change{Key: "a/1", Value: []byte("x"), Due: noon, Expires: noon.Add(time.Second)}, set("b/2", "x"))
	keys, err := redis.Strings(server.command("KEYS *"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	if want := []string{"{tocsin}:due", "{tocsin}:expires", "{tocsin}:items", "{tocsin}:keys"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	for _, key := range keys {
		if ttl, err := redis.Int(server.command("TTL " + key)); err != nil || ttl != -1 {
			t.Errorf("%s: TTL %d, %v; want none", key, ttl, err)
		}
	}
	mustCommit(t, s, store.Change{Key: "a/1", Delete: true}, store.Change{Key: "b/2", Delete: true})
	if left, err := redis.Strings(server.command("KEYS *")); err != nil || len(left) != 0 {
		t.Errorf("after all is deleted, %q is left, %v", left, err)
	}
}

// TestClock: what is there depends on the caller's time and not on Redis's, which
// is months away from noon in one direction or the other.
func TestClock(t *testing.T) {
	s := newServer(t).open()
	for _, now := range []time.Time{noon.AddDate(-10, 0, 0), noon.AddDate(10, 0, 0)} {
		write := store.Change{Key: "a/1", Value: []byte("x"), Due: now.Add(time.Minute), Expires: now.Add(time.Minute)}
		if err := s.Commit(t.Context(), now, write); err != nil {
			t.Fatal(err)
		}
		for _, at := range []struct {
			after time.Duration
			there bool
		}{{time.Minute, true}, {time.Minute + time.Millisecond, false}} {
			if err := s.Commit(t.Context(), now.Add(at.after)); err != nil {
				t.Fatal(err)
			}
			if there := mustGet(t, s, "a/1").Version != 0; there != at.there {
				t.Errorf("%v after %v: there %v, want %v", at.after, now, there, at.there)
			}
		}
	}
}

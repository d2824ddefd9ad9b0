package store_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/memory"
)

// text returns n bytes of text that does not repeat.
func text(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(random.IntN(26))
	}
	return b
}

func get(t *testing.T, s store.Store, key string) store.Item {
	t.Helper()
	items, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return items[0]
}

func join(t *testing.T, s store.Store, it store.Item) store.Item {
	t.Helper()
	items := []store.Item{it}
	if err := store.JoinLarge(t.Context(), s, items); err != nil {
		t.Fatal(err)
	}
	return items[0]
}

func commit(t *testing.T, s store.Store, changes ...store.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), time.Unix(0, 0), changes...); err != nil {
		t.Fatal(err)
	}
}

func countParts(t *testing.T, s store.Store) int {
	t.Helper()
	parts, err := s.List(t.Context(), keyspace.Part, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(parts)
}

func TestLarge(t *testing.T) {
	const key = "log/x"
	write := func(t *testing.T, s store.Store, value []byte) []store.Change {
		t.Helper()
		old := join(t, s, get(t, s, key))
		changes := store.SplitLarge(store.Change{Key: key, Value: value, Delete: value == nil, If: store.Unchanged(old)}, old)
		commit(t, s, changes...)
		return changes
	}
	for _, test := range []struct {
		name  string
		size  int
		parts int // of 512 KiB, after a beginning of 512 KiB at most
	}{
		{"as large as one key may be", 1 << 20, 0},
		{"one byte more", 1<<20 + 1, 2},
		{"ten times as large", 10 << 20, 19},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := memory.New()
			value := text(test.size)
			write(t, s, value)
			if got := countParts(t, s); got != test.parts {
				t.Errorf("got %d parts, want %d", got, test.parts)
			}
			if got := join(t, s, get(t, s, key)).Value; !bytes.Equal(got, value) {
				t.Errorf("got %d bytes, want the %d that were written", len(got), len(value))
			}
		})
	}
	t.Run("parts that stay the same are not written again", func(t *testing.T) {
		s := memory.New()
		value := text(3<<20 - 1000)
		write(t, s, value)
		longer := append([]byte("attempts: 2\n"), value...)
		if got := write(t, s, longer); len(got) != 1 {
			t.Errorf("got %d changes, want 1", len(got))
		}
		if got := join(t, s, get(t, s, key)).Value; !bytes.Equal(got, longer) {
			t.Errorf("got %d bytes, want the %d that were written", len(got), len(longer))
		}
	})
	for name, next := range map[string][]byte{"a small value": []byte("{}"), "nothing": nil} {
		t.Run("parts are deleted when replaced by "+name, func(t *testing.T) {
			s := memory.New()
			write(t, s, text(3<<20))
			write(t, s, next)
			if got := countParts(t, s); got != 0 {
				t.Errorf("got %d parts, want 0", got)
			}
		})
	}
	t.Run("parts expire with the value, and are written again when it does later", func(t *testing.T) {
		value := text(2 << 20)
		expires := time.Unix(3600, 0)
		first := store.SplitLarge(store.Change{Key: key, Value: value, Expires: expires}, store.Item{})
		s := memory.New()
		commit(t, s, first...)
		again := store.SplitLarge(store.Change{Key: key, Value: value, Expires: expires.Add(time.Hour)}, join(t, s, get(t, s, key)))
		for i, changes := range [][]store.Change{first, again} {
			if len(changes) != 4 {
				t.Errorf("write %d: got %d changes, want 4", i+1, len(changes))
			}
			for _, c := range changes {
				if want := expires.Add(time.Duration(i) * time.Hour); !c.Expires.Equal(want) || c.Delete {
					t.Errorf("write %d: %s expires at %v (deleted: %t), want %v", i+1, c.Key, c.Expires, c.Delete, want)
				}
			}
		}
	})
	t.Run("a value that was replaced while it was read is read again", func(t *testing.T) {
		s := memory.New()
		write(t, s, text(2<<20))
		stale := get(t, s, key)
		want := text(5 << 20)
		write(t, s, want)
		if got := join(t, s, stale).Value; !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, want the %d that replaced them", len(got), len(want))
		}
	})
	t.Run("a value with a missing part cannot be decoded", func(t *testing.T) {
		s := memory.New()
		value := append(append([]byte(`"`), text(2<<20)...), '"')
		write(t, s, value)
		parts, err := s.List(t.Context(), keyspace.Part, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, store.Change{Key: parts[0].Key, Delete: true})
		var decoded string
		if _, err := store.Decode(join(t, s, get(t, s, key)), &decoded); err == nil {
			t.Errorf("got %d bytes, want an error", len(decoded))
		}
	})
}

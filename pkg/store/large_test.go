package store_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/store/storetest"
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

func commit(t *testing.T, s store.Store, changes ...store.Change) {
	t.Helper()
	if err := s.Commit(t.Context(), noon, changes...); err != nil {
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
	write := func(t *testing.T, s store.Store, value []byte) {
		t.Helper()
		commit(t, s, store.Change{Key: key, Value: value, Delete: value == nil, If: store.Unchanged(get(t, s, key))})
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
			s := store.WithLargeValues(memory.New())
			value := text(test.size)
			commit(t, s, store.Change{Key: key, Value: value, Due: noon})
			if got := countParts(t, s); got != test.parts {
				t.Errorf("got %d parts, want %d", got, test.parts)
			}
			listed, err := s.List(t.Context(), "log/", "", 10)
			if err != nil {
				t.Fatal(err)
			}
			due, err := s.Due(t.Context(), "log", noon, 10)
			if err != nil {
				t.Fatal(err)
			}
			for name, items := range map[string][]store.Item{"Get": {get(t, s, key)}, "List": listed, "Due": due} {
				if len(items) != 1 || !bytes.Equal(items[0].Value, value) || !items[0].Due.Equal(noon) {
					t.Errorf("%s: got %d items, want one with the %d bytes that were written", name, len(items), len(value))
				}
			}
		})
	}
	t.Run("parts that stay the same are not written again", func(t *testing.T) {
		s, commits := recordCommits(memory.New())
		value := text(3<<20 - 1000)
		write(t, s, value)
		longer := append([]byte("attempts: 2\n"), value...)
		write(t, s, longer)
		if got := len((*commits)[1]); got != 1 {
			t.Errorf("got %d changes, want 1", got)
		}
		if got := get(t, s, key).Value; !bytes.Equal(got, longer) {
			t.Errorf("got %d bytes, want the %d that were written", len(got), len(longer))
		}
	})
	for name, next := range map[string][]byte{"a small value": []byte("{}"), "nothing": nil} {
		t.Run("parts are deleted when replaced by "+name, func(t *testing.T) {
			s := store.WithLargeValues(memory.New())
			write(t, s, text(3<<20))
			write(t, s, next)
			if got := countParts(t, s); got != 0 {
				t.Errorf("got %d parts, want 0", got)
			}
		})
	}
	t.Run("parts are deleted with a value in whatever state it is", func(t *testing.T) {
		s := store.WithLargeValues(memory.New())
		value := text(3 << 20)
		write(t, s, value)
		read := get(t, s, key)
		copy(value, "changed")
		write(t, s, value)
		commit(t, s, store.Change{Key: key, Delete: true, If: store.Unconditional(read)})
		if got := get(t, s, key); got.Version != 0 || countParts(t, s) != 0 {
			t.Errorf("got version %d and %d parts, want neither", got.Version, countParts(t, s))
		}
	})
	t.Run("parts expire with the value, and are written again when it does later", func(t *testing.T) {
		s, commits := recordCommits(memory.New())
		expires := []time.Time{noon.Add(time.Hour), noon.Add(2 * time.Hour)}
		for _, at := range expires {
			commit(t, s, store.Change{Key: key, Value: text(2 << 20), Expires: at, If: store.Unchanged(get(t, s, key))})
		}
		for i, changes := range *commits {
			if len(changes) != 4 {
				t.Errorf("write %d: got %d changes, want 4", i+1, len(changes))
			}
			for _, c := range changes {
				if !c.Expires.Equal(expires[i]) || c.Delete {
					t.Errorf("write %d: %s expires at %v (deleted: %t), want %v", i+1, c.Key, c.Expires, c.Delete, expires[i])
				}
			}
		}
	})
	t.Run("a condition alone changes no part", func(t *testing.T) {
		s := store.WithLargeValues(memory.New())
		value := text(2 << 20)
		write(t, s, value)
		commit(t, s, store.Change{Key: key, If: store.Unchanged(get(t, s, key))})
		if got := get(t, s, key).Value; !bytes.Equal(got, value) {
			t.Errorf("got %d bytes, want the %d that were written", len(got), len(value))
		}
	})
	t.Run("a value that was replaced while it was read is read again", func(t *testing.T) {
		inner := memory.New()
		writer := store.WithLargeValues(inner)
		write(t, writer, text(2<<20))
		want := text(5 << 20)
		gets := 0
		reader := store.WithLargeValues(storetest.Intercept(inner, func(_ context.Context, _ storetest.Op, do func() error) error {
			if gets++; gets == 2 { // of the parts
				write(t, writer, want)
			}
			return do()
		}))
		if got := get(t, reader, key).Value; !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, want the %d that replaced them", len(got), len(want))
		}
	})
	t.Run("a value with a missing part cannot be decoded", func(t *testing.T) {
		s := store.WithLargeValues(memory.New())
		write(t, s, append(append([]byte(`"`), text(2<<20)...), '"'))
		parts, err := s.List(t.Context(), keyspace.Part, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, store.Change{Key: parts[0].Key, Delete: true})
		var decoded string
		if _, err := store.Decode(get(t, s, key), &decoded); err == nil {
			t.Errorf("got %d bytes, want an error", len(decoded))
		}
	})
}

// recordCommits returns s with large values, and the changes that reach it.
func recordCommits(s store.Store) (store.Store, *[][]store.Change) {
	commits := new([][]store.Change)
	return store.WithLargeValues(storetest.Intercept(s, func(_ context.Context, op storetest.Op, do func() error) error {
		if op.Name == "Commit" {
			*commits = append(*commits, op.Changes)
		}
		return do()
	})), commits
}

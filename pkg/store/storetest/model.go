package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/store"
)

// model implements the contract as plainly as possible: a map, without an index.
type model map[string]store.Item

func (m model) list(prefix, after string, limit int) []store.Item {
	return m.pick(limit, func(it store.Item) bool { return strings.HasPrefix(it.Key, prefix) && it.Key > after },
		func(a, b store.Item) int { return strings.Compare(a.Key, b.Key) })
}

func (m model) due(kind string, now time.Time, limit int) []store.Item {
	return m.pick(limit, func(it store.Item) bool {
		return strings.HasPrefix(it.Key, kind+"/") && !it.Due.IsZero() && !it.Due.After(now)
	}, func(a, b store.Item) int { return cmp.Or(a.Due.Compare(b.Due), strings.Compare(a.Key, b.Key)) })
}

func (m model) pick(limit int, take func(store.Item) bool, compare func(a, b store.Item) int) []store.Item {
	var items []store.Item
	for _, it := range m {
		if take(it) {
			items = append(items, it)
		}
	}
	slices.SortFunc(items, compare)
	return items[:min(limit, len(items))]
}

// testModel makes 400 random commits, some with stale conditions, and compares every
// result with the model's.
func testModel(t *testing.T, s store.Store) {
	r := rand.New(rand.NewPCG(1, 2))
	kinds := []string{"a", "ab", "b"}
	key := func() string { return fmt.Sprintf("%s/%d", kinds[r.IntN(3)], r.IntN(12)) }
	when := func() time.Time { return noon.Add(time.Duration(r.IntN(20)) * time.Millisecond) }

	m := model{}
	read := map[string]store.Item{} // as last read, possibly stale
	used := map[string]bool{}       // by "key version"
	for step := range 400 {
		var changes []store.Change
		holds := true
		for range r.IntN(6) {
			c := store.Change{Key: key()}
			if slices.ContainsFunc(changes, func(d store.Change) bool { return d.Key == c.Key }) {
				continue
			}
			switch r.IntN(4) {
			case 0: // condition only
			case 1:
				c.Delete = true
			default:
				c.Value = fmt.Append(nil, step)
			}
			if r.IntN(2) == 0 {
				c.Due = when()
			}
			switch r.IntN(8) {
			case 0:
				c.If = store.Absent()
				holds = holds && m[c.Key].Version == 0
			case 1, 2, 3:
				c.If = store.Unchanged(read[c.Key])
				holds = holds && m[c.Key].Version == read[c.Key].Version
			}
			changes = append(changes, c)
		}

		err := s.Commit(t.Context(), noon, changes...)
		if holds && err != nil || !holds && !errors.Is(err, store.ErrConflict) {
			t.Fatalf("step %d: got %v, want a conflict: %v", step, err, !holds)
		}
		for _, c := range changes {
			it := mustGet(t, s, c.Key)
			switch {
			case !holds || !c.Delete && c.Value == nil:
			case c.Delete:
				delete(m, c.Key)
			default:
				m[c.Key] = store.Item{Key: c.Key, Value: c.Value, Due: c.Due, Version: it.Version}
				id := fmt.Sprint(c.Key, " ", it.Version)
				if used[id] {
					t.Fatalf("step %d: got %s twice, want a new version", step, id)
				}
				used[id] = true
			}
			if r.IntN(2) == 0 {
				read[c.Key] = it
			}
		}

		prefix, after, kind, now, limit := kinds[r.IntN(3)], key(), kinds[r.IntN(3)], when(), r.IntN(30)
		if r.IntN(2) == 0 {
			after = ""
		}
		listed, err1 := s.List(t.Context(), prefix, after, limit)
		queued, err2 := s.Due(t.Context(), kind, now, limit)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatalf("step %d: got %v, want no error", step, err)
		}
		wantItems(t, fmt.Sprintf("step %d: List(%q, %q, %d)", step, prefix, after, limit), listed, m.list(prefix, after, limit))
		wantItems(t, fmt.Sprintf("step %d: Due(%q, %v, %d)", step, kind, now, limit), queued, m.due(kind, now, limit))
		var next time.Time
		if first := m.due(kind, noon.Add(time.Hour), 1); len(first) == 1 {
			next = first[0].Due
		}
		if got := mustNextDue(t, s, kind); !got.Equal(next) {
			t.Fatalf("step %d: NextDue(%q): got %v, want %v", step, kind, got, next)
		}
	}
}

func wantItems(t *testing.T, what string, got, want []store.Item) {
	t.Helper()
	equal := slices.EqualFunc(got, want, func(a, b store.Item) bool {
		return a.Key == b.Key && string(a.Value) == string(b.Value) && a.Version == b.Version && a.Due.Equal(b.Due)
	})
	if !equal {
		t.Fatalf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

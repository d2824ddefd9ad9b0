package memory

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSortedSet compares the set with a sorted slice while it grows to many runs
// and shrinks to none.
func TestSortedSet(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := sortedSet[int]{compare: cmp.Compare[int]}
	var plain []int

	check := func() {
		t.Helper()
		first := r.IntN(6000)
		i, _ := slices.BinarySearch(plain, first)
		if got := slices.Collect(s.from(first)); !slices.Equal(got, plain[i:]) {
			t.Fatalf("from(%d): got %d values, want the %d of the slice", first, len(got), len(plain)-i)
		}
		for _, run := range s.runs {
			if len(run) == 0 || len(run) > maxRun {
				t.Fatalf("got a run of %d values, want 1 to %d", len(run), maxRun)
			}
		}
	}
	step := func(insert bool) {
		v := r.IntN(6000)
		i, found := slices.BinarySearch(plain, v)
		if insert {
			s.insert(v)
			if !found {
				plain = slices.Insert(plain, i, v)
			}
			return
		}
		s.remove(v)
		if found {
			plain = slices.Delete(plain, i, i+1)
		}
	}

	check()
	for i := range 12000 {
		step(i%8 != 0)
		if i%97 == 0 {
			check()
		}
	}
	if len(s.runs) < 4 {
		t.Fatalf("got %d runs, want at least 4 for the test to mean anything", len(s.runs))
	}
	for len(plain) > 0 {
		if len(plain) < 100 {
			s.remove(plain[0])
			plain = plain[1:]
			check()
			continue
		}
		step(false)
	}
	check()
	if len(s.runs) != 0 {
		t.Errorf("got %d runs in an empty set, want none", len(s.runs))
	}
}

package memory

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSorted compares the set with a plain sorted slice while it grows over many
// runs and shrinks to nothing.
func TestSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := sorted[int]{compare: cmp.Compare[int]}
	var plain []int

	check := func() {
		t.Helper()
		at := r.IntN(6000)
		i, _ := slices.BinarySearch(plain, at)
		if got := slices.Collect(s.from(at)); !slices.Equal(got, plain[i:]) {
			t.Fatalf("from(%d): %d values, want %d", at, len(got), len(plain)-i)
		}
		for _, run := range s.runs {
			if len(run) == 0 || len(run) > maxRun {
				t.Fatalf("a run of %d values", len(run))
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
		t.Fatalf("%d runs: too few to test anything", len(s.runs))
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
		t.Errorf("%d runs in an empty set", len(s.runs))
	}
}

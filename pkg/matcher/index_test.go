package matcher_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/matcher"
)

// TestIndex compares an index with matching one set after the other.
func TestIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names, values := []string{"a", "b", "c"}, []string{"", "x", "y", "z"}
	operators := []string{"=", "=", "!=", "=~", "!~"}
	for range 200 {
		sets := make([]labels.Matchers, r.IntN(40))
		for i := range sets {
			for range r.IntN(4) {
				ms, err := matcher.Parse(fmt.Sprintf("%s%s%q", names[r.IntN(3)], operators[r.IntN(5)], values[r.IntN(4)]))
				if err != nil {
					t.Fatal(err)
				}
				sets[i] = append(sets[i], ms...)
			}
		}
		x := matcher.NewIndex(sets)
		for range 20 {
			l := alert.Labels{}
			for _, name := range names {
				if v := values[r.IntN(4)]; v != "" {
					l[name] = v
				}
			}
			var want []int
			for i, set := range sets {
				if matcher.Matches(set, l) {
					want = append(want, i)
				}
			}
			if got := x.Matching(l); !slices.Equal(got, want) {
				t.Fatalf("%v of %v: got %v, want %v", l, sets, got, want)
			}
		}
	}
}

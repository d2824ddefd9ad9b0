package matcher_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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
		for range 40 { // values come again
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

// TestIndexForgets has values that are too large to be remembered together, and two
// users at once.
func TestIndexForgets(t *testing.T) {
	values := make([]string, 20)
	for i := range values {
		values[i] = strings.Repeat("x", 1<<20) + fmt.Sprint(i)
	}
	not, err := labels.NewMatcher(labels.MatchNotEqual, "a", values[3])
	if err != nil {
		t.Fatal(err)
	}
	x := matcher.NewIndex([]labels.Matchers{{not}})
	var users sync.WaitGroup
	for range 2 {
		users.Go(func() {
			for i := range 40 {
				got := x.Matching(alert.Labels{"a": values[i%20]})
				if want := i%20 != 3; slices.Equal(got, []int{0}) != want {
					t.Errorf("value %d: got %v, want a match: %v", i%20, got, want)
				}
			}
		})
	}
	users.Wait()
}

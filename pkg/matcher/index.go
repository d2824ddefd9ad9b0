package matcher

import (
	"cmp"
	"slices"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
)

// Index finds those of many sets of matchers that an alert meets. A set that requires
// the value of a label, as severity="critical" does, is compared only with alerts that
// have it. An Index is safe for concurrent use.
type Index struct {
	sets    []labels.Matchers
	byLabel map[label][]int // positions of sets, by one label that each requires
	others  []int           // positions of sets that require no label
}

type label struct{ name, value string }

// NewIndex returns an index of the sets.
func NewIndex(sets []labels.Matchers) *Index {
	x := &Index{sets: make([]labels.Matchers, len(sets)), byLabel: map[label][]int{}}
	frequency := map[label]int{}
	for i, set := range sets {
		// Comparing strings first spares many regular expressions.
		x.sets[i] = slices.Clone(set)
		slices.SortStableFunc(x.sets[i], func(a, b *labels.Matcher) int { return cmp.Compare(a.Type, b.Type) })
		for _, l := range requiredLabels(set) {
			frequency[l]++
		}
	}
	for i, set := range sets {
		required := requiredLabels(set)
		if len(required) == 0 {
			x.others = append(x.others, i)
			continue
		}
		rarest := slices.MinFunc(required, func(a, b label) int { return cmp.Compare(frequency[a], frequency[b]) })
		x.byLabel[rarest] = append(x.byLabel[rarest], i)
	}
	return x
}

// requiredLabels returns the labels without which no alert meets the matchers. An
// empty value is none: a label that is absent has it too.
func requiredLabels(ms labels.Matchers) (required []label) {
	for _, m := range ms {
		if m.Type == labels.MatchEqual && m.Value != "" {
			required = append(required, label{m.Name, m.Value})
		}
	}
	return required
}

// Matching returns the positions of the sets that l meets, in increasing order.
func (x *Index) Matching(l alert.Labels) (positions []int) {
	add := func(candidates []int) {
		for _, i := range candidates {
			if Matches(x.sets[i], l) {
				positions = append(positions, i)
			}
		}
	}
	add(x.others)
	for name, value := range l {
		add(x.byLabel[label{name, value}])
	}
	slices.Sort(positions)
	return positions
}

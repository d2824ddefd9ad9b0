package matcher

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
)

// Index finds those of many sets of matchers that an alert meets. A set that requires
// the value of a label, as severity="critical" does, is compared only with alerts that
// have it. Of the others, each is found by one of its matchers, and which values that
// one matches is remembered: a regular expression is evaluated once for each value. An
// Index is safe for concurrent use.
type Index struct {
	byLabel map[label][]candidate  // by one label that the set requires
	byName  map[string][]candidate // the others, by the name in one of their matchers
	always  []int                  // positions of sets without matchers

	mu         sync.RWMutex
	remembered map[label][]candidate // those of byName whose matcher matches the value
	size       int                   // of remembered, about, in bytes
}

// maxRemembered bounds the values that an Index remembers, in bytes. If there are more,
// it begins again.
const maxRemembered = 16 << 20

type label struct{ name, value string }

// candidate is a set that was found by one of its matchers.
type candidate struct {
	position int
	matcher  *labels.Matcher // by which it was found
	others   labels.Matchers
}

// NewIndex returns an index of the sets.
func NewIndex(sets []labels.Matchers) *Index {
	x := &Index{byLabel: map[label][]candidate{}, byName: map[string][]candidate{}, remembered: map[label][]candidate{}}
	frequency := map[label]int{}
	for _, set := range sets {
		for _, m := range set {
			if requires(m) {
				frequency[label{m.Name, m.Value}]++
			}
		}
	}
	for i, set := range sets {
		if len(set) == 0 {
			x.always = append(x.always, i)
			continue
		}
		// The best matcher to find it by is the first: one that requires a rare label,
		// or else one that is likely to match few values.
		sorted := slices.SortedStableFunc(slices.Values(set), func(a, b *labels.Matcher) int {
			return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(frequency[label{a.Name, a.Value}], frequency[label{b.Name, b.Value}]))
		})
		c := candidate{i, sorted[0], sorted[1:]}
		if l := (label{c.matcher.Name, c.matcher.Value}); requires(c.matcher) {
			x.byLabel[l] = append(x.byLabel[l], c)
		} else {
			x.byName[l.name] = append(x.byName[l.name], c)
		}
	}
	return x
}

// requires reports whether no alert without the label meets the matcher. With an empty
// value an absent label is equal, too.
func requires(m *labels.Matcher) bool { return m.Type == labels.MatchEqual && m.Value != "" }

func rank(m *labels.Matcher) int {
	switch {
	case requires(m):
		return 0
	case m.Type == labels.MatchRegexp:
		return 1
	default:
		return 2
	}
}

// Matching returns the positions of the sets that l meets, in increasing order.
func (x *Index) Matching(l alert.Labels) []int {
	positions := slices.Clone(x.always)
	add := func(found []candidate) {
		for _, c := range found {
			if Matches(c.others, l) {
				positions = append(positions, c.position)
			}
		}
	}
	for name, value := range l {
		add(x.byLabel[label{name, value}])
	}
	for name := range x.byName {
		add(x.matchingValue(label{name, l[name]}))
	}
	slices.Sort(positions)
	return positions
}

// matchingValue returns those of byName whose matcher matches the value of the label.
func (x *Index) matchingValue(l label) []candidate {
	x.mu.RLock()
	found, ok := x.remembered[l]
	x.mu.RUnlock()
	if ok {
		return found
	}
	for _, c := range x.byName[l.name] {
		if c.matcher.Matches(l.value) {
			found = append(found, c)
		}
	}
	const entry, each = 100, 48
	size := entry + len(l.value) + each*len(found)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.size += size; x.size > maxRemembered {
		clear(x.remembered)
		x.size = size
	}
	x.remembered[label{l.name, strings.Clone(l.value)}] = found // the value may be part of a large string
	return found
}

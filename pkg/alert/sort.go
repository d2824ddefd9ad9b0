package alert

import (
	"cmp"
	"slices"
	"strings"
)

// Sort sorts alerts in the order of Alertmanager's notifications: by the labels job
// and instance, alerts without the label last, then by all labels.
func Sort(alerts []*Alert) {
	type entry struct {
		*Alert
		names []string // set when job and instance were equal
	}
	entries := make([]*entry, len(alerts))
	for i, a := range alerts {
		entries[i] = &entry{Alert: a}
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		for _, name := range [...]string{JobLabel, InstanceLabel} {
			av, aok := a.Labels[name]
			bv, bok := b.Labels[name]
			switch {
			case aok && !bok:
				return -1
			case !aok && bok:
				return 1
			case av != bv:
				return strings.Compare(av, bv)
			}
		}
		for _, e := range []*entry{a, b} {
			if e.names == nil {
				e.names = e.Labels.Names()
			}
		}
		return compare(a.Labels, b.Labels, a.names, b.names)
	})
	for i, e := range entries {
		alerts[i] = e.Alert
	}
}

// Compare compares label sets: first by size, then by the first name, in byte
// order, that only one of them has or whose values differ. A set without the name
// sorts first.
func (l Labels) Compare(o Labels) int { return compare(l, o, l.Names(), o.Names()) }

// compare is Compare for sets whose sorted names are known.
func compare(l, o Labels, names, others []string) int {
	if c := cmp.Compare(len(l), len(o)); c != 0 {
		return c
	}
	for i, name := range names {
		if c := strings.Compare(others[i], name); c != 0 {
			return c // the set with the later name lacks the earlier one
		}
		if c := strings.Compare(l[name], o[name]); c != 0 {
			return c
		}
	}
	return 0
}

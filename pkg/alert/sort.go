package alert

import (
	"cmp"
	"slices"
	"strings"
)

// Sort orders alerts as Alertmanager does in its notifications: by the labels
// job and instance, an absent one last, then by all labels.
func Sort(alerts []*Alert) {
	type entry struct {
		*Alert
		names []string // once job and instance were equal
	}
	entries := make([]*entry, len(alerts))
	for i, a := range alerts {
		entries[i] = &entry{Alert: a}
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		for _, name := range [...]string{"job", "instance"} {
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

// Compare orders label sets: the smaller first, then by the first name, in byte
// order, that only one has or that differs in value. A set that has not the name
// comes first.
func (l Labels) Compare(o Labels) int { return compare(l, o, l.Names(), o.Names()) }

// compare is Compare for sets whose names, in order, are known.
func compare(l, o Labels, names, others []string) int {
	if c := cmp.Compare(len(l), len(o)); c != 0 {
		return c
	}
	for i, name := range names {
		if c := strings.Compare(others[i], name); c != 0 {
			return c // the set whose name comes later has not the earlier one
		}
		if c := strings.Compare(l[name], o[name]); c != 0 {
			return c
		}
	}
	return 0
}

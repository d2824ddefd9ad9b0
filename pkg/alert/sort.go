package alert

import (
	"cmp"
	"slices"
	"strings"
)

// Sort orders alerts as Alertmanager does in its notifications: by the labels
// job and instance, an absent one last, then by all labels.
func Sort(alerts []*Alert) {
	slices.SortFunc(alerts, func(a, b *Alert) int {
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
		return a.Labels.Compare(b.Labels)
	})
}

// Compare orders label sets: the smaller first, then by the first name, in byte
// order, that only one has or that differs in value. A set that has not the name
// comes first.
func (l Labels) Compare(o Labels) int {
	if c := cmp.Compare(len(l), len(o)); c != 0 {
		return c
	}
	names := append(l.Names(), o.Names()...)
	slices.Sort(names)
	for _, name := range names {
		lv, lok := l[name]
		ov, ook := o[name]
		switch {
		case !lok:
			return -1
		case !ook:
			return 1
		case lv != ov:
			return strings.Compare(lv, ov)
		}
	}
	return 0
}

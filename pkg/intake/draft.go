package intake

import (
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

const (
	// maxExtra bounds what is kept of the fields that a decoder does not know, in
	// bytes of all their names and values.
	maxExtra = 8 << 10
	// maxExtraValue bounds each of them.
	maxExtraValue = 2 << 10
)

// draft is an alert while it is put together.
type draft struct{ alert.Alert }

func newDraft(name string) *draft {
	d := &draft{alert.Alert{Labels: alert.Labels{}, Annotations: alert.Labels{}}}
	d.label(alert.NameLabel, name)
	return d
}

// label sets a label. One without a value is none.
func (d *draft) label(name, value string) {
	if value != "" {
		d.Labels[name] = value
	}
}

// own sets a label that the sender names. Where the name is taken by a label of
// the decoder's it has the prefix.
func (d *draft) own(prefix, name, value string) {
	if _, taken := d.Labels[name]; taken {
		name = prefix + name
	}
	if name != "" {
		d.label(name, value)
	}
}

// note sets an annotation, unless there is nothing to note or it is set already.
func (d *draft) note(name, value string) {
	if _, set := d.Annotations[name]; !set && name != "" && value != "" {
		d.Annotations[name] = value
	}
}

// extra notes the members of an object that are not known, in byte order of
// their names, until it is too much.
func (d *draft) extra(object node, known ...string) {
	members := object.object()
	var others []string
	for name := range members {
		if !slices.Contains(known, name) {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	room := maxExtra
	for _, name := range others {
		value := cut(strings.TrimSpace(plain(members[name])), maxExtraValue)
		if room -= len(name) + len(value); room < 0 {
			d.note("truncated_fields", "true")
			return
		}
		d.note(name, value)
	}
}

// fires says that the alert fires, since start. A time that is not known, or
// that has not come because a clock or a zone is wrong, is now.
func (d *draft) fires(start, now time.Time) *alert.Alert {
	if start.IsZero() || start.After(now) {
		start = now
	}
	d.StartsAt = start
	return &d.Alert
}

// ends says that the alert is over, since end. When it started need not be
// known: what is stored of the alert has it.
func (d *draft) ends(start, end, now time.Time) *alert.Alert {
	if end.IsZero() || end.After(now) {
		end = now
	}
	if start.IsZero() || start.After(end) {
		start = end
	}
	d.StartsAt, d.EndsAt = start, end
	return &d.Alert
}

// pair is a name and a value that a sender gives: a tag, a dimension.
type pair struct{ name, value string }

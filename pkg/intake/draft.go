package intake

import (
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

const (
	// maxUnknownFields is the limit on the names and values of all unknown fields
	// of an object, in bytes.
	maxUnknownFields = 8 << 10
	// maxUnknownField is the limit on the value of one.
	maxUnknownField = 2 << 10
)

// draft is an alert that is being built.
type draft struct{ alert.Alert }

func newDraft(name string) *draft {
	d := &draft{alert.Alert{Labels: alert.Labels{}, Annotations: alert.Labels{}}}
	d.label(alert.NameLabel, name)
	return d
}

// label sets a label unless the value is empty.
func (d *draft) label(name, value string) { d.Labels.SetNonEmpty(name, value) }

// senderLabel sets a label that the sender named. If the decoder itself has set a
// label of that name, the prefix is put before it.
func (d *draft) senderLabel(prefix, name, value string) {
	if _, taken := d.Labels[name]; taken {
		name = prefix + name
	}
	if name != "" {
		d.label(name, value)
	}
}

// annotate sets an annotation unless the name or the value is empty or the
// annotation is already set.
func (d *draft) annotate(name, value string) {
	if _, set := d.Annotations[name]; !set && name != "" && value != "" {
		d.Annotations[name] = value
	}
}

// annotateUnknown sets annotations for the members of an object that are not known,
// in byte order of their names and up to maxUnknownFields.
func (d *draft) annotateUnknown(object node, known ...string) {
	members := object.object()
	var unknown []string
	for name := range members {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	room := maxUnknownFields
	for _, name := range unknown {
		value := truncate(strings.TrimSpace(anyText(members[name])), maxUnknownField)
		if room -= len(name) + len(value); room < 0 {
			d.annotate("truncated_fields", "true")
			return
		}
		d.annotate(name, value)
	}
}

// firing returns the alert, firing since start. A start that is unknown, or in the
// future because a clock or a zone is wrong, becomes now.
func (d *draft) firing(start, now time.Time) *alert.Alert {
	if start.IsZero() || start.After(now) {
		start = now
	}
	d.StartsAt = start
	return &d.Alert
}

// resolved returns the alert, resolved at end. Its start may be unknown, because
// merging keeps the start of the stored alert.
func (d *draft) resolved(start, end, now time.Time) *alert.Alert {
	if end.IsZero() || end.After(now) {
		end = now
	}
	if start.IsZero() || start.After(end) {
		start = end
	}
	d.StartsAt, d.EndsAt = start, end
	return &d.Alert
}

// decodeList decodes each alert of a list by itself. It returns an error if none can be
// decoded.
func decodeList(list []node, in Input, decode func(node, Input) *alert.Alert) (Output, error) {
	var out Output
	for i, n := range list {
		n.doc = &document{}
		a := decode(n, in)
		if n.doc.first == nil {
			out.Alerts = append(out.Alerts, a)
			continue
		}
		if out.Errors == nil {
			out.Errors = map[int]*Error{}
		}
		out.Errors[i] = n.doc.first
	}
	if len(out.Alerts) == 0 && len(list) > 0 {
		return Output{}, out.Errors[0]
	}
	return out, nil
}

// pair is a tag or a dimension.
type pair struct{ name, value string }

package render

import (
	"time"

	"tocsin/pkg/alert"
)

// hostOffline is a host that has stopped reporting. Its alert starts at the last
// report and has these annotations: address, where that came from; last_values,
// what the host reported last, in words; description, what else there is to know,
// and why the alert is over if it is so for another reason than a report.
type hostOffline struct{}

func (hostOffline) name(w *words) string { return w.hostOffline }
func (hostOffline) usual() string        { return alert.HostOfflineAlert }
func (hostOffline) unit() unit           { return unitHost }
func (hostOffline) places() []string     { return []string{alert.HostnameLabel, alert.HostLabel} }

func (hostOffline) headline(d *draft, e *entry) string {
	if !e.resolved {
		return d.words.silent(d.span(e))
	}
	if why := CleanLine(e.Annotations[alert.DescriptionAnnotation], maxValue); why != "" {
		return why
	}
	return d.words.overHost(d.span(e))
}

func (h hostOffline) line(d *draft, e *entry) string {
	line := h.headline(d, e)
	if address := CleanLine(e.Annotations[alert.AddressAnnotation], maxName); address != "" && !e.resolved {
		line += " · " + address
	}
	return line
}

func (hostOffline) fields(d *draft, e *entry) []Field {
	var fields []Field
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, Field{name, value})
		}
	}
	switch {
	case e.resolved || e.StartsAt.IsZero():
		fields = d.started(e)
	default:
		add(d.words.lastReport, moment(e.StartsAt, d.at, d.zone))
	}
	add(d.words.address, CleanLine(e.Annotations[alert.AddressAnnotation], maxName))
	if !e.resolved {
		add(d.words.lastValues, CleanLine(e.Annotations[alert.LastValuesAnnotation], maxValue))
		add(d.words.detail, d.ownText(e, alert.DescriptionAnnotation))
	}
	return fields
}

// shared says when the hosts were last heard of: whether they went together, as in
// a power cut, or one by one.
func (hostOffline) shared(d *draft) []Field {
	var fields []Field
	if d.firing > 1 {
		first, last := d.entries[0].StartsAt, d.entries[0].StartsAt
		for _, e := range d.entries[1:d.firing] {
			if e.StartsAt.Before(first) {
				first = e.StartsAt
			}
			if e.StartsAt.After(last) {
				last = e.StartsAt
			}
		}
		if !first.IsZero() {
			fields = append(fields, Field{d.words.lastReport, d.between(first, last)})
		}
	}
	if s := CleanLine(d.annotations[alert.DescriptionAnnotation], maxValue); s != "" && d.firing > 0 {
		fields = append(fields, Field{d.words.detail, s})
	}
	return fields
}

// between prints two moments, or one if they read the same.
func (d *draft) between(first, last time.Time) string {
	from, to := moment(first, d.at, d.zone), moment(last, d.at, d.zone)
	if from == to {
		return from
	}
	return from + " – " + to
}

func (hostOffline) says(annotation string) bool {
	return annotation == alert.AddressAnnotation || annotation == alert.LastValuesAnnotation
}

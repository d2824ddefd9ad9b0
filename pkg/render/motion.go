package render

import (
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/humanize"
)

// What an alert about lag may tell beside the lag, each in an annotation: delay
// and growing_for in seconds; status; lost in messages; rate_in and rate_out in
// messages per second; drain as "12m" or "never"; source "kafka" or "api".

// motion are the annotations that the texts below say.
var motion = []string{
	alert.DelayAnnotation, alert.StatusAnnotation, alert.GrowingForAnnotation, alert.LostAnnotation,
	alert.RateInAnnotation, alert.RateOutAnnotation, alert.DrainAnnotation, alert.SourceAnnotation,
}

// trouble puts what is worse than a number before the lag, and how old the oldest
// unread message is behind it.
func (d *draft) trouble(e *entry, behind string) string {
	var parts []string
	if s := d.words.status[e.status()]; s != "" && e.status() != alert.StatusGrowing {
		parts = append(parts, s)
	}
	if n, ok := alert.ParseCount(e.Annotations[alert.LostAnnotation]); ok && n > 0 {
		parts = append(parts, d.words.lost(humanize.Int(n)))
	}
	parts = append(parts, behind)
	if s := d.ago(e); s != "" {
		parts = append(parts, s)
	}
	return strings.Join(parts, d.words.comma)
}

// asides are the same in a few words, for a list of many.
func (d *draft) asides(e *entry) string {
	var b strings.Builder
	for _, s := range []string{d.words.status[e.status()], d.ago(e)} {
		if s != "" {
			b.WriteString(" · " + s)
		}
	}
	return b.String()
}

// ago says how old the oldest unread message is, "" when that is not known.
func (d *draft) ago(e *entry) string {
	if s := d.seconds(e, alert.DelayAnnotation); s != "" {
		return d.words.oldest(s)
	}
	return ""
}

// motions are the details of how the lag moves.
func (d *draft) motions(e *entry) []Field {
	var fields []Field
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, Field{name, value})
		}
	}
	add(d.words.state, d.words.statusWhy[e.status()])
	if s := d.seconds(e, alert.GrowingForAnnotation); s != "" {
		add(d.words.growth, d.words.lasted(s))
	}
	in, out := CleanLine(e.Annotations[alert.RateInAnnotation], maxName), CleanLine(e.Annotations[alert.RateOutAnnotation], maxName)
	if in != "" && out != "" {
		add(d.words.rate, d.words.rates(in, out, d.drain(e)))
	}
	if e.Annotations[alert.SourceAnnotation] == alert.SourceAPI {
		add(d.words.way, d.words.byAPI)
	}
	return fields
}

// drain says how long it takes to catch up.
func (d *draft) drain(e *entry) string {
	drain, ok := alert.ParseDrain(e.Annotations[alert.DrainAnnotation])
	switch {
	case !ok:
		return ""
	case drain == alert.Never:
		return d.words.never
	default:
		return d.words.caughtUp(d.words.duration(drain))
	}
}

// seconds prints an annotation that is a number of seconds, "" when it is none.
func (d *draft) seconds(e *entry, name string) string {
	span, ok := alert.ParseSeconds(e.Annotations[name])
	if !ok {
		return ""
	}
	return d.words.duration(span)
}

// status is what the consumer does, "" when the alert has no such annotation.
func (e *entry) status() alert.LagStatus {
	return alert.LagStatus(e.Annotations[alert.StatusAnnotation])
}

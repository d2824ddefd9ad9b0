package render

import (
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/setting"
)

// What an alert about lag may tell beside the lag, each in an annotation: delay
// and growing_for in seconds; status; lost in messages; rate_in and rate_out in
// messages per second; drain as "12m" or "never"; source "kafka" or "api".

// motion are the annotations that the texts below say.
var motion = []string{"delay", "status", "growing_for", "lost", "rate_in", "rate_out", "drain", "source"}

// trouble puts what is worse than a number before the lag, and how old the oldest
// unread message is behind it.
func (d *draft) trouble(e *entry, behind string) string {
	var parts []string
	if s := d.words.status[e.Annotations["status"]]; s != "" && e.Annotations["status"] != "growing" {
		parts = append(parts, s)
	}
	if n := positive(e.Annotations["lost"]); n > 0 {
		parts = append(parts, d.words.lost(number(n)))
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
	for _, s := range []string{d.words.status[e.Annotations["status"]], d.ago(e)} {
		if s != "" {
			b.WriteString(" · " + s)
		}
	}
	return b.String()
}

// ago says how old the oldest unread message is, "" when that is not known.
func (d *draft) ago(e *entry) string {
	if s := d.seconds(e, "delay"); s != "" {
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
	add(d.words.state, d.words.statusWhy[e.Annotations["status"]])
	if s := d.seconds(e, "growing_for"); s != "" {
		add(d.words.growth, d.words.lasted(s))
	}
	in, out := Clean(e.Annotations["rate_in"], maxName), Clean(e.Annotations["rate_out"], maxName)
	if in != "" && out != "" {
		add(d.words.rate, d.words.rates(in, out, d.drain(e)))
	}
	if e.Annotations["source"] == "api" {
		add(d.words.way, d.words.byAPI)
	}
	return fields
}

// drain says how long it takes to catch up.
func (d *draft) drain(e *entry) string {
	text := e.Annotations["drain"]
	var span setting.Duration
	switch err := span.UnmarshalText([]byte(text)); {
	case text == "never":
		return d.words.never
	case err != nil || span <= 0:
		return ""
	default:
		return d.words.caughtUp(d.words.duration(span.Std()))
	}
}

// seconds prints an annotation that is a number of seconds, "" when it is none.
func (d *draft) seconds(e *entry, name string) string {
	n := positive(e.Annotations[name])
	if n <= 0 || n > int64(maxSpan/time.Second) {
		return ""
	}
	return d.words.duration(time.Duration(n) * time.Second)
}

// maxSpan is the longest time that is told: more is a fault.
const maxSpan = 100 * 365 * 24 * time.Hour

// positive reads a count, 0 when it is none.
func positive(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// Package alert defines alerts in Prometheus's sense: labels identify an alert,
// annotations describe it, and it has a start and an end. Consumer lag, silent
// hosts and other systems' messages all become alerts, and from there on nothing
// depends on where an alert came from.
//
// The package also holds the schema: the names of the labels, annotations and
// alerts that Tocsin sets itself, and the encodings of their values.
package alert

import (
	"slices"
	"strconv"
	"time"
)

// Labels is a set of names and values: the labels or the annotations of an alert.
type Labels map[string]string

// Alert is one alert, firing or resolved.
type Alert struct {
	Labels       Labels `json:"labels"`
	Annotations  Labels `json:"annotations,omitempty"`
	GeneratorURL string `json:"generatorURL,omitempty"`

	StartsAt time.Time `json:"startsAt"`
	// EndsAt is when the alert resolved. It is zero while the alert fires and its
	// source will report the end; a time in the future is when the alert expires
	// unless its source sends it again.
	EndsAt time.Time `json:"endsAt,omitzero"`
	// UpdatedAt is when the alert was last received.
	UpdatedAt time.Time `json:"updatedAt"`
	// Timeout is set when EndsAt is the time of the last update plus
	// resolve_timeout, rather than an end that the source gave.
	Timeout bool `json:"timeout,omitempty"`
	// Builtin is the set of annotations with built-in text.
	Builtin Builtin `json:"-"`
}

// Name returns the value of the label alertname.
func (a *Alert) Name() string { return a.Labels[NameLabel] }

// Fingerprint returns the fingerprint of the labels. Two alerts with equal labels
// are the same alert, whatever their annotations.
func (a *Alert) Fingerprint() Fingerprint { return a.Labels.Fingerprint() }

// ResolvedAt reports whether the alert is resolved at now. An alert whose end lies
// after now still fires.
func (a *Alert) ResolvedAt(now time.Time) bool {
	return !a.EndsAt.IsZero() && !a.EndsAt.After(now)
}

// Fingerprint is the identity of a label set, as Alertmanager computes it.
type Fingerprint uint64

// String formats the fingerprint as 16 hexadecimal digits.
func (f Fingerprint) String() string {
	s := strconv.FormatUint(uint64(f), 16)
	return "0000000000000000"[len(s):] + s
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// Fingerprint returns the FNV-1a hash of the labels in byte order of their names:
// name, 0xFF, value, 0xFF. Prometheus and Alertmanager show the same fingerprint
// for the same labels.
func (l Labels) Fingerprint() Fingerprint {
	h := uint64(fnvOffset)
	add := func(s string) {
		for i := 0; i < len(s); i++ {
			h = (h ^ uint64(s[i])) * fnvPrime
		}
		h = (h ^ 0xFF) * fnvPrime
	}
	for _, name := range l.appendNames(make([]string, 0, 16)) { // on the stack, because every alert is hashed many times
		add(name)
		add(l[name])
	}
	return Fingerprint(h)
}

// Names returns the label names in byte order.
func (l Labels) Names() []string { return l.appendNames(make([]string, 0, len(l))) }

// SetNonEmpty sets a value unless it is empty: as in Prometheus, an empty label
// is no label.
func (l Labels) SetNonEmpty(name, value string) {
	if value != "" {
		l[name] = value
	}
}

func (l Labels) appendNames(to []string) []string {
	for name := range l {
		to = append(to, name)
	}
	slices.Sort(to)
	return to
}

// Merge merges a stored alert with an update of it, as Alertmanager does. Alerts
// whose active times do not overlap are two incidents, and the update replaces the
// stored one. Otherwise the later update wins, except that the earlier start is kept,
// and a later end of the other one: if the update still fires, an end that the source
// gave; if it is resolved, an end that has passed as well. Merge changes neither
// argument.
func Merge(old, in *Alert) *Alert {
	if !overlap(old, in) {
		return in
	}
	if in.UpdatedAt.Before(old.UpdatedAt) {
		old, in = in, old
	}
	merged := *in
	if old.StartsAt.Before(merged.StartsAt) {
		merged.StartsAt = old.StartsAt
	}
	if in.ResolvedAt(in.UpdatedAt) {
		if old.ResolvedAt(in.UpdatedAt) && old.EndsAt.After(merged.EndsAt) {
			merged.EndsAt = old.EndsAt
		}
	} else if !in.EndsAt.IsZero() && old.EndsAt.After(in.EndsAt) && !old.Timeout {
		merged.EndsAt = old.EndsAt
	}
	return &merged
}

// overlap reports whether an update belongs to the same incident as the stored
// alert: its start or its end lies strictly within the stored alert's active time.
// An update that starts with the stored alert and ends later does not count as
// overlapping, but replacing the stored alert has the same result as merging.
func overlap(old, in *Alert) bool {
	within := func(t time.Time) bool {
		return t.After(old.StartsAt) && (old.EndsAt.IsZero() || t.Before(old.EndsAt))
	}
	return within(in.StartsAt) || !in.EndsAt.IsZero() && within(in.EndsAt)
}

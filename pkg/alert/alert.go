// Package alert holds the one thing that everything in Tocsin becomes: an alert
// in Prometheus's sense. Labels say what it is, annotations describe it, and it
// has a start and an end. Nothing after this package knows where an alert came
// from.
package alert

import (
	"slices"
	"strconv"
	"time"
)

// Labels is a set of names and values: an alert's identity, or its annotations.
type Labels map[string]string

// Alert is one thing that is, or was, wrong.
type Alert struct {
	Labels       Labels `json:"labels"`
	Annotations  Labels `json:"annotations,omitempty"`
	GeneratorURL string `json:"generatorURL,omitempty"`

	StartsAt time.Time `json:"startsAt"`
	// EndsAt is zero while the alert fires and its source will say when it is
	// over; a time in the future is when it ends unless it is said again.
	EndsAt time.Time `json:"endsAt,omitzero"`
	// UpdatedAt is when the alert was last taken in.
	UpdatedAt time.Time `json:"updatedAt"`
	// Timeout tells that EndsAt was not given by the source but is its last
	// word plus resolve_timeout.
	Timeout bool `json:"timeout,omitempty"`
	// Builtin names the annotations whose text is built in.
	Builtin Builtin `json:"-"`
}

// Name is the value of the label alertname.
func (a *Alert) Name() string { return a.Labels[NameLabel] }

// Fingerprint identifies the alert: two alerts with equal labels are the same
// alert, whatever their annotations.
func (a *Alert) Fingerprint() Fingerprint { return a.Labels.Fingerprint() }

// ResolvedAt tells whether the alert is over at now. An end in the future is an
// end that has not come.
func (a *Alert) ResolvedAt(now time.Time) bool {
	return !a.EndsAt.IsZero() && !a.EndsAt.After(now)
}

// Fingerprint is the identity of a label set, as Alertmanager computes it.
type Fingerprint uint64

// String prints the fingerprint as 16 hexadecimal digits.
func (f Fingerprint) String() string {
	s := strconv.FormatUint(uint64(f), 16)
	return "0000000000000000"[len(s):] + s
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// Fingerprint hashes the labels in byte order of their names with FNV-1a: name,
// 0xFF, value, 0xFF. It is the fingerprint that Prometheus and Alertmanager
// print for the same labels.
func (l Labels) Fingerprint() Fingerprint {
	h := uint64(fnvOffset)
	add := func(s string) {
		for i := 0; i < len(s); i++ {
			h = (h ^ uint64(s[i])) * fnvPrime
		}
		h = (h ^ 0xFF) * fnvPrime
	}
	for _, name := range l.appendNames(make([]string, 0, 16)) { // on the stack: every alert is hashed wherever it goes
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

// Merge combines what is stored of an alert with what came in for it, as
// Alertmanager does. Alerts whose activity does not overlap are two incidents,
// and the new one replaces the old. Otherwise the later word counts, the
// earliest start is kept, and an end that the source itself gave is not pulled
// in by a later word that only times out sooner. Neither argument is changed.
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

// overlap tells whether two words about an alert are about one incident: the
// end of the new one, or its start, lies strictly within the old one's activity.
// A word that begins when the old one did and lasts longer takes its place, which
// comes to the same.
func overlap(old, in *Alert) bool {
	within := func(t time.Time) bool {
		return t.After(old.StartsAt) && (old.EndsAt.IsZero() || t.Before(old.EndsAt))
	}
	return within(in.StartsAt) || !in.EndsAt.IsZero() && within(in.EndsAt)
}

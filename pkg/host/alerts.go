package host

import (
	"fmt"
	"maps"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// Annotations of alerts about hosts.
const (
	summaryAnnotation     = "summary"
	descriptionAnnotation = "description"
	// addressAnnotation is where the host last reported from, and
	// reportedAnnotation what it reported, in words.
	addressAnnotation  = "address"
	reportedAnnotation = "last_values"
	// valueAnnotation and thresholdAnnotation are plain decimals.
	valueAnnotation     = "value"
	thresholdAnnotation = "threshold"
)

// labels returns the labels of a rule's alert. As in Prometheus, a label that
// comes out empty is left out.
func (j *judgement) labels(r *rule, v reading) alert.Labels {
	labels := maps.Clone(j.host.Labels)
	labels[alert.NameLabel] = r.Alert
	if r.By != "" {
		set(labels, r.By, v.element)
	}
	if len(r.Labels) == 0 {
		return labels
	}
	data := labelData{maps.Clone(labels)}
	for name, text := range r.Labels {
		delete(labels, name)
		set(labels, name, text.Expand(data))
	}
	return labels
}

// say speaks of a value that fires, or that was seen to be back: ended is zero
// while it fires.
func (j *judgement) say(r *rule, v reading, e entry, ended time.Time) {
	data := TemplateData{Labels: e.Labels, Value: setting.Value(v.value), Threshold: setting.Value(r.limit())}
	a := &alert.Alert{Labels: e.Labels, StartsAt: e.Since, EndsAt: ended, Annotations: alert.Labels{
		valueAnnotation:     data.Value.String(),
		thresholdAnnotation: data.Threshold.String(),
	}}
	summary := j.words.beyond
	if !ended.IsZero() {
		summary = j.words.back
	}
	a.Annotations[summaryAnnotation] = fmt.Sprintf(summary, j.host.Name, r.place(v.element), figure(v.value), figure(r.limit()))
	for name, text := range r.Annotations {
		delete(a.Annotations, name)
		set(a.Annotations, name, text.Expand(data))
	}
	if ended.IsZero() {
		j.firing = append(j.firing, a)
	} else {
		j.ends = append(j.ends, a)
	}
}

// end ends an alert of which there is no value to tell.
func (j *judgement) end(e entry, why string) {
	if !e.Firing {
		return
	}
	j.ended = append(j.ended, e)
	j.ends = append(j.ends, &alert.Alert{
		Labels: e.Labels, StartsAt: e.Since, EndsAt: j.at,
		Annotations: alert.Labels{summaryAnnotation: fmt.Sprintf(why, e.Labels[hostnameLabel], e.Labels[alert.NameLabel])},
	})
}

// set adds a value that is not empty.
func set(to alert.Labels, name, value string) {
	if value != "" {
		to[name] = value
	}
}

package host

import (
	"fmt"
	"maps"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// labels returns the labels of a rule's alert. As in Prometheus, a label that
// comes out empty is left out.
func (j *judgement) labels(r *rule, v reading) alert.Labels {
	labels := maps.Clone(j.host.Labels)
	labels[alert.NameLabel] = r.Alert
	if r.By != "" {
		labels.SetNonEmpty(r.By, v.element)
	}
	if len(r.Labels) == 0 {
		return labels
	}
	data := labelData{maps.Clone(labels)}
	for name, text := range r.Labels {
		delete(labels, name)
		labels.SetNonEmpty(name, text.Expand(data))
	}
	return labels
}

// say speaks of a value that fires, or that was seen to be back: ended is zero
// while it fires.
func (j *judgement) say(r *rule, v reading, e entry, ended time.Time) {
	data := TemplateData{Labels: e.Labels, Value: setting.Value(v.value), Threshold: setting.Value(r.limit())}
	a := &alert.Alert{Labels: e.Labels, StartsAt: e.Since, EndsAt: ended, Annotations: alert.Labels{
		alert.ValueAnnotation:     alert.FormatNumber(float64(data.Value)),
		alert.ThresholdAnnotation: alert.FormatNumber(float64(data.Threshold)),
	}}
	summary := j.words.beyond
	if !ended.IsZero() {
		summary = j.words.back
	}
	if _, own := r.Annotations[alert.SummaryAnnotation]; !own {
		a.SetSummary(fmt.Sprintf(summary, j.host.Name, r.place(v.element), figure(v.value), figure(r.limit())))
	}
	for name, text := range r.Annotations {
		delete(a.Annotations, name)
		a.Annotations.SetNonEmpty(name, text.Expand(data))
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
	a := &alert.Alert{Labels: e.Labels, StartsAt: e.Since, EndsAt: j.at}
	a.SetSummary(fmt.Sprintf(why, e.Labels[alert.HostnameLabel], e.Labels[alert.NameLabel]))
	j.ends = append(j.ends, a)
}

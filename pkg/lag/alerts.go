package lag

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"tocsin/pkg/alert"
)

// Labels of a lag alert, beside alertname.
const (
	clusterLabel = "cluster"
	groupLabel   = "consumer_group"
	topicLabel   = "topic"
)

// Annotations of a lag alert. Numbers are plain decimals.
const (
	lagAnnotation       = "lag"       // the sum of the known partitions
	thresholdAnnotation = "threshold" // max_lag
	// partitionsAnnotation names those furthest behind, at most five, worst
	// first, as id:lag: "3:5000,7:4100".
	partitionsAnnotation  = "partitions"
	unknownAnnotation     = "unknown_partitions" // how many, when there are any
	summaryAnnotation     = "summary"
	descriptionAnnotation = "description"
)

// statement is an alert and what orders it.
type statement struct {
	group, topic string
	rule         int
	alert        *alert.Alert
}

// say speaks of a topic that fires, or that did and was seen to be low.
func (v *verdict) say(i int, group string, topic *Topic, seen total, old, is Entry) {
	r := &v.rules[i]
	data := Data{
		Labels: v.labels(r.Alert, r.Labels, group, topic.Name),
		Value:  Value(seen.lag), Lag: seen.lag, Threshold: *r.MaxLag,
		UnknownPartitions: seen.unknown,
	}
	a := &alert.Alert{Labels: data.Labels, StartsAt: is.Since}
	summary := v.words.over
	if is.Firing {
		data.Partitions = worst(topic.Partitions)
	} else {
		a.StartsAt, a.EndsAt = old.Since, v.now
		summary = v.words.under
	}
	a.Annotations = alert.Labels{
		lagAnnotation:       strconv.FormatInt(seen.lag, 10),
		thresholdAnnotation: strconv.FormatInt(*r.MaxLag, 10),
	}
	set(a.Annotations, partitionsAnnotation, list(data.Partitions))
	if seen.unknown > 0 {
		a.Annotations[unknownAnnotation] = strconv.Itoa(seen.unknown)
	}
	if _, own := r.Annotations[summaryAnnotation]; !own {
		a.Annotations[summaryAnnotation] = fmt.Sprintf(summary, group, topic.Name, thousands(seen.lag), thousands(*r.MaxLag))
	}
	if _, own := r.Annotations[descriptionAnnotation]; !own {
		set(a.Annotations, descriptionAnnotation, v.words.detail(data.Partitions, seen.unknown))
	}
	for name, text := range r.Annotations {
		set(a.Annotations, name, text.expand(data))
	}
	v.said = append(v.said, statement{group, topic.Name, i, a})
}

// end speaks of an alert whose topic, group or rule is gone: there is no lag to
// tell. Of the rule's annotations those stay that need none, but for what
// describes the trouble.
func (v *verdict) end(i int, id RuleID, group, topic string, e Entry, why string, args ...any) {
	if !e.Firing {
		return
	}
	a := &alert.Alert{StartsAt: e.Since, EndsAt: v.now, Annotations: alert.Labels{}}
	if i < len(v.rules) {
		r := &v.rules[i]
		a.Labels = v.labels(r.Alert, r.Labels, group, topic)
		for name, text := range r.Annotations {
			if s, err := text.execute(labelData{a.Labels}); err == nil && name != descriptionAnnotation {
				set(a.Annotations, name, s)
			}
		}
	} else {
		texts := make(map[string]Template, len(id.Labels))
		for name, text := range id.Labels {
			t, err := NewTemplate(text)
			if err != nil {
				t = Template{text: text}
			}
			texts[name] = t
		}
		a.Labels = v.labels(id.Alert, texts, group, topic)
	}
	a.Annotations[summaryAnnotation] = fmt.Sprintf(why, args...)
	v.said = append(v.said, statement{group, topic, i, a})
}

// labels returns an alert's labels. As in Prometheus, a label that comes out
// empty is left out.
func (v *verdict) labels(name string, texts map[string]Template, group, topic string) alert.Labels {
	labels := make(alert.Labels, 4+len(texts))
	maps.Copy(labels, alert.Labels{alert.NameLabel: name, clusterLabel: v.cluster, groupLabel: group, topicLabel: topic})
	if len(texts) == 0 {
		return labels
	}
	data := labelData{maps.Clone(labels)}
	for name, text := range texts {
		set(labels, name, text.expand(data))
	}
	return labels
}

// alerts returns what was said in order, each alert once: while one of the rules
// that make it fires, it fires.
func (v *verdict) alerts() []*alert.Alert {
	slices.SortFunc(v.said, func(a, b statement) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.topic, b.topic), cmp.Compare(a.rule, b.rule))
	})
	out := make([]*alert.Alert, 0, len(v.said))
	from := 0 // where the topic's alerts begin
	for i, s := range v.said {
		if i > 0 && (s.group != v.said[i-1].group || s.topic != v.said[i-1].topic) {
			from = len(out)
		}
		same := slices.IndexFunc(out[from:], func(a *alert.Alert) bool { return maps.Equal(a.Labels, s.alert.Labels) })
		switch {
		case same < 0:
			out = append(out, s.alert)
		case !out[from+same].EndsAt.IsZero() && s.alert.EndsAt.IsZero():
			out[from+same] = s.alert
		}
	}
	return out
}

// list prints partitions as "3:5000,7:4100".
func list(partitions []Partition) string {
	var text []byte
	for i, p := range partitions {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(p.ID), 10)
		text = append(text, ':')
		text = strconv.AppendInt(text, p.Lag, 10)
	}
	return string(text)
}

// set adds a value that is not empty.
func set(to alert.Labels, name, value string) {
	if value != "" {
		to[name] = value
	}
}

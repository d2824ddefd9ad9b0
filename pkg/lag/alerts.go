package lag

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
)

// statement is an alert and what orders it.
type pendingAlert struct {
	group, topic string
	rule         int
	alert        *alert.Alert
}

// say speaks of a topic that fires, or that did and was seen to be low.
func (v *evaluation) say(i int, s *ruleInput, old, is ActiveAlert) {
	r := &v.rules[i]
	data := v.data(r, s, is.Firing)
	a := &alert.Alert{Labels: data.Labels, StartsAt: is.Since, Annotations: data.annotations(r.Rule)}
	a.Annotations.SetNonEmpty(alert.SourceAnnotation, v.snap.Source)
	summary := v.words.firing(r.Rule, s.group.Name, s.topic.Name, &data)
	if !is.Firing {
		a.StartsAt, a.EndsAt = old.Since, v.now
		summary = v.words.ended(r.Rule, s.group.Name, s.topic.Name, &data)
	}
	if _, own := r.Annotations[alert.SummaryAnnotation]; !own {
		a.SetSummary(summary)
	}
	if _, own := r.Annotations[alert.DescriptionAnnotation]; !own {
		a.SetDescription(v.words.detail(data.Partitions, s.unknown))
	}
	for name, text := range r.Annotations {
		a.Annotations.SetNonEmpty(name, text.Expand(data))
	}
	v.said = append(v.said, pendingAlert{s.group.Name, s.topic.Name, i, a})
}

// data is what is told about a topic that fires, and less of one that does not.
func (v *evaluation) data(r *rule, s *ruleInput, firing bool) TemplateData {
	d := TemplateData{
		Labels: v.labels(r.Alert, r.Labels, s.group.Name, s.topic.Name),
		Value:  setting.Value(s.lag), Lag: s.lag, UnknownPartitions: s.unknown,
		RateIn: math.NaN(), RateOut: math.NaN(),
	}
	if r.MaxLag != nil {
		d.Threshold = *r.MaxLag
	}
	if !firing {
		return d
	}
	d.Partitions = worst(r.causes(s))
	d.Lost = s.topic.lost()
	if age, known := s.oldest(); known {
		d.Delay = setting.Duration(age.Truncate(time.Second))
	}
	m := s.motion()
	if len(r.Status) > 0 && !slices.Contains(r.Status, m.status) {
		m.status = s.worstState(d.Partitions) // another partition is in a worse one
	}
	if m.status != trend.Unknown {
		d.Status = string(m.status)
	}
	d.GrowingFor = setting.Duration(m.growing.Truncate(time.Second))
	d.RateIn, d.RateOut, d.Drain = m.in, m.out, alert.FormatDrain(m.drain)
	return d
}

// annotations prints the data.
func (d *TemplateData) annotations(r *Rule) alert.Labels {
	out := alert.Labels{alert.LagAnnotation: alert.FormatCount(d.Lag)}
	if r.MaxLag != nil {
		out[alert.ThresholdAnnotation] = alert.FormatCount(d.Threshold)
	}
	count := func(name string, n int64) {
		if n > 0 {
			out[name] = alert.FormatCount(n)
		}
	}
	seconds := func(name string, d setting.Duration) {
		if d.Std() >= time.Second {
			out[name] = alert.FormatSeconds(d.Std())
		}
	}
	count(alert.UnknownPartitionsAnnotation, int64(d.UnknownPartitions))
	seconds(alert.DelayAnnotation, d.Delay)
	seconds(alert.GrowingForAnnotation, d.GrowingFor)
	count(alert.LostAnnotation, d.Lost)
	out.SetNonEmpty(alert.PartitionsAnnotation, alert.FormatPartitions(partitionLags(d.Partitions)))
	out.SetNonEmpty(alert.StatusAnnotation, d.Status)
	out.SetNonEmpty(alert.RateInAnnotation, alert.FormatRate(d.RateIn))
	out.SetNonEmpty(alert.RateOutAnnotation, alert.FormatRate(d.RateOut))
	out.SetNonEmpty(alert.DrainAnnotation, d.Drain)
	return out
}

func partitionLags(partitions []Partition) []alert.PartitionLag {
	out := make([]alert.PartitionLag, len(partitions))
	for i, p := range partitions {
		out[i] = alert.PartitionLag{ID: p.ID, Lag: p.Lag}
	}
	return out
}

// causes are the partitions for which a rule fires: those that its conditions
// speak of, or all.
func (r *rule) causes(s *ruleInput) []Partition {
	if len(r.others) == 0 {
		return s.topic.Partitions
	}
	var out []Partition
	for _, p := range s.topic.Partitions {
		one := ruleInput{s.Evaluator, s.snap, s.now, s.group, &Topic{Name: s.topic.Name, Partitions: []Partition{p}}, nil}
		if (len(r.Status) == 0 || slices.Contains(r.Status, s.state(p.ID))) &&
			(r.MaxDelay == 0 || r.delay(&one) == met) && (!r.Lost || p.Lost > 0) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return s.topic.Partitions // each condition holds in another one
	}
	return out
}

// end speaks of an alert whose topic, group or rule is gone: there is no lag to
// tell. Of the rule's annotations those stay that need none, but for what
// describes the trouble.
func (v *evaluation) end(i int, id RuleID, group, topic string, e ActiveAlert, why string, args ...any) {
	if !e.Firing {
		return
	}
	a := &alert.Alert{StartsAt: e.Since, EndsAt: v.now, Annotations: alert.Labels{}}
	if i < len(v.rules) {
		r := &v.rules[i]
		a.Labels = v.labels(r.Alert, r.Labels, group, topic)
		for name, text := range r.Annotations {
			if s, err := text.Execute(labelData{a.Labels}); err == nil && name != alert.DescriptionAnnotation {
				a.Annotations.SetNonEmpty(name, s)
			}
		}
	} else {
		texts := make(map[string]setting.Template, len(id.Labels))
		for name, text := range id.Labels {
			t, err := setting.NewTemplate(text)
			if err != nil {
				t = setting.Constant(text)
			}
			texts[name] = t
		}
		a.Labels = v.labels(id.Alert, texts, group, topic)
	}
	a.SetSummary(fmt.Sprintf(why, args...))
	v.said = append(v.said, pendingAlert{group, topic, i, a})
}

// labels returns an alert's labels. As in Prometheus, a label that comes out
// empty is left out.
func (v *evaluation) labels(name string, texts map[string]setting.Template, group, topic string) alert.Labels {
	labels := make(alert.Labels, 4+len(texts))
	maps.Copy(labels, alert.Labels{alert.NameLabel: name, alert.ClusterLabel: v.cluster, alert.GroupLabel: group, alert.TopicLabel: topic})
	if len(texts) == 0 {
		return labels
	}
	data := labelData{maps.Clone(labels)}
	for name, text := range texts {
		labels.SetNonEmpty(name, text.Expand(data))
	}
	return labels
}

// alerts returns what was said in order, each alert once: while one of the rules
// that make it fires, it fires.
func (v *evaluation) alerts() []*alert.Alert {
	slices.SortFunc(v.said, func(a, b pendingAlert) int {
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

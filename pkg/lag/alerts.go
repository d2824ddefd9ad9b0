package lag

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
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

	// Those below are there when they are known and there is something to tell.
	delayAnnotation   = "delay"       // the age of the oldest unread message, at least, in seconds
	statusAnnotation  = "status"      // the worst state of a partition, a trend.State
	growingAnnotation = "growing_for" // for how long the lag has grown, in seconds
	lostAnnotation    = "lost"        // how many messages were deleted unread
	rateInAnnotation  = "rate_in"     // messages per second that are produced
	rateOutAnnotation = "rate_out"    // messages per second that are read
	// drainAnnotation is how long it takes at these rates until all is read, as
	// "12m" or "never".
	drainAnnotation = "drain"
	// historyAnnotation is the lag of the last hours, for a picture; see draw.
	historyAnnotation = "lag_history"
	sourceAnnotation  = "source" // SourceKafka or SourceAPI, of a cluster that has both
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
	set(a.Annotations, sourceAnnotation, v.snap.Source)
	summary := v.words.firing(r.Rule, s.group.Name, s.topic.Name, &data)
	if !is.Firing {
		a.StartsAt, a.EndsAt = old.Since, v.now
		summary = v.words.ended(r.Rule, s.group.Name, s.topic.Name, &data)
	}
	if _, own := r.Annotations[summaryAnnotation]; !own {
		a.Annotations[summaryAnnotation] = summary
	}
	if _, own := r.Annotations[descriptionAnnotation]; !own {
		set(a.Annotations, descriptionAnnotation, v.words.detail(data.Partitions, s.unknown))
	}
	for name, text := range r.Annotations {
		set(a.Annotations, name, text.Expand(data))
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
	d.RateIn, d.RateOut, d.Drain = m.in, m.out, m.drainText()
	return d
}

// annotations prints the data.
func (d *TemplateData) annotations(r *Rule) alert.Labels {
	out := alert.Labels{lagAnnotation: strconv.FormatInt(d.Lag, 10)}
	if r.MaxLag != nil {
		out[thresholdAnnotation] = strconv.FormatInt(d.Threshold, 10)
	}
	count := func(name string, n int64) {
		if n > 0 {
			out[name] = strconv.FormatInt(n, 10)
		}
	}
	count(unknownAnnotation, int64(d.UnknownPartitions))
	count(delayAnnotation, int64(d.Delay.Std()/time.Second))
	count(growingAnnotation, int64(d.GrowingFor.Std()/time.Second))
	count(lostAnnotation, d.Lost)
	set(out, partitionsAnnotation, list(d.Partitions))
	set(out, statusAnnotation, d.Status)
	set(out, rateInAnnotation, rate(d.RateIn))
	set(out, rateOutAnnotation, rate(d.RateOut))
	set(out, drainAnnotation, d.Drain)
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

// rate prints messages per second, with one decimal where they are few; "" for
// unknown.
func rate(perSecond float64) string {
	if math.IsNaN(perSecond) {
		return ""
	}
	decimals := 1.0
	if math.Abs(perSecond) < 100 {
		decimals = 10
	}
	return strconv.FormatFloat(math.Round(perSecond*decimals)/decimals, 'f', -1, 64)
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
			if s, err := text.Execute(labelData{a.Labels}); err == nil && name != descriptionAnnotation {
				set(a.Annotations, name, s)
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
	a.Annotations[summaryAnnotation] = fmt.Sprintf(why, args...)
	v.said = append(v.said, pendingAlert{group, topic, i, a})
}

// labels returns an alert's labels. As in Prometheus, a label that comes out
// empty is left out.
func (v *evaluation) labels(name string, texts map[string]setting.Template, group, topic string) alert.Labels {
	labels := make(alert.Labels, 4+len(texts))
	maps.Copy(labels, alert.Labels{alert.NameLabel: name, clusterLabel: v.cluster, groupLabel: group, topicLabel: topic})
	if len(texts) == 0 {
		return labels
	}
	data := labelData{maps.Clone(labels)}
	for name, text := range texts {
		set(labels, name, text.Expand(data))
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

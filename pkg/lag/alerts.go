package lag

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/humanize"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
)

// pendingAlert is an alert of an evaluation with its sort key. rule is an index,
// those of removed rules follow the current ones.
type pendingAlert struct {
	group, topic string
	rule         int
	alert        *alert.Alert
}

// addCurrent adds the alert of a topic with a known lag: it fires, or it did and its
// conditions are no longer met.
func (ev *evaluation) addCurrent(index int, in *ruleInput, old, active ActiveAlert) {
	r := &ev.rules[index]
	data := ev.templateData(r, in, active)
	a := &alert.Alert{Labels: data.Labels, StartsAt: active.Since, Annotations: data.annotations(r.Rule)}
	a.Annotations.SetNonEmpty(alert.SourceAnnotation, ev.snap.Source)
	summary := ev.messages.firingSummary(r.Rule, in.group.Name, in.topic.Name, &data)
	if !active.Firing {
		a.StartsAt, a.EndsAt = old.Since, ev.now
		summary = ev.messages.resolvedSummary(r.Rule, in.group.Name, in.topic.Name, &data)
	}
	if _, custom := r.Annotations[alert.SummaryAnnotation]; !custom {
		a.SetSummary(summary)
	}
	if _, custom := r.Annotations[alert.DescriptionAnnotation]; !custom {
		a.SetDescription(ev.messages.partitionDetails(ev.messages.evidence(r, in), &data))
	}
	for name, template := range r.Annotations {
		a.Annotations.SetNonEmpty(name, template.Expand(data))
	}
	ev.pending = append(ev.pending, pendingAlert{in.group.Name, in.topic.Name, index, a})
}

// templateData returns the data of an alert. That of an alert which does not fire
// has the lag alone.
func (ev *evaluation) templateData(r *rule, in *ruleInput, active ActiveAlert) TemplateData {
	d := TemplateData{
		Labels: ev.alertLabels(r.Alert, r.Labels, in.group.Name, in.topic.Name),
		Value:  setting.Value(in.lag), Lag: in.lag, UnknownPartitions: in.unknown,
		RateIn: math.NaN(), RateOut: math.NaN(),
	}
	if r.MaxLag != nil {
		d.Threshold = *r.MaxLag
	}
	if !active.Firing {
		return d
	}
	d.Partitions = worstPartitions(r.violatingPartitions(in))
	d.Members = holders(in.group, in.topic.Name, d.Partitions)
	d.Lost = max(in.lost(), active.Lost)
	if age := r.oldestAge(in); age.Known {
		d.Delay, d.DelaySource = setting.Duration(age.AtLeast.Truncate(time.Second)), string(age.Source)
	}
	s := in.reportedStatus()
	if len(r.Status) > 0 && !slices.Contains(r.Status, s.State) {
		s.State = in.worstState(d.Partitions) // the topic's worst state is not one of the rule's
	}
	if s.State == trend.Unknown && active.Status != "" {
		s.State = active.Status
	}
	if s.State != trend.Unknown {
		d.Status = string(s.State)
	}
	d.GrowingFor = setting.Duration(s.GrowingFor.Truncate(time.Second))
	d.RateIn, d.RateOut, d.Drain = s.ProduceRate, s.ConsumeRate, alert.FormatDrain(s.DrainTime)
	return d
}

// annotations returns the data as annotations.
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
	if d.Delay.Std() >= time.Second {
		out.SetNonEmpty(alert.DelaySourceAnnotation, d.DelaySource)
	}
	seconds(alert.GrowingForAnnotation, d.GrowingFor)
	count(alert.LostAnnotation, d.Lost)
	out.SetNonEmpty(alert.PartitionsAnnotation, alert.FormatPartitions(partitionLags(d.Partitions)))
	out.SetNonEmpty(alert.MembersAnnotation, formatHolders(d.Members))
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

// violatingPartitions returns the partitions that meet all conditions of a firing
// rule that apply to a single one; all partitions if none does.
func (r *rule) violatingPartitions(in *ruleInput) []Partition {
	if len(r.conditions) == 0 {
		return in.topic.Partitions
	}
	var out []Partition
	for _, p := range in.topic.Partitions {
		one := *in
		one.topic = &Topic{Name: in.topic.Name, Partitions: []Partition{p}}
		if (len(r.Status) == 0 || slices.Contains(r.Status, in.partitionState(p.ID))) &&
			(r.MaxPartitionLag == nil || r.checkMaxPartitionLag(&one) == met) && (r.MaxDelay == 0 || r.checkMaxDelay(&one) == met) && (!r.Lost || p.Lost > p.allowed(in.allowedLag)) {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return in.topic.Partitions // different partitions meet the conditions
	}
	return out
}

// evidence returns the offsets that show conditions which the lag does not.
func (m *messages) evidence(r *rule, in *ruleInput) string {
	var b strings.Builder
	if r.Lost {
		b.WriteString(m.partitionOffsets(in, m.lostPartitions, m.lostPartition, func(p Partition) (n, offset int64) {
			if p.Lost <= p.allowed(in.allowedLag) {
				return 0, 0
			}
			return p.Lost, p.Start
		}))
	}
	if len(r.Status) > 0 {
		b.WriteString(m.transactions(in.topic.Partitions))
	}
	if slices.Contains(r.Status, trend.Ahead) {
		b.WriteString(m.partitionOffsets(in, m.aheadPartitions, m.aheadPartition, func(p Partition) (n, offset int64) { return p.Committed - p.End, p.End }))
	}
	return b.String()
}

// transactions lists the transactions that hold back the group.
func (m *messages) transactions(partitions []Partition) string {
	var items []string
	for _, p := range partitions {
		if t := p.Transaction; t != nil && len(items) < maxWorst {
			items = append(items, fmt.Sprintf(m.openTransaction, p.ID, t.ProducerID, t.Epoch, humanize.Int(t.Start)))
		}
	}
	if len(items) == 0 {
		return ""
	}
	return fmt.Sprintf(m.openTransactions, strings.Join(items, m.listSeparator))
}

// partitionOffsets lists the partitions of which measure returns the greatest positive
// numbers, with their commits and the offset that it returns.
func (m *messages) partitionOffsets(in *ruleInput, list, item string, measure func(Partition) (n, offset int64)) string {
	number := func(p Partition) int64 {
		n, _ := measure(p)
		return n
	}
	partitions := slices.DeleteFunc(slices.Clone(in.topic.Partitions), func(p Partition) bool { return !p.Known || number(p) <= 0 })
	if len(partitions) == 0 {
		return ""
	}
	slices.SortStableFunc(partitions, func(a, b Partition) int { return cmp.Compare(number(b), number(a)) })
	var items []string
	for _, p := range partitions[:min(len(partitions), maxWorst)] {
		_, offset := measure(p)
		items = append(items, fmt.Sprintf(item, p.ID, humanize.Int(p.Committed), humanize.Int(offset)))
	}
	return fmt.Sprintf(list, strings.Join(items, m.listSeparator))
}

// addEnded adds the end of an alert, if it fires, whose topic, group or rule is gone.
// There is no current lag: of the rule's annotations it has those that use labels
// only, without the description, which is about the firing alert.
func (ev *evaluation) addEnded(index int, id RuleID, group, topic string, old ActiveAlert, summary string, args ...any) {
	if !old.Firing {
		return
	}
	a := &alert.Alert{StartsAt: old.Since, EndsAt: ev.now, Annotations: alert.Labels{}}
	if index < len(ev.rules) {
		r := &ev.rules[index]
		a.Labels = ev.alertLabels(r.Alert, r.Labels, group, topic)
		for name, template := range r.Annotations {
			if text, err := template.Execute(labelData{a.Labels}); err == nil && name != alert.DescriptionAnnotation {
				a.Annotations.SetNonEmpty(name, text)
			}
		}
	} else {
		a.Labels = ev.alertLabels(id.Alert, id.labelTemplates(), group, topic)
	}
	a.SetSummary(fmt.Sprintf(summary, args...))
	ev.pending = append(ev.pending, pendingAlert{group, topic, index, a})
}

// labelTemplates returns the label templates of a rule that may no longer exist.
func (id RuleID) labelTemplates() map[string]setting.Template {
	templates := make(map[string]setting.Template, len(id.Labels))
	for name, text := range id.Labels {
		t, err := setting.NewTemplate(text)
		if err != nil {
			t = setting.Constant(text)
		}
		templates[name] = t
	}
	return templates
}

// alertLabels returns the labels of an alert. As in Prometheus, a label whose
// template yields an empty text is left out.
func (ev *evaluation) alertLabels(name string, templates map[string]setting.Template, group, topic string) alert.Labels {
	labels := make(alert.Labels, 4+len(templates))
	maps.Copy(labels, alert.Labels{alert.NameLabel: name, alert.ClusterLabel: ev.cluster, alert.GroupLabel: group, alert.TopicLabel: topic})
	if topic == "" {
		delete(labels, alert.TopicLabel)
	}
	if len(templates) == 0 {
		return labels
	}
	data := labelData{maps.Clone(labels)}
	for name, template := range templates {
		labels.SetNonEmpty(name, template.Expand(data))
	}
	return labels
}

// alerts returns the pending alerts in order. Of several with the same labels it
// returns the first that fires, or else the first.
func (ev *evaluation) alerts() []*alert.Alert {
	slices.SortFunc(ev.pending, func(a, b pendingAlert) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.topic, b.topic), cmp.Compare(a.rule, b.rule))
	})
	out := make([]*alert.Alert, 0, len(ev.pending))
	from := 0 // start of the topic's alerts
	for i, p := range ev.pending {
		if i > 0 && (p.group != ev.pending[i-1].group || p.topic != ev.pending[i-1].topic) {
			from = len(out)
		}
		same := slices.IndexFunc(out[from:], func(a *alert.Alert) bool { return maps.Equal(a.Labels, p.alert.Labels) })
		switch {
		case same < 0:
			out = append(out, p.alert)
		case !out[from+same].EndsAt.IsZero() && p.alert.EndsAt.IsZero():
			out[from+same] = p.alert
		}
	}
	return out
}

const (
	// maxHistories is how many alerts of a poll have a history: those with the
	// highest lag. More do not fit into a message, and each is stored at every
	// poll.
	maxHistories = 50
	// maxHistoryValues bounds one history.
	maxHistoryValues = 180
)

// attachHistory adds the history of their lag to alerts.
func attachHistory(alerts []*alert.Alert, w *trend.Window) {
	var current []*alert.Alert
	for _, a := range alerts {
		if a.Annotations[alert.LagAnnotation] != "" {
			current = append(current, a)
		}
	}
	if len(current) > maxHistories {
		slices.SortStableFunc(current, func(a, b *alert.Alert) int { return cmp.Compare(lagOf(b), lagOf(a)) })
		current = current[:maxHistories]
	}
	for _, a := range current {
		history := lagHistory(w.History(a.Labels[alert.GroupLabel], a.Labels[alert.TopicLabel]))
		a.Annotations.SetNonEmpty(alert.LagHistoryAnnotation, history)
	}
}

// lagOf returns the lag of an alert, 0 if a custom annotation hides it.
func lagOf(a *alert.Alert) int64 {
	n, _ := alert.ParseCount(a.Annotations[alert.LagAnnotation])
	return n
}

// lagHistory returns the newest values of a history as an annotation.
func lagHistory(h trend.History) string {
	out := alert.LagHistory{Last: h.Last, Step: h.Step}
	for _, v := range h.Values[max(0, len(h.Values)-maxHistoryValues):] {
		if v < 0 {
			out.Values = append(out.Values, math.NaN())
		} else {
			out.Values = append(out.Values, float64(v))
		}
	}
	return out.String()
}

package render

import (
	"math"
	"strconv"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/humanize"
)

// lagKind is a topic whose consumer group lags.
type lagKind struct{}

// lagUnknown is the lag of an alert without the annotation, which ended because
// its topic, group or rule is gone.
const lagUnknown = -1

func (lagKind) name(m *messages) string { return m.lag }
func (lagKind) usualAlertname() string  { return alert.ConsumerLagAlert }
func (lagKind) unit() unit              { return unitTopic }
func (lagKind) places() []string {
	return []string{alert.ClusterLabel, alert.GroupLabel, alert.TopicLabel}
}

func (lagKind) shows(annotation string) bool {
	switch annotation {
	case alert.LagAnnotation, alert.ThresholdAnnotation, alert.PartitionsAnnotation, alert.MembersAnnotation, alert.UnknownPartitionsAnnotation,
		alert.DelayAnnotation, alert.StatusAnnotation, alert.GrowingForAnnotation, alert.LostAnnotation,
		alert.RateInAnnotation, alert.RateOutAnnotation, alert.DrainAnnotation, alert.SourceAnnotation:
		return true
	}
	return false
}

// headline returns the lag, after a bad state and lost messages, and before the age of
// the oldest unread message.
func (lagKind) headline(d *draft, e *entry) string {
	if e.resolved {
		return d.messages.lagResolved(d.durationText(e), e.lagText())
	}
	var parts []string
	if status := e.status(); status != alert.StatusGrowing && d.messages.status[status] != "" {
		parts = append(parts, d.messages.status[status])
	}
	if n, ok := alert.ParseCount(e.Annotations[alert.LostAnnotation]); ok && n > 0 {
		parts = append(parts, d.messages.lost(humanize.Int(n)))
	}
	parts = append(parts, d.messages.lagHeadline(e.lagText(), d.ownThreshold(e)))
	if s := d.oldestUnread(e); s != "" {
		parts = append(parts, s)
	}
	return strings.Join(parts, d.messages.comma)
}

func (lagKind) shortHeadline(d *draft, e *entry) string {
	if e.resolved {
		if reason := e.Annotations[alert.SummaryAnnotation]; e.lag == lagUnknown && reason != "" {
			return CleanLine(reason, maxValue/2)
		}
		return d.messages.lagResolved(d.durationText(e), e.lagText())
	}
	line := d.messages.lagShortHeadline(e.lagText(), d.ownThreshold(e), d.durationText(e))
	for _, s := range []string{d.messages.status[e.status()], d.oldestUnread(e)} {
		if s != "" {
			line += " · " + s
		}
	}
	return line
}

func (lagKind) details(d *draft, e *entry) []Field {
	var fields fieldList
	if !e.resolved {
		fields = d.trend(e)
		fields.add(d.messages.partitions, formatPartitions(e.Annotations[alert.PartitionsAnnotation]))
		fields.add(d.messages.members, CleanLine(e.Annotations[alert.MembersAnnotation], maxValue))
		if unknown := CleanLine(e.Annotations[alert.UnknownPartitionsAnnotation], maxName); unknown != "" {
			fields.add(d.messages.unknown, d.messages.notCounted(unknown))
		}
	} else if len(d.entries) == 1 {
		fields.add(d.messages.threshold, formatCount(e.Annotations[alert.ThresholdAnnotation]))
	}
	fields = append(fields, d.authorTexts(e.Annotations, e.Builtin, func(name string) string { return d.ownAnnotation(e, name) })...)
	return append(fields, d.timeFields(e)...)
}

func (lagKind) commonDetails(d *draft) []Field {
	var fields fieldList
	fields.add(d.messages.threshold, formatCount(d.annotations[alert.ThresholdAnnotation]))
	return append(fields, d.authorTexts(d.annotations, d.builtin, func(name string) string { return CleanLine(d.annotations[name], maxValue) })...)
}

// authorTexts returns the summary and the description that a rule's author wrote.
// Built-in ones repeat numbers that the message shows and are left out, except for the
// summary of an alert that resolved without a lag, which is the reason.
func (d *draft) authorTexts(annotations alert.Labels, builtin alert.Builtin, text func(name string) string) []Field {
	var fields fieldList
	if !builtin.Has(alert.BuiltinSummary) || annotations[alert.LagAnnotation] == "" {
		fields.add(d.messages.detail, text(alert.SummaryAnnotation))
	}
	if !builtin.Has(alert.BuiltinDescription) {
		fields.add(d.messages.detail, text(alert.DescriptionAnnotation))
	}
	return fields
}

// trend returns fields on how the lag changes.
func (d *draft) trend(e *entry) fieldList {
	var fields fieldList
	fields.add(d.messages.state, d.messages.statusReason[e.status()])
	if s := d.seconds(e, alert.GrowingForAnnotation); s != "" {
		fields.add(d.messages.growth, d.messages.lasting(s))
	}
	in, out := CleanLine(e.Annotations[alert.RateInAnnotation], maxName), CleanLine(e.Annotations[alert.RateOutAnnotation], maxName)
	if in != "" && out != "" {
		fields.add(d.messages.rate, d.messages.rates(in, out, d.drain(e)))
	}
	if e.Annotations[alert.SourceAnnotation] == alert.SourceAPI {
		fields.add(d.messages.readFrom, d.messages.cloudAPI)
	}
	return fields
}

// totalLag returns the lead of several lagging topics: the sum of their lag, and the
// topic with most of it.
func (d *draft) totalLag() string {
	var sum int64
	for _, e := range d.entries[:d.firing] {
		sum += min(e.lag, math.MaxInt64-sum)
	}
	worst := d.entries[0]
	return d.messages.totalLag(humanize.Int(sum), humanize.Int(worst.lag), d.itemTitle(worst))
}

// status returns the state of the consumer group, "" when it is unknown.
func (e *entry) status() alert.LagStatus {
	return alert.LagStatus(e.Annotations[alert.StatusAnnotation])
}

// lagText formats the lag, "" when it is unknown.
func (e *entry) lagText() string {
	if e.lag == lagUnknown {
		return ""
	}
	return humanize.Int(e.lag)
}

// ownThreshold formats the threshold of one of the alerts. It returns "" if all alerts
// share the threshold, because the message then shows it once for all.
func (d *draft) ownThreshold(e *entry) string {
	if len(d.entries) > 1 && d.annotations[alert.ThresholdAnnotation] != "" {
		return ""
	}
	return formatCount(e.Annotations[alert.ThresholdAnnotation])
}

// oldestUnread formats the age of the oldest unread message, "" when it is unknown.
func (d *draft) oldestUnread(e *entry) string {
	if s := d.seconds(e, alert.DelayAnnotation); s != "" {
		return d.messages.oldestUnread(s)
	}
	return ""
}

// drain formats the time until the group has caught up, "" when it is unknown.
func (d *draft) drain(e *entry) string {
	drain, ok := alert.ParseDrain(e.Annotations[alert.DrainAnnotation])
	switch {
	case !ok:
		return ""
	case drain == alert.Never:
		return d.messages.never
	default:
		return d.messages.drainsIn(d.messages.duration(drain))
	}
}

// seconds formats an annotation in seconds, "" when it is missing or invalid.
func (d *draft) seconds(e *entry, name string) string {
	duration, ok := alert.ParseSeconds(e.Annotations[name])
	if !ok {
		return ""
	}
	return d.messages.duration(duration)
}

// formatCount formats the text of a count; other text is kept as it is.
func formatCount(s string) string {
	if n, ok := alert.ParseCount(s); ok {
		return humanize.Int(n)
	}
	return CleanLine(s, maxName)
}

// formatPartitions formats "3:5000,7:4100" as "#3 5,000 · #7 4,100"; other text is
// kept as it is.
func formatPartitions(s string) string {
	const maxShown = 5
	partitions, err := alert.ParsePartitions(s)
	if err != nil {
		return CleanLine(s, maxName)
	}
	var out []string
	for _, p := range partitions[:min(len(partitions), maxShown)] {
		out = append(out, "#"+strconv.Itoa(int(p.ID))+" "+humanize.Int(p.Lag))
	}
	return strings.Join(out, " · ")
}

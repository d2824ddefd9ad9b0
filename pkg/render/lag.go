package render

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/humanize"
)

// lagging is a topic whose consumer group is behind. Its alert has the labels
// consumer_group and topic and these annotations: lag and threshold in messages;
// partitions, those furthest behind with their lag, worst first, as
// "3:5000,7:4100"; unknown_partitions, how many could not be read; and those of
// motion.go.
type lagging struct{}

func (lagging) name(w *words) string { return w.lag }
func (lagging) usual() string        { return alert.ConsumerLagAlert }
func (lagging) unit() unit           { return unitTopic }
func (lagging) places() []string {
	return []string{alert.ClusterLabel, alert.GroupLabel, alert.TopicLabel}
}

func (lagging) headline(d *draft, e *entry) string {
	if e.resolved {
		return d.words.overLag(d.span(e), e.reading())
	}
	return d.trouble(e, d.words.behind(e.reading(), d.threshold(e)))
}

func (lagging) line(d *draft, e *entry) string {
	switch {
	case !e.resolved:
		return d.words.behindLine(e.reading(), d.threshold(e), d.span(e)) + d.asides(e)
	case e.lag == unread && e.Annotations[alert.SummaryAnnotation] != "":
		return CleanLine(e.Annotations[alert.SummaryAnnotation], maxValue/2)
	default:
		return d.words.overLag(d.span(e), e.reading())
	}
}

func (lagging) fields(d *draft, e *entry) []Field {
	var fields []Field
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, Field{name, value})
		}
	}
	worst, unknown := partitions(e.Annotations[alert.PartitionsAnnotation]), CleanLine(e.Annotations[alert.UnknownPartitionsAnnotation], maxName)
	if !e.resolved {
		fields = append(fields, d.motions(e)...)
		add(d.words.partitions, worst)
		if unknown != "" {
			add(d.words.unknown, d.words.unread(unknown))
		}
	} else if len(d.entries) == 1 {
		add(d.words.threshold, count(e.Annotations[alert.ThresholdAnnotation]))
	}
	fields = append(fields, d.remarks(e.Annotations, e.Builtin, func(name string) string { return d.ownText(e, name) })...)
	return append(fields, d.started(e)...)
}

func (lagging) shared(d *draft) []Field {
	var fields []Field
	if s := count(d.annotations[alert.ThresholdAnnotation]); s != "" {
		fields = append(fields, Field{d.words.threshold, s})
	}
	text := func(name string) string { return CleanLine(d.annotations[name], maxValue) }
	return append(fields, d.remarks(d.annotations, d.builtin, text)...)
}

// remarks are the summary and description of a rule's author. Built-in ones are
// left out, because they repeat the numbers of the message; only the summary of an
// alert that ended without a reading holds something else, the reason.
func (d *draft) remarks(annotations alert.Labels, builtin alert.Builtin, text func(name string) string) []Field {
	var fields []Field
	add := func(name string, repeated bool) {
		if s := text(name); s != "" && !repeated {
			fields = append(fields, Field{d.words.detail, s})
		}
	}
	add(alert.SummaryAnnotation, builtin.Has(alert.BuiltinSummary) && annotations[alert.LagAnnotation] != "")
	add(alert.DescriptionAnnotation, builtin.Has(alert.BuiltinDescription))
	return fields
}

func (lagging) says(annotation string) bool {
	switch annotation {
	case alert.LagAnnotation, alert.ThresholdAnnotation, alert.PartitionsAnnotation, alert.UnknownPartitionsAnnotation:
		return true
	}
	return slices.Contains(motion, annotation)
}

// unread is the lag of an alert that does not tell it: one that ended because
// its topic, group or rule is gone.
const unread = -1

// reading prints the lag, "" when it is not known.
func (e *entry) reading() string {
	if e.lag == unread {
		return ""
	}
	return humanize.Int(e.lag)
}

// threshold prints the limit that the lag is over, "" when it is the same for
// all alerts and said once.
func (d *draft) threshold(e *entry) string {
	if len(d.entries) > 1 && d.annotations[alert.ThresholdAnnotation] != "" {
		return ""
	}
	return count(e.Annotations[alert.ThresholdAnnotation])
}

// sum says how far all topics are behind together, and which is the worst.
func (d *draft) sum() string {
	var sum int64
	for _, e := range d.entries[:d.firing] {
		sum += min(e.lag, math.MaxInt64-sum)
	}
	worst := d.entries[0]
	return d.words.behindAll(humanize.Int(sum), humanize.Int(worst.lag), d.distinct(worst))
}

// count prints a number of messages; what is not a number stays as it is.
func count(s string) string {
	if n, ok := alert.ParseCount(s); ok {
		return humanize.Int(n)
	}
	return CleanLine(s, maxName)
}

// partitions formats "3:5000,7:4100" as "#3 5,000 · #7 4,100"; any other text
// stays as it is.
func partitions(s string) string {
	const most = 5
	worst, err := alert.ParsePartitions(s)
	if err != nil {
		return CleanLine(s, maxName)
	}
	var out []string
	for _, p := range worst[:min(len(worst), most)] {
		out = append(out, "#"+strconv.Itoa(int(p.ID))+" "+humanize.Int(p.Lag))
	}
	return strings.Join(out, " · ")
}

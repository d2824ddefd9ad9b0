package render

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"tocsin/pkg/alert"
)

// lagging is a topic whose consumer group is behind. Its alert has the labels
// consumer_group and topic and these annotations: lag and threshold in messages;
// partitions, those furthest behind with their lag, worst first, as
// "3:5000,7:4100"; unknown_partitions, how many could not be read; and those of
// motion.go.
type lagging struct{}

// usualRule is the alertname that a rule about lag has unless it is given one.
const usualRule = "KafkaConsumerLag"

func (lagging) name(w *words) string { return w.lag }
func (lagging) usual() string        { return usualRule }
func (lagging) unit() unit           { return unitTopic }
func (lagging) places() []string     { return []string{"cluster", "consumer_group", "topic"} }

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
	case e.lag == unread && e.Annotations["summary"] != "":
		return Clean(e.Annotations["summary"], maxValue/2)
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
	worst, unknown := partitions(e.Annotations["partitions"]), Clean(e.Annotations["unknown_partitions"], maxName)
	if !e.resolved {
		fields = append(fields, d.motions(e)...)
		add(d.words.partitions, worst)
		if unknown != "" {
			add(d.words.unknown, d.words.unread(unknown))
		}
	} else if len(d.entries) == 1 {
		add(d.words.threshold, count(e.Annotations["threshold"]))
	}
	fields = append(fields, d.remarks(e.Labels, e.Annotations, func(name string) string { return d.ownText(e, name) })...)
	return append(fields, d.started(e)...)
}

func (lagging) shared(d *draft) []Field {
	var fields []Field
	if s := count(d.annotations["threshold"]); s != "" {
		fields = append(fields, Field{d.words.threshold, s})
	}
	text := func(name string) string { return Clean(d.annotations[name], maxValue) }
	return append(fields, d.remarks(d.labels, d.annotations, text)...)
}

// remarks are the summary and description that a rule's author wrote. Those that
// lag alerts have by themselves say what the message says already, and are known
// by their naming all of it.
func (d *draft) remarks(labels, annotations alert.Labels, text func(name string) string) []Field {
	var fields []Field
	lag, threshold := count(annotations["lag"]), count(annotations["threshold"])
	if s := text("summary"); s != "" && (lag == "" || !namesAll(s, labels["consumer_group"], labels["topic"], lag, threshold)) {
		fields = append(fields, Field{d.words.detail, s})
	}
	worst, _, _ := strings.Cut(partitions(annotations["partitions"]), " · ")
	_, lag, _ = strings.Cut(worst, " ")
	if s := text("description"); s != "" && !namesAll(s, lag, Clean(annotations["unknown_partitions"], maxName)) {
		fields = append(fields, Field{d.words.detail, s})
	}
	return fields
}

func (lagging) says(annotation string) bool {
	switch annotation {
	case "lag", "threshold", "partitions", "unknown_partitions":
		return true
	}
	return slices.Contains(motion, annotation)
}

// namesAll tells that text contains all of what is not "", and that there is
// something.
func namesAll(text string, parts ...string) bool {
	some := false
	for _, s := range parts {
		if !strings.Contains(text, s) {
			return false
		}
		some = some || s != ""
	}
	return some
}

// unread is the lag of an alert that does not tell it: one that ended because
// its topic, group or rule is gone.
const unread = -1

// reading prints the lag, "" when it is not known.
func (e *entry) reading() string {
	if e.lag == unread {
		return ""
	}
	return number(e.lag)
}

// threshold prints the limit that the lag is over, "" when it is the same for
// all alerts and said once.
func (d *draft) threshold(e *entry) string {
	if len(d.entries) > 1 && d.annotations["threshold"] != "" {
		return ""
	}
	return count(e.Annotations["threshold"])
}

// sum says how far all topics are behind together, and which is the worst.
func (d *draft) sum() string {
	var sum int64
	for _, e := range d.entries[:d.firing] {
		sum += min(e.lag, math.MaxInt64-sum)
	}
	worst := d.entries[0]
	return d.words.behindAll(number(sum), number(worst.lag), d.distinct(worst))
}

// count prints a number of messages; what is not a number stays as it is.
func count(s string) string {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number(n)
	}
	return Clean(s, maxName)
}

// partitions prints "3:5000,7:4100" as "#3 5,000 · #7 4,100".
func partitions(s string) string {
	if s == "" {
		return ""
	}
	const most = 5
	var out []string
	for pair := range strings.SplitSeq(s, ",") {
		id, lag, found := strings.Cut(strings.TrimSpace(pair), ":")
		if !found {
			return Clean(s, maxName)
		}
		if out = append(out, "#"+Clean(id, 12)+" "+count(lag)); len(out) == most {
			break
		}
	}
	return strings.Join(out, " · ")
}

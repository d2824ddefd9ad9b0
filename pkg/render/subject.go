package render

import (
	"strconv"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
)

// subject is a kind of alert that has words of its own. Subjects are compared
// with ==.
type subject interface {
	// name is what alerts of the kind are about, and usual the alertname that
	// need not be said beside it.
	name(w *words) string
	usual() string
	unit() unit
	// places names the labels that say where, the widest first.
	places() []string
	// headline says in a sentence what is wrong or that it is over; line says it
	// in a few words, for a list of many.
	headline(d *draft, e *entry) string
	line(d *draft, e *entry) string
	// fields are the details of one alert beside its labels; shared are those
	// that several alerts of the kind have in common.
	fields(d *draft, e *entry) []Field
	shared(d *draft) []Field
	// says tells that an annotation is already said in the texts above.
	says(annotation string) bool
}

// subjectOf recognises what an alert is about, and reads its lag if that is it.
func subjectOf(a *alert.Alert, resolved bool) (subject, int64) {
	switch name := a.Name(); {
	case name == pollFailedName:
		return pollFailed{}, 0
	case name == hostOfflineName && a.Labels["host"] != "":
		return hostOffline{}, 0
	case a.Labels["consumer_group"] != "" && a.Labels["topic"] != "":
		text, told := a.Annotations["lag"]
		if lag, err := strconv.ParseInt(text, 10, 64); err == nil && lag >= 0 {
			return lagging{}, lag
		}
		// Prometheus's alerts have a generator, Tocsin's have none.
		if resolved && !told && a.GeneratorURL == "" {
			return lagging{}, unread
		}
	}
	return other{a.Name()}, 0
}

const (
	pollFailedName  = "TocsinPollFailed"
	hostOfflineName = "HostOffline"
)

// pollFailed is what Tocsin says when it cannot read the lag it should watch.
type pollFailed struct{}

func (pollFailed) name(w *words) string { return w.pollFailed }
func (pollFailed) usual() string        { return pollFailedName }
func (pollFailed) unit() unit           { return unitAlert }
func (pollFailed) places() []string     { return []string{"cluster", "consumer_group"} }

func (pollFailed) headline(d *draft, e *entry) string {
	if e.resolved {
		return d.words.overPoll(d.span(e))
	}
	cluster, group := notify.Clean(e.Labels["cluster"], maxName), notify.Clean(e.Labels["consumer_group"], maxName)
	return d.words.blind(d.words.blindWhat(cluster, group))
}

func (pollFailed) line(d *draft, e *entry) string {
	if e.resolved {
		return d.words.overPoll(d.span(e))
	}
	return notify.Clean(reason(e), maxValue/2)
}

func (pollFailed) fields(d *draft, e *entry) []Field {
	var fields []Field
	if !e.resolved {
		if why := notify.Clean(reason(e), maxValue); why != "" {
			fields = append(fields, Field{d.words.cause, why})
		}
		if len(d.entries) == 1 {
			fields = append(fields, Field{d.words.advice, d.words.checkPoll})
		}
	}
	return append(fields, d.started(e)...)
}

func (pollFailed) shared(d *draft) []Field {
	if d.firing == 0 {
		return nil
	}
	return []Field{{d.words.advice, d.words.checkPoll}}
}

func (pollFailed) says(string) bool { return false }

func reason(e *entry) string {
	if s := e.Annotations["description"]; s != "" {
		return s
	}
	return e.Annotations["summary"]
}

// hostOffline is a host that has stopped reporting. It starts at the last report.
type hostOffline struct{}

func (hostOffline) name(w *words) string { return w.hostOffline }
func (hostOffline) usual() string        { return hostOfflineName }
func (hostOffline) unit() unit           { return unitHost }
func (hostOffline) places() []string     { return []string{"hostname", "host"} }

func (hostOffline) headline(d *draft, e *entry) string {
	if e.resolved {
		return d.words.overHost(d.span(e))
	}
	return d.words.silent(d.span(e))
}

func (h hostOffline) line(d *draft, e *entry) string { return h.headline(d, e) }

func (hostOffline) fields(d *draft, e *entry) []Field {
	if e.resolved || e.StartsAt.IsZero() {
		return d.started(e)
	}
	return []Field{{d.words.lastReport, moment(e.StartsAt, d.at, d.zone)}}
}

func (hostOffline) shared(*draft) []Field { return nil }
func (hostOffline) says(string) bool      { return false }

// other is any alert that Tocsin has no words of its own for. It goes by its
// alertname and says what its annotations say.
type other struct{ alertname string }

// otherPlaces are the labels by which systems commonly say where.
var otherPlaces = []string{"cluster", "namespace", "host", "hostname", "instance", "pod"}

func (o other) name(w *words) string {
	if o.alertname == "" {
		return w.alerts(1)
	}
	return notify.Clean(o.alertname, maxName)
}

func (o other) usual() string  { return o.alertname }
func (other) unit() unit       { return unitAlert }
func (other) places() []string { return otherPlaces }

func (other) headline(d *draft, e *entry) string {
	if e.resolved {
		return d.words.over(d.span(e))
	}
	return d.ownSummary(e)
}

func (other) line(d *draft, e *entry) string {
	if e.resolved {
		return d.words.over(d.span(e))
	}
	var parts []string
	if s := d.ownSummary(e); s != "" {
		parts = append(parts, notify.Cut(s, maxValue/2))
	}
	if s := d.span(e); s != "" {
		parts = append(parts, d.words.lasted(s))
	}
	return strings.Join(parts, " · ")
}

func (other) fields(d *draft, e *entry) []Field {
	var fields []Field
	s := d.ownText(e, "description")
	if e.resolved {
		s = d.ownSummary(e) // the headline says that it is over
	}
	if s != "" && (e.resolved || s != summary(e.Annotations)) {
		fields = append(fields, Field{d.words.detail, s})
	}
	return append(fields, d.started(e)...)
}

func (other) shared(d *draft) []Field {
	if s := notify.Clean(d.annotations["description"], maxValue); s != "" && s != summary(d.annotations) {
		return []Field{{d.words.detail, s}}
	}
	return nil
}

func (other) says(string) bool { return false }

// summary is the annotation that says what is wrong.
func summary(annotations alert.Labels) string {
	for _, name := range [...]string{"summary", "message", "description"} {
		if s := notify.Clean(annotations[name], maxValue); s != "" {
			return s
		}
	}
	return ""
}

// ownText is an annotation of one alert, "" when all alerts have the same: then
// it is said once, for all.
func (d *draft) ownText(e *entry, name string) string {
	if len(d.entries) > 1 && d.annotations[name] != "" {
		return ""
	}
	return notify.Clean(e.Annotations[name], maxValue)
}

// ownSummary is the same for the summary.
func (d *draft) ownSummary(e *entry) string {
	s := summary(e.Annotations)
	if len(d.entries) > 1 && s == summary(d.annotations) {
		return ""
	}
	return s
}

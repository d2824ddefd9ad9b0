package render

import (
	"strings"

	"tocsin/pkg/alert"
)

// other is any alert that Tocsin has no words of its own for. It goes by its
// alertname and says what its annotations say.
type other struct{ alertname string }

// otherPlaces are the labels by which systems commonly say where.
var otherPlaces = []string{alert.ClusterLabel, "namespace", alert.HostLabel, alert.HostnameLabel, alert.InstanceLabel, "pod"}

func (o other) name(w *words) string {
	if o.alertname == "" {
		return w.alerts(1)
	}
	return CleanLine(o.alertname, maxName)
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
		parts = append(parts, Truncate(s, maxValue/2))
	}
	if s := d.span(e); s != "" {
		parts = append(parts, d.words.lasted(s))
	}
	return strings.Join(parts, " · ")
}

func (other) fields(d *draft, e *entry) []Field {
	var fields []Field
	s := d.ownText(e, alert.DescriptionAnnotation)
	if e.resolved {
		s = d.ownSummary(e) // the headline says that it is over
	}
	if s != "" && (e.resolved || s != summary(e.Annotations)) {
		fields = append(fields, Field{d.words.detail, s})
	}
	return append(fields, d.started(e)...)
}

func (other) shared(d *draft) []Field {
	if s := CleanLine(d.annotations[alert.DescriptionAnnotation], maxValue); s != "" && s != summary(d.annotations) {
		return []Field{{d.words.detail, s}}
	}
	return nil
}

func (other) says(string) bool { return false }

// summary is the annotation that says what is wrong.
func summary(annotations alert.Labels) string {
	for _, name := range [...]string{alert.SummaryAnnotation, alert.MessageAnnotation, alert.DescriptionAnnotation} {
		if s := CleanLine(annotations[name], maxValue); s != "" {
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
	return CleanLine(e.Annotations[name], maxValue)
}

// ownSummary is the same for the summary.
func (d *draft) ownSummary(e *entry) string {
	s := summary(e.Annotations)
	if len(d.entries) > 1 && s == summary(d.annotations) {
		return ""
	}
	return s
}

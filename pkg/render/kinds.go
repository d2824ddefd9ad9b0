package render

import (
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// kind is a kind of alert that has its own texts. Kinds are compared with ==.
type kind interface {
	// name is the name of the kind in a title. usualAlertname is the alertname that
	// is not listed next to it, because it has the same meaning.
	name(m *messages) string
	usualAlertname() string
	unit() unit
	// places are the labels that locate an alert, the widest first.
	places() []string
	// headline describes the problem, or the resolution, in a sentence;
	// shortHeadline does so in a few words, for an alert among many.
	headline(d *draft, e *entry) string
	shortHeadline(d *draft, e *entry) string
	// details are the fields of one alert besides its labels; commonDetails are
	// those that several alerts of the kind share.
	details(d *draft, e *entry) []Field
	commonDetails(d *draft) []Field
	// shows reports whether headline or details show an annotation, which then is
	// not listed as a field.
	shows(annotation string) bool
}

// kindOf returns the kind of an alert and, of a lag alert, its lag.
func kindOf(a *alert.Alert, resolved bool) (kind, int64) {
	switch name := a.Name(); {
	case name == alert.PollFailedAlert:
		return pollFailedKind{}, 0
	case name == alert.HostOfflineAlert && a.Labels[alert.HostLabel] != "":
		return hostOfflineKind{}, 0
	case a.Labels[alert.GroupLabel] != "" && a.Labels[alert.TopicLabel] != "":
		text, found := a.Annotations[alert.LagAnnotation]
		if lag, ok := alert.ParseCount(text); ok {
			return lagKind{}, lag
		}
		// An alert of Prometheus has a generator; Tocsin's own have none.
		if resolved && !found && a.GeneratorURL == "" {
			return lagKind{}, lagUnknown
		}
	}
	return genericKind{a.Name()}, 0
}

// genericKind is any alert without texts of its own. It is named by its alertname
// and described by its annotations.
type genericKind struct{ alertname string }

// placeLabels are the labels by which most systems locate an alert.
var placeLabels = []string{alert.ClusterLabel, "namespace", alert.HostLabel, alert.HostnameLabel, alert.InstanceLabel, "pod"}

func (k genericKind) name(m *messages) string {
	if k.alertname == "" {
		return m.alerts(1)
	}
	return CleanLine(k.alertname, maxName)
}

func (k genericKind) usualAlertname() string { return k.alertname }
func (genericKind) unit() unit               { return unitAlert }
func (genericKind) places() []string         { return placeLabels }
func (genericKind) shows(string) bool        { return false }

func (genericKind) headline(d *draft, e *entry) string {
	if e.resolved {
		return d.messages.resolvedAfter(d.durationText(e))
	}
	return d.ownSummary(e)
}

func (genericKind) shortHeadline(d *draft, e *entry) string {
	if e.resolved {
		return d.messages.resolvedAfter(d.durationText(e))
	}
	var parts []string
	if s := d.ownSummary(e); s != "" {
		parts = append(parts, Truncate(s, maxValue/2))
	}
	if s := d.durationText(e); s != "" {
		parts = append(parts, d.messages.lasting(s))
	}
	return strings.Join(parts, " · ")
}

func (genericKind) details(d *draft, e *entry) []Field {
	var fields fieldList
	if e.resolved { // the headline has no summary
		fields.add(d.messages.detail, d.ownSummary(e))
	} else if s := d.ownAnnotation(e, alert.DescriptionAnnotation); s != summary(e.Annotations) {
		fields.add(d.messages.detail, s)
	}
	return append(fields, d.timeFields(e)...)
}

func (genericKind) commonDetails(d *draft) []Field {
	var fields fieldList
	if s := CleanLine(d.annotations[alert.DescriptionAnnotation], maxValue); s != summary(d.annotations) {
		fields.add(d.messages.detail, s)
	}
	return fields
}

// summary returns the annotation that describes an alert in a sentence.
func summary(annotations alert.Labels) string {
	for _, name := range [...]string{alert.SummaryAnnotation, alert.MessageAnnotation, alert.DescriptionAnnotation} {
		if s := CleanLine(annotations[name], maxValue); s != "" {
			return s
		}
	}
	return ""
}

// ownAnnotation returns an annotation of one of the alerts. It returns "" if all
// alerts share the annotation, because the message then shows it once for all.
func (d *draft) ownAnnotation(e *entry, name string) string {
	if len(d.entries) > 1 && d.annotations[name] != "" {
		return ""
	}
	return CleanLine(e.Annotations[name], maxValue)
}

// ownSummary returns the summary of one of the alerts, or "" if all share it.
func (d *draft) ownSummary(e *entry) string {
	s := summary(e.Annotations)
	if len(d.entries) > 1 && s == summary(d.annotations) {
		return ""
	}
	return s
}

// pollFailedKind is a cluster or a group whose lag could not be read.
type pollFailedKind struct{}

func (pollFailedKind) name(m *messages) string { return m.pollFailed }
func (pollFailedKind) usualAlertname() string  { return alert.PollFailedAlert }
func (pollFailedKind) unit() unit              { return unitAlert }
func (pollFailedKind) places() []string        { return []string{alert.ClusterLabel, alert.GroupLabel} }
func (pollFailedKind) shows(annotation string) bool {
	return annotation == alert.PartialAnnotation
}

func (pollFailedKind) headline(d *draft, e *entry) string {
	if e.resolved {
		return d.messages.pollResolved(d.durationText(e))
	}
	place := d.messages.clusterOrGroup(CleanLine(e.Labels[alert.ClusterLabel], maxName), CleanLine(e.Labels[alert.GroupLabel], maxName))
	if e.Annotations[alert.PartialAnnotation] != "" {
		return d.messages.partlyUnwatched(place)
	}
	return d.messages.unwatched(place)
}

func (pollFailedKind) shortHeadline(d *draft, e *entry) string {
	if e.resolved {
		return d.messages.pollResolved(d.durationText(e))
	}
	return CleanLine(pollError(e), maxValue/2)
}

func (pollFailedKind) details(d *draft, e *entry) []Field {
	var fields fieldList
	if !e.resolved {
		fields.add(d.messages.cause, CleanLine(pollError(e), maxValue))
		if len(d.entries) == 1 {
			fields.add(d.messages.advice, d.messages.pollAdvice)
		}
	}
	return append(fields, d.timeFields(e)...)
}

func (pollFailedKind) commonDetails(d *draft) []Field {
	if d.firing == 0 {
		return nil
	}
	return []Field{{d.messages.advice, d.messages.pollAdvice}}
}

func pollError(e *entry) string {
	if s := e.Annotations[alert.DescriptionAnnotation]; s != "" {
		return s
	}
	return e.Annotations[alert.SummaryAnnotation]
}

// hostOfflineKind is a host that has stopped reporting. The alert starts at the host's
// last report. The description of a firing alert is a detail; that of a resolved one is
// the reason why it ended although the host did not report again.
type hostOfflineKind struct{}

func (hostOfflineKind) name(m *messages) string { return m.hostOffline }
func (hostOfflineKind) usualAlertname() string  { return alert.HostOfflineAlert }
func (hostOfflineKind) unit() unit              { return unitHost }
func (hostOfflineKind) places() []string        { return []string{alert.HostnameLabel, alert.HostLabel} }
func (hostOfflineKind) shows(annotation string) bool {
	return annotation == alert.AddressAnnotation || annotation == alert.LastValuesAnnotation
}

func (hostOfflineKind) headline(d *draft, e *entry) string {
	if !e.resolved {
		return d.messages.noReportFor(d.durationText(e))
	}
	if reason := CleanLine(e.Annotations[alert.DescriptionAnnotation], maxValue); reason != "" {
		return reason
	}
	return d.messages.hostResolved(d.durationText(e))
}

func (k hostOfflineKind) shortHeadline(d *draft, e *entry) string {
	line := k.headline(d, e)
	if address := CleanLine(e.Annotations[alert.AddressAnnotation], maxName); address != "" && !e.resolved {
		line += " · " + address
	}
	return line
}

func (hostOfflineKind) details(d *draft, e *entry) []Field {
	var fields fieldList
	if e.resolved || e.StartsAt.IsZero() {
		fields = d.timeFields(e)
	} else {
		fields.add(d.messages.lastReport, formatTime(e.StartsAt, d.at, d.zone))
	}
	fields.add(d.messages.address, CleanLine(e.Annotations[alert.AddressAnnotation], maxName))
	if !e.resolved {
		fields.add(d.messages.lastValues, CleanLine(e.Annotations[alert.LastValuesAnnotation], maxValue))
		fields.add(d.messages.detail, d.ownAnnotation(e, alert.DescriptionAnnotation))
	}
	return fields
}

// commonDetails returns the range of the last reports: it shows whether the hosts
// went silent together, as in a power cut, or one by one.
func (hostOfflineKind) commonDetails(d *draft) []Field {
	var fields fieldList
	if d.firing > 1 {
		first, last := d.entries[0].StartsAt, d.entries[0].StartsAt
		for _, e := range d.entries[1:d.firing] {
			if e.StartsAt.Before(first) {
				first = e.StartsAt
			}
			if e.StartsAt.After(last) {
				last = e.StartsAt
			}
		}
		if !first.IsZero() {
			fields.add(d.messages.lastReport, d.formatRange(first, last))
		}
	}
	if d.firing > 0 {
		fields.add(d.messages.detail, CleanLine(d.annotations[alert.DescriptionAnnotation], maxValue))
	}
	return fields
}

// formatRange formats two times, or one when both are formatted the same.
func (d *draft) formatRange(first, last time.Time) string {
	from, to := formatTime(first, d.at, d.zone), formatTime(last, d.at, d.zone)
	if from == to {
		return from
	}
	return from + " – " + to
}

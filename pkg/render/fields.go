package render

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// labelOrder are the labels that are listed first; the others follow in byte order.
var labelOrder = []string{
	alert.SeverityLabel, alert.ClusterLabel, alert.GroupLabel, alert.TopicLabel, alert.HostLabel, alert.HostnameLabel, alert.InstanceLabel,
}

// specialAnnotations are not listed as fields, because the message shows them in
// another way: as text, link or chart.
var specialAnnotations = []string{
	alert.SummaryAnnotation, alert.DescriptionAnnotation, alert.MessageAnnotation, alert.RunbookAnnotation, alert.DashboardAnnotation,
	alert.LagHistoryAnnotation,
}

// fieldList collects fields that have a value.
type fieldList []Field

func (l *fieldList) add(name, value string) {
	if value != "" {
		*l = append(*l, Field{name, value})
	}
}

// commonFields returns what all alerts have in common: labels, then annotations.
func (d *draft) commonFields() []Field {
	var fields fieldList
	add := func(name, value string) {
		if name = CleanLine(name, maxName); name != "" {
			fields.add(name, CleanLine(value, maxValue))
		}
	}
	addLabel := func(name string) {
		title := d.messages.labels[name]
		if title == "" {
			title = name
		}
		add(title, d.labels[name])
	}
	if d.kind != nil {
		if rule := d.labels[alert.NameLabel]; rule != d.kind.usualAlertname() {
			add(d.messages.rule, rule)
		}
	}
	for _, name := range labelOrder {
		addLabel(name)
	}
	for _, name := range d.labels.Names() {
		if name != alert.NameLabel && !slices.Contains(labelOrder, name) && !internal(name) {
			addLabel(name)
		}
	}
	if len(d.entries) > 1 && d.kind != nil {
		fields = append(fields, d.kind.commonDetails(d)...)
	}
	return append(fields, d.otherAnnotations(d.annotations, d.kind, nil)...)
}

// otherAnnotations returns a field for each annotation that the message does not show
// yet: it is not in listed, and the kind's texts do not show it. kind may be nil.
func (d *draft) otherAnnotations(annotations alert.Labels, kind kind, listed alert.Labels) []Field {
	var fields fieldList
	for _, name := range annotations.Names() {
		_, found := listed[name]
		if found || slices.Contains(specialAnnotations, name) || internal(name) || kind != nil && kind.shows(name) {
			continue
		}
		fields.add(CleanLine(name, maxName), CleanLine(annotations[name], maxValue))
	}
	return fields
}

// internal reports whether a name is not meant for people, such as Grafana's
// __dashboardUid__.
func internal(name string) bool { return strings.HasPrefix(name, "__") }

// timeFields returns the start of a firing alert, or the start and end of a
// resolved one.
func (d *draft) timeFields(e *entry) []Field {
	if e.StartsAt.IsZero() {
		return nil
	}
	start := formatTime(e.StartsAt, d.at, d.zone)
	if e.resolved {
		return []Field{{d.messages.started, start}, {d.messages.ended, formatTime(e.EndsAt, d.at, d.zone)}}
	}
	return []Field{{d.messages.started, d.messages.timeWithDuration(start, d.durationText(e))}}
}

// formatTime formats t for a reader at now: with the year only if it is not that of
// now.
func formatTime(t, now time.Time, zone *time.Location) string {
	t = t.In(zone)
	if t.Year() != now.In(zone).Year() {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("01-02 15:04:05")
}

// links returns the addresses that all alerts share.
func (d *draft) links(externalURL string) []Link {
	var links []Link
	add := func(name, address string) {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || address != CleanLine(address, maxValue) {
			return
		}
		links = append(links, Link{name, u.String()})
	}
	if len(d.entries) == 1 {
		add(d.messages.source, d.entries[0].GeneratorURL)
	}
	add(d.messages.runbook, d.annotations[alert.RunbookAnnotation])
	add(d.messages.dashboard, d.annotations[alert.DashboardAnnotation])
	add(d.messages.allAlerts, externalURL)
	return links
}

package render

import (
	"net/url"
	"slices"
	"strings"

	"tocsin/pkg/alert"
)

// labelOrder is how labels are listed; the others follow in byte order.
var labelOrder = []string{alert.SeverityLabel, alert.ClusterLabel, alert.GroupLabel, alert.TopicLabel, alert.HostLabel, alert.HostnameLabel, alert.InstanceLabel}

// worded are annotations that the built-in texts say in their own way, or show as
// a picture.
var worded = []string{
	alert.SummaryAnnotation, alert.DescriptionAnnotation, alert.MessageAnnotation, alert.RunbookAnnotation, alert.DashboardAnnotation,
	alert.LagHistoryAnnotation,
}

// common lists what all alerts have in common: labels, then annotations.
func (d *draft) common() []Field {
	var fields []Field
	add := func(name, value string) {
		name, value = CleanLine(name, maxName), CleanLine(value, maxValue)
		if name != "" && value != "" {
			fields = append(fields, Field{name, value})
		}
	}
	label := func(name string) {
		title := d.words.labels[name]
		if title == "" {
			title = name
		}
		add(title, d.labels[name])
	}
	if d.about != nil {
		if rule := d.labels[alert.NameLabel]; rule != d.about.usual() {
			add(d.words.rule, rule)
		}
	}
	for _, name := range labelOrder {
		label(name)
	}
	for _, name := range d.labels.Names() {
		if name != alert.NameLabel && !slices.Contains(labelOrder, name) && !internal(name) {
			label(name)
		}
	}
	if len(d.entries) > 1 && d.about != nil {
		fields = append(fields, d.about.shared(d)...)
	}
	return append(fields, d.extra(d.annotations, d.about, nil)...)
}

// extra lists the annotations that nothing else says and that are not among
// those already told. about may be nil.
func (d *draft) extra(annotations alert.Labels, about subject, told alert.Labels) []Field {
	var fields []Field
	for _, name := range annotations.Names() {
		if _, ok := told[name]; ok || slices.Contains(worded, name) || internal(name) || about != nil && about.says(name) {
			continue
		}
		if value := CleanLine(annotations[name], maxValue); value != "" {
			fields = append(fields, Field{CleanLine(name, maxName), value})
		}
	}
	return fields
}

// internal tells that a name is not meant for people, such as Grafana's
// __dashboardUid__.
func internal(name string) bool { return strings.HasPrefix(name, "__") }

// started says since when the alert fires, or when it did.
func (d *draft) started(e *entry) []Field {
	if e.StartsAt.IsZero() {
		return nil
	}
	at := moment(e.StartsAt, d.at, d.zone)
	if e.resolved {
		return []Field{{d.words.started, at}, {d.words.ended, moment(e.EndsAt, d.at, d.zone)}}
	}
	return []Field{{d.words.started, d.words.lasting(at, d.span(e))}}
}

// links lists the addresses that all alerts share.
func (d *draft) links(overview string) []Link {
	var links []Link
	add := func(name, address string) {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || address != CleanLine(address, maxValue) {
			return
		}
		links = append(links, Link{name, u.String()})
	}
	if len(d.entries) == 1 {
		add(d.words.source, d.entries[0].GeneratorURL)
	}
	add(d.words.runbook, d.annotations[alert.RunbookAnnotation])
	add(d.words.dashboard, d.annotations[alert.DashboardAnnotation])
	add(d.words.overview, overview)
	return links
}

// Package render turns notifications into text.
//
// NewDocument builds the built-in message of a notification, in Chinese or
// English, as plain text parts; each channel lays them out in its own markup.
// Templates compiles the templates with which users replace built-in messages.
package render

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// Style is the language, time zone, address and severities that messages are rendered
// with.
type Style struct {
	// Language is "zh" or "en"; Location is the zone of times, nil for UTC.
	Language string
	Location *time.Location
	// ExternalURL is the address of the page with all alerts, "" without one.
	ExternalURL string
	// Severities are further words of the label severity, in lower case, and the
	// severity of each: critical, warning or info.
	Severities map[string]string
	// OnTemplateError is called whenever a user's template fails and the built-in
	// text is sent instead. It may be nil.
	OnTemplateError func()
}

// Document is the built-in message of a notification, without markup. Every text
// in it is one line of valid UTF-8 without control characters; nothing is escaped.
// Channels print the parts in the order of the fields.
type Document struct {
	// Resolved is set when all alerts are resolved.
	Resolved bool
	// Severity is the worst of the firing alerts, or of all when none fires.
	Severity Severity
	// Title names the kind of the alerts and their place:
	// "[告警] 消费积压 · orders / order-worker（3 个 topic）".
	Title string
	// Lead is one sentence on how bad it is, or "". Title and Lead together are
	// the short form of the message.
	Lead string
	// Facts are what all alerts have in common.
	Facts []Field
	// Items are the alerts: firing before resolved ones; within these, consumer lag
	// last, by size, and all others by severity, start and labels. A single alert is
	// no item: Lead and Facts describe it.
	Items []Item
	// Notes are about the message itself, such as that it is a digest.
	Notes []string
	Links []Link
	// Colon separates the name of a field from its value in the language.
	Colon string

	draft *draft
	style *Style
}

// Item is one of several alerts.
type Item struct {
	Resolved bool
	Severity Severity
	// Title distinguishes the alert from the other items.
	Title string
	// Headline describes the problem in one line. It may be "".
	Headline string
	// Fields are the details; there are none when the alerts are many.
	Fields []Field
}

// Field is a named value.
type Field struct{ Name, Value string }

// Link is an http or https address.
type Link struct{ Name, URL string }

// Severity orders alerts by how bad they are.
type Severity uint8

// The severities, mildest first. An alert without a severity label, or with an
// unknown value, is a Warning.
const (
	Info Severity = iota
	Warning
	Critical
)

const (
	// maxDetailed is the number of alerts up to which each is described in detail;
	// of more alerts each gets one line.
	maxDetailed = 5

	maxName  = 120 // bytes of a value in a title
	maxValue = 600 // bytes of any other value
)

// NewDocument builds the message of n in the language and time zone of style. Equal
// arguments give equal documents. Long values are truncated, so that no line is much
// longer than a kilobyte.
func NewDocument(n *alert.Notification, style *Style) *Document {
	d := newDraft(n, style)
	doc := &Document{Resolved: d.firing == 0, Title: d.title(), Lead: d.lead(), Colon: d.messages.colon, draft: d, style: style}
	for _, e := range d.entries {
		if e.resolved == doc.Resolved {
			doc.Severity = max(doc.Severity, e.severity)
		}
	}
	if len(d.entries) == 1 {
		doc.Facts = d.entries[0].kind.details(d, d.entries[0])
	} else {
		doc.Items = make([]Item, len(d.entries))
		for i, e := range d.entries {
			doc.Items[i] = d.item(e)
		}
	}
	doc.Facts = append(doc.Facts, d.commonFields()...)
	doc.Links = d.links(style.ExternalURL)
	if n.Merged > 1 {
		doc.Notes = append(doc.Notes, d.messages.merged(n.Merged))
	}
	if n.FallbackFor != "" {
		doc.Notes = append(doc.Notes, d.messages.fallbackFor(CleanLine(n.FallbackFor, maxName), CleanLine(n.Cause, maxValue)))
	}
	return doc
}

// AddTemplateError adds a note that the user's template failed with err and the
// built-in text was sent instead.
func (doc *Document) AddTemplateError(err error) {
	doc.Notes = append(doc.Notes, doc.draft.messages.templateError(CleanLine(err.Error(), maxValue)))
	if doc.style.OnTemplateError != nil {
		doc.style.OnTemplateError()
	}
}

// draft is a notification, prepared for building its document.
type draft struct {
	messages *messages
	at       time.Time
	zone     *time.Location
	entries  []*entry // in the order of Document.Items
	firing   int      // number of firing entries, which come first

	// kind is the kind of all alerts, nil when there are several kinds or names.
	kind kind
	// labels and annotations are those that all alerts share.
	labels, annotations alert.Labels
	// builtin are the annotations whose text is built in in all alerts.
	builtin alert.Builtin
}

// entry is one alert of a draft.
type entry struct {
	*alert.Alert
	kind     kind
	resolved bool
	severity Severity
	lag      int64 // in messages, or lagUnknown; of a lag alert
}

func newDraft(n *alert.Notification, style *Style) *draft {
	d := &draft{
		messages:    messagesFor(style.Language),
		at:          n.At,
		zone:        cmp.Or(style.Location, time.UTC),
		entries:     make([]*entry, len(n.Alerts)),
		labels:      common(n.Alerts, func(a *alert.Alert) alert.Labels { return a.Labels }),
		annotations: common(n.Alerts, func(a *alert.Alert) alert.Labels { return a.Annotations }),
	}
	if len(n.Alerts) > 0 {
		d.builtin = n.Alerts[0].Builtin
	}
	all := make([]entry, len(n.Alerts))
	for i, a := range n.Alerts {
		e := &all[i]
		*e = entry{Alert: a, resolved: a.ResolvedAt(n.At), severity: style.severityOf(a)}
		e.kind, e.lag = kindOf(a, e.resolved)
		d.builtin &= a.Builtin
		if !e.resolved {
			d.firing++
		}
		d.entries[i] = e
	}
	otherKind := func(e *entry) bool { return e.kind != d.entries[0].kind }
	if len(d.entries) > 0 && !slices.ContainsFunc(d.entries, otherKind) {
		d.kind = d.entries[0].kind
	}
	slices.SortFunc(d.entries, compareEntries)
	return d
}

// compareEntries orders entries as Document.Items documents. Lists of lagging
// topics come last because they are long.
func compareEntries(a, b *entry) int {
	order := cmp.Or(falseFirst(a.resolved, b.resolved), falseFirst(a.isLag(), b.isLag()))
	if order == 0 && a.isLag() {
		order = cmp.Or(cmp.Compare(b.lag, a.lag), strings.Compare(a.Labels[alert.TopicLabel], b.Labels[alert.TopicLabel]))
	} else if order == 0 {
		order = cmp.Or(cmp.Compare(b.severity, a.severity), a.StartsAt.Compare(b.StartsAt))
	}
	if order != 0 {
		return order
	}
	return a.Labels.Compare(b.Labels) // last, because it is the most expensive
}

func (e *entry) isLag() bool { return e.kind == kind(lagKind{}) }

// falseFirst compares booleans: false is less than true.
func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// severityOf returns the severity of an alert's label: by Style.Severities, else by the
// words that alert.ParseSeverity knows.
func (s *Style) severityOf(a *alert.Alert) Severity {
	word := strings.ToLower(strings.TrimSpace(a.Labels[alert.SeverityLabel]))
	switch cmp.Or(s.Severities[word], alert.ParseSeverity(word)) {
	case alert.SeverityCritical:
		return Critical
	case alert.SeverityInfo:
		return Info
	default:
		return Warning
	}
}

// title returns Document.Title: the state, the kind, the place and the number of
// alerts.
func (d *draft) title() string {
	var b strings.Builder
	resolved := len(d.entries) - d.firing
	if d.firing > 0 {
		b.WriteString(d.messages.firing)
	} else {
		b.WriteString(d.messages.resolved)
	}
	unit, places := unitAlert, placeLabels
	if d.kind != nil {
		unit, places = d.kind.unit(), d.kind.places()
		b.WriteString(d.kind.name(d.messages))
	} else {
		b.WriteString(d.messages.alerts(len(d.entries)))
	}
	if place := strings.Join(distinctValues(d.labels, places), " / "); place != "" {
		b.WriteString(" · " + place)
	}
	if len(d.entries) > 1 && (d.kind != nil || d.firing > 0 && resolved > 0) {
		b.WriteString(d.messages.counted(unit, d.firing, resolved))
	}
	return b.String()
}

// distinctValues returns the values of the named labels in that order, each once.
func distinctValues(labels alert.Labels, names []string) []string {
	var out []string
	for _, name := range names {
		if v := CleanLine(labels[name], maxName); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// lead returns Document.Lead.
func (d *draft) lead() string {
	switch {
	case len(d.entries) == 0:
		return ""
	case len(d.entries) == 1:
		return d.entries[0].kind.headline(d, d.entries[0])
	case d.firing == 0:
		var longest time.Duration
		for _, e := range d.entries {
			longest = max(longest, e.duration(d.at))
		}
		return d.messages.allResolved(d.messages.duration(longest))
	case d.kind == kind(lagKind{}) && d.firing > 1:
		return d.totalLag()
	default:
		return summary(d.annotations)
	}
}

// item describes one of several alerts.
func (d *draft) item(e *entry) Item {
	item := Item{Resolved: e.resolved, Severity: e.severity, Title: d.itemTitle(e)}
	if len(d.entries) > maxDetailed {
		item.Headline = e.kind.shortHeadline(d, e)
	} else {
		item.Headline = e.kind.headline(d, e)
		item.Fields = append(e.kind.details(d, e), d.otherAnnotations(e.Annotations, e.kind, d.annotations)...)
	}
	return item
}

// itemTitle returns what distinguishes an alert from the others: the values of its
// place labels and, for generic alerts, a few other labels as name=value.
func (d *draft) itemTitle(e *entry) string {
	const maxParts = 4
	differing := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			_, shared := d.labels[name]
			return shared || name == alert.NameLabel || name == alert.SeverityLabel
		})
	}
	var parts []string
	if d.kind == nil {
		parts = append(parts, e.kind.name(d.messages))
	}
	parts = append(parts, distinctValues(e.Labels, differing(e.kind.places()))...)
	if _, generic := e.kind.(genericKind); generic || len(parts) == 0 {
		for _, name := range differing(e.Labels.Names()) {
			if len(parts) < maxParts && !slices.Contains(e.kind.places(), name) {
				parts = append(parts, CleanLine(name+"="+e.Labels[name], maxName))
			}
		}
	}
	if len(parts) == 0 {
		parts = distinctValues(e.Labels, []string{alert.SeverityLabel, alert.NameLabel})
	}
	return strings.Join(parts, " / ")
}

// duration returns how long the alert has been firing at now, or had fired when it
// resolved; zero when its start is unknown or in the future.
func (e *entry) duration(now time.Time) time.Duration {
	end := now
	if e.resolved {
		end = e.EndsAt
	}
	if e.StartsAt.IsZero() || !end.After(e.StartsAt) {
		return 0
	}
	return end.Sub(e.StartsAt)
}

// durationText formats the duration of an alert, "" when it is unknown.
func (d *draft) durationText(e *entry) string {
	duration := e.duration(d.at)
	if duration == 0 {
		return ""
	}
	return d.messages.duration(duration)
}

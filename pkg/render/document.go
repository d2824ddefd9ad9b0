package render

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

const (
	// few is up to how many alerts are described in full; more get a line each.
	few = 5

	maxName  = 120 // bytes of a value in a title
	maxValue = 600 // bytes of any other value
)

// Document puts n into words, in env's language and time zone. It depends on n
// and env alone. Values that are too long for a message are cut, so that no
// single line of it is longer than a kilobyte or so.
func NewDocument(n *alert.Notification, env *Style) *Document {
	d := newDraft(n, env)
	doc := &Document{Resolved: d.firing == 0, Title: d.title(), Lead: d.lead(), Colon: d.words.colon, draft: d, style: env}
	for _, e := range d.entries {
		if e.resolved == doc.Resolved {
			doc.Severity = max(doc.Severity, e.severity)
		}
	}
	if len(d.entries) == 1 {
		doc.Facts = d.entries[0].about.fields(d, d.entries[0])
	} else {
		doc.Items = make([]Item, len(d.entries))
		for i, e := range d.entries {
			doc.Items[i] = d.item(e)
		}
	}
	doc.Facts = append(doc.Facts, d.common()...)
	doc.Links = d.links(env.ExternalURL)
	if n.Merged > 1 {
		doc.Notes = append(doc.Notes, d.words.merged(n.Merged))
	}
	if n.FallbackFor != "" {
		doc.Notes = append(doc.Notes, d.words.insteadOf(CleanLine(n.FallbackFor, maxName), CleanLine(n.Cause, maxValue)))
	}
	return doc
}

// TemplateFailed notes in the document that it stands in for the user's own
// text, and why.
func (doc *Document) AddTemplateError(err error) {
	doc.Notes = append(doc.Notes, doc.draft.words.badText(CleanLine(err.Error(), maxValue)))
	if doc.style.OnTemplateError != nil {
		doc.style.OnTemplateError()
	}
}

// draft is what is known of a notification while it is put into words.
type draft struct {
	words   *words
	at      time.Time
	zone    *time.Location
	entries []*entry // in reading order
	firing  int

	// about is what all alerts are about, nil when they are of different kinds
	// or names.
	about subject
	// labels and annotations are those that all alerts have.
	labels, annotations alert.Labels
	// builtin are the annotations that are built-in texts in all alerts.
	builtin alert.Builtin
}

// entry is one alert of a draft.
type entry struct {
	*alert.Alert
	about    subject
	resolved bool
	severity Severity
	lag      int64 // in messages; of an alert about lag
}

func newDraft(n *alert.Notification, env *Style) *draft {
	d := &draft{
		words:       wordsOf(env.Language),
		at:          n.At,
		zone:        env.Location,
		entries:     make([]*entry, len(n.Alerts)),
		labels:      common(n.Alerts, func(a *alert.Alert) alert.Labels { return a.Labels }),
		annotations: common(n.Alerts, func(a *alert.Alert) alert.Labels { return a.Annotations }),
	}
	if d.zone == nil {
		d.zone = time.UTC
	}
	if len(n.Alerts) > 0 {
		d.builtin = n.Alerts[0].Builtin
	}
	all := make([]entry, len(n.Alerts))
	for i, a := range n.Alerts {
		e := &all[i]
		*e = entry{Alert: a, resolved: a.ResolvedAt(n.At), severity: severityOf(a)}
		e.about, e.lag = subjectOf(a, e.resolved)
		d.builtin &= a.Builtin
		if !e.resolved {
			d.firing++
		}
		d.entries[i] = e
	}
	mixed := func(e *entry) bool { return e.about != d.entries[0].about }
	if len(d.entries) > 0 && !slices.ContainsFunc(d.entries, mixed) {
		d.about = d.entries[0].about
	}
	slices.SortFunc(d.entries, reading)
	return d
}

// reading is the order in which alerts are read: what fires, then what is over;
// lists of lagging topics last, because they are long, and the largest first;
// other alerts by severity, start and labels.
func reading(a, b *entry) int {
	if a.resolved != b.resolved {
		return first(b.resolved)
	}
	aLag, bLag := a.about == subject(lagging{}), b.about == subject(lagging{})
	if aLag != bLag {
		return first(bLag)
	}
	order := cmp.Or(cmp.Compare(b.severity, a.severity), a.StartsAt.Compare(b.StartsAt))
	if aLag {
		order = cmp.Or(cmp.Compare(b.lag, a.lag), strings.Compare(a.Labels[alert.TopicLabel], b.Labels[alert.TopicLabel]))
	}
	if order != 0 {
		return order
	}
	return a.Labels.Compare(b.Labels) // costs more than all of the above
}

// first returns the order of two things of which one comes first.
func first(yes bool) int {
	if yes {
		return -1
	}
	return 1
}

// severityOf reads the label severity in the spellings of Prometheus, Grafana,
// Zabbix and Open-Falcon.
func severityOf(a *alert.Alert) Severity {
	switch strings.ToLower(a.Labels[alert.SeverityLabel]) {
	case "critical", "fatal", "emergency", "page", "error", "disaster", "high", "p0", "p1":
		return Critical
	case "info", "information", "notice", "none", "ok", "debug", "low", "not classified", "p4", "p5", "p6":
		return Info
	default:
		return Warning
	}
}

// title is the tag, what it is about, where, and how many alerts.
func (d *draft) title() string {
	var b strings.Builder
	over := len(d.entries) - d.firing
	if d.firing > 0 {
		b.WriteString(d.words.firing)
	} else {
		b.WriteString(d.words.resolved)
	}
	unit, places := unitAlert, otherPlaces
	if d.about != nil {
		unit, places = d.about.unit(), d.about.places()
		b.WriteString(d.about.name(d.words))
	} else {
		b.WriteString(d.words.alerts(len(d.entries)))
	}
	if place := strings.Join(values(d.labels, places), " / "); place != "" {
		b.WriteString(" · " + place)
	}
	if len(d.entries) > 1 && (d.about != nil || d.firing > 0 && over > 0) {
		b.WriteString(d.words.counted(unit, d.firing, over))
	}
	return b.String()
}

// values returns the different values of the named labels, in that order.
func values(labels alert.Labels, names []string) []string {
	var out []string
	for _, name := range names {
		if v := CleanLine(labels[name], maxName); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// lead is the one sentence under the title.
func (d *draft) lead() string {
	switch {
	case len(d.entries) == 0:
		return ""
	case len(d.entries) == 1:
		return d.entries[0].about.headline(d, d.entries[0])
	case d.firing == 0:
		var longest time.Duration
		for _, e := range d.entries {
			longest = max(longest, e.lasted(d.at))
		}
		return d.words.overAll(d.words.duration(longest))
	case d.about == subject(lagging{}) && d.firing > 1:
		return d.sum()
	default:
		return summary(d.annotations)
	}
}

// item describes one alert among several.
func (d *draft) item(e *entry) Item {
	item := Item{Resolved: e.resolved, Severity: e.severity, Title: d.distinct(e)}
	if len(d.entries) > few {
		item.Headline = e.about.line(d, e)
	} else {
		item.Headline = e.about.headline(d, e)
		item.Fields = append(e.about.fields(d, e), d.extra(e.Annotations, e.about, d.annotations)...)
	}
	return item
}

// distinct names an alert by what tells it from the others: its places, and for
// alerts that Tocsin does not know further labels as name=value.
func (d *draft) distinct(e *entry) string {
	const most = 4
	differing := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			_, shared := d.labels[name]
			return shared || name == alert.NameLabel || name == alert.SeverityLabel
		})
	}
	var parts []string
	if d.about == nil {
		parts = append(parts, e.about.name(d.words))
	}
	parts = append(parts, values(e.Labels, differing(e.about.places()))...)
	if _, unknown := e.about.(other); unknown || len(parts) == 0 {
		for _, name := range differing(e.Labels.Names()) {
			if len(parts) < most && !slices.Contains(e.about.places(), name) {
				parts = append(parts, CleanLine(name+"="+e.Labels[name], maxName))
			}
		}
	}
	if len(parts) == 0 {
		parts = values(e.Labels, []string{alert.SeverityLabel, alert.NameLabel})
	}
	return strings.Join(parts, " / ")
}

// lasted is how long the alert has been firing, or fired; zero when its start is
// not known or in the future.
func (e *entry) lasted(now time.Time) time.Duration {
	end := now
	if e.resolved {
		end = e.EndsAt
	}
	if e.StartsAt.IsZero() || !end.After(e.StartsAt) {
		return 0
	}
	return end.Sub(e.StartsAt)
}

// span prints how long the alert has lasted, "" when that is not known.
func (d *draft) span(e *entry) string {
	lasted := e.lasted(d.at)
	if lasted == 0 {
		return ""
	}
	return d.words.duration(lasted)
}

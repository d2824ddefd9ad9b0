package render

import (
	"maps"
	"regexp"
	"time"

	"github.com/prometheus/alertmanager/template"

	"tocsin/pkg/alert"
)

// View is a notification as a user's templates see it. Its data is built when the
// first template is executed. A View must not be used by several goroutines.
type View struct {
	// Builtin returns the text that a channel's own template names expand to.
	Builtin func() string
	// RouteLabel is the template function routeLabels while the labels of a route,
	// which may refer to each other, are being rendered. It is nil afterwards.
	RouteLabel func(name string) (string, error)

	n                      *alert.Notification
	sample                 bool // see newSample
	externalURL            string
	escapeText, escapeLink func(string) string // nil for no escaping
	data                   *template.Data
}

// NewView returns the view of n.
func NewView(n *alert.Notification, style *Style) *View {
	return &View{n: n, externalURL: style.ExternalURL}
}

// Escape returns a view in which the names and values of labels and annotations
// are escaped by text and the links of alerts by link.
func (v *View) Escape(text, link func(string) string) *View {
	return &View{Builtin: v.Builtin, n: v.n, externalURL: v.externalURL, escapeText: text, escapeLink: link}
}

// Data returns the value of the template's dot. It lacks the lag history, because
// Alertmanager's own templates print all annotations.
func (v *View) Data() *template.Data {
	if v.data == nil {
		v.data = Data(v.n, v.externalURL)
		delete(v.data.CommonAnnotations, alert.LagHistoryAnnotation)
		for _, a := range v.data.Alerts {
			delete(a.Annotations, alert.LagHistoryAnnotation)
		}
		if v.escapeText != nil {
			escape(v.data, v.escapeText, v.escapeLink)
		}
	}
	return v.data
}

func escape(d *template.Data, text, link func(string) string) {
	escaped := func(in template.KV) template.KV {
		out := make(template.KV, len(in))
		for name, value := range in {
			out[text(name)] = text(value)
		}
		return out
	}
	d.GroupLabels, d.CommonLabels = escaped(d.GroupLabels), escaped(d.CommonLabels)
	d.CommonAnnotations, d.RouteLabels = escaped(d.CommonAnnotations), escaped(d.RouteLabels)
	for i := range d.Alerts {
		a := &d.Alerts[i]
		a.Labels, a.Annotations, a.GeneratorURL = escaped(a.Labels), escaped(a.Annotations), link(a.GeneratorURL)
	}
}

// Data returns n in the form that Alertmanager 0.34 passes to templates and
// webhooks. As there, the receiver's name is quoted as a regular expression, and an
// alert that fires at n.At has no end.
func Data(n *alert.Notification, externalURL string) *template.Data {
	d := &template.Data{
		Receiver:           regexp.QuoteMeta(n.Receiver),
		Status:             "resolved",
		Alerts:             make(template.Alerts, len(n.Alerts)),
		NotificationReason: n.Reason,
		GroupLabels:        kv(n.GroupLabels),
		CommonLabels:       template.KV(common(n.Alerts, func(a *alert.Alert) alert.Labels { return a.Labels })),
		CommonAnnotations:  template.KV(common(n.Alerts, func(a *alert.Alert) alert.Labels { return a.Annotations })),
		RouteLabels:        kv(n.RouteLabels),
		ExternalURL:        externalURL,
	}
	for i, a := range n.Alerts {
		data := template.Alert{
			Status:       "resolved",
			Labels:       kv(a.Labels),
			Annotations:  kv(a.Annotations),
			StartsAt:     a.StartsAt,
			EndsAt:       a.EndsAt,
			GeneratorURL: a.GeneratorURL,
			Fingerprint:  a.Fingerprint().String(),
		}
		if !a.ResolvedAt(n.At) {
			d.Status, data.Status, data.EndsAt = "firing", "firing", time.Time{}
		}
		d.Alerts[i] = data
	}
	return d
}

// kv copies labels. The copy is never nil, so that it is {} in JSON as in
// Alertmanager's.
func kv(in alert.Labels) template.KV {
	out := make(template.KV, len(in))
	maps.Copy(out, in)
	return out
}

// common returns the names and values that the labels or annotations of all alerts
// share.
func common(alerts []*alert.Alert, of func(*alert.Alert) alert.Labels) alert.Labels {
	if len(alerts) == 0 {
		return alert.Labels{}
	}
	out := alert.Labels(kv(of(alerts[0])))
	for _, a := range alerts[1:] {
		if len(out) == 0 {
			break
		}
		set := of(a)
		maps.DeleteFunc(out, func(name, value string) bool { return set[name] != value })
	}
	return out
}

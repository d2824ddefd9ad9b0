package render

import (
	"maps"
	"regexp"
	"time"

	"github.com/prometheus/alertmanager/template"

	"tocsin/pkg/alert"
)

// View is one notification as a user's templates see it. Its data is put
// together when the first template asks for it. A View is for one goroutine.
type View struct {
	// Builtin makes the text that a channel's own template names stand for.
	Builtin func() string
	// RouteLabel answers the function routeLabels where a route's labels are
	// templates that are only being rendered; nil where they have been.
	RouteLabel func(name string) (string, error)

	n           *alert.Notification
	externalURL string
	text, link  func(string) string // how values are escaped; nil for not at all
	data        *template.Data
}

// NewView returns what templates see of n.
func NewView(n *alert.Notification, env *Style) *View {
	return &View{n: n, externalURL: env.ExternalURL}
}

// Escape returns a view in which every value that came from outside has been
// passed through text: labels and annotations, and the names of both. The links
// of alerts are passed through link.
func (v *View) Escape(text, link func(string) string) *View {
	return &View{Builtin: v.Builtin, n: v.n, externalURL: v.externalURL, text: text, link: link}
}

// Data returns the dot of the template. It lacks the annotation that pictures are
// drawn from, because Alertmanager's own templates print all annotations.
func (v *View) Data() *template.Data {
	if v.data == nil {
		v.data = Data(v.n, v.externalURL)
		delete(v.data.CommonAnnotations, alert.LagHistoryAnnotation)
		for _, a := range v.data.Alerts {
			delete(a.Annotations, alert.LagHistoryAnnotation)
		}
		if v.text != nil {
			escape(v.data, v.text, v.link)
		}
	}
	return v.data
}

func escape(d *template.Data, text, link func(string) string) {
	kv := func(in template.KV) template.KV {
		out := make(template.KV, len(in))
		for name, value := range in {
			out[text(name)] = text(value)
		}
		return out
	}
	d.GroupLabels, d.CommonLabels = kv(d.GroupLabels), kv(d.CommonLabels)
	d.CommonAnnotations, d.RouteLabels = kv(d.CommonAnnotations), kv(d.RouteLabels)
	for i := range d.Alerts {
		a := &d.Alerts[i]
		a.Labels, a.Annotations, a.GeneratorURL = kv(a.Labels), kv(a.Annotations), link(a.GeneratorURL)
	}
}

// Data returns n in the form that Alertmanager 0.34 hands to templates and
// webhooks. The receiver's name is quoted as in a regular expression, because
// Alertmanager's is; an alert that fires as of n.At has no end.
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
		one := template.Alert{
			Status:       "resolved",
			Labels:       kv(a.Labels),
			Annotations:  kv(a.Annotations),
			StartsAt:     a.StartsAt,
			EndsAt:       a.EndsAt,
			GeneratorURL: a.GeneratorURL,
			Fingerprint:  a.Fingerprint().String(),
		}
		if !a.ResolvedAt(n.At) {
			d.Status, one.Status, one.EndsAt = "firing", "firing", time.Time{}
		}
		d.Alerts[i] = one
	}
	return d
}

// kv copies labels; the copy is never nil, as in Alertmanager's JSON.
func kv(in alert.Labels) template.KV {
	out := make(template.KV, len(in))
	maps.Copy(out, in)
	return out
}

// common returns the names and values that all alerts have.
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

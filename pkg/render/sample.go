package render

import (
	"maps"
	"strconv"
	"strings"
	"text/template/parse"
	"time"

	"tocsin/pkg/alert"
)

// samples are the notifications on which templates are executed when they are compiled.
type samples struct {
	style    *Style
	resolved bool // also resolved alerts
}

// WithSamples returns templates that are executed when they are compiled, for the check
// of a configuration: on a notification of firing alerts, one of resolved alerts, and one
// of both. Compiling returns the error of a template that cannot succeed:
//
//   - a field does not exist, or
//   - the template fails whatever values labels and annotations have, and however many
//     alerts there are.
//
// A template that fails only on certain data is no error. style is the one of messages.
func (t *Templates) WithSamples(style *Style) *Templates {
	out := t.clone()
	out.samples = &samples{style: style, resolved: true}
	return out
}

// FiringOnly returns templates whose samples have firing alerts only, for texts that
// resolved alerts do not have.
func (t *Templates) FiringOnly() *Templates {
	if t == nil || t.samples == nil {
		return t
	}
	out := t.clone()
	out.samples = &samples{style: t.samples.style}
	return out
}

func (t *Templates) clone() *Templates {
	if t == nil {
		t, _ = ParseTemplates() // no patterns, no error
	}
	out := *t
	return &out
}

// check executes a template, which consists of nodes, on the samples.
func (t *Templates) check(nodes []parse.Node, execute func(*View) (string, error)) error {
	if t == nil || t.samples == nil {
		return nil
	}
	names := namesIn(nodes)
	states := []struct{ firing, resolved bool }{{true, false}, {false, true}, {true, true}}
	if !t.samples.resolved {
		states = states[:1]
	}
	for _, s := range states {
		// The usual labels, and few alerts.
		_, usual := execute(newSample(2, s.firing, s.resolved, nil, t.samples.style))
		if isUnknownField(usual) {
			return usual
		}
		// A value for every label and annotation that the template may refer to, and many
		// alerts.
		_, full := execute(newSample(20, s.firing, s.resolved, names, t.samples.style))
		if isUnknownField(full) || usual != nil && full != nil {
			return full
		}
	}
	return nil
}

// isUnknownField reports whether a template failed because a field does not exist, which
// no data can change.
func isUnknownField(err error) bool {
	return err != nil && strings.Contains(err.Error(), "can't evaluate field")
}

// sampleAt is the time of the samples.
var sampleAt = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// sampleValue is a text that many functions accept: a number, a duration, base64, and
// long enough for the parts that slice takes.
const sampleValue = "12345678901234567890123456789012"

// newSample returns the view of a notification with n alerts, which fire, are resolved,
// or alternate. Labels and annotations have the usual names, and those in names.
func newSample(n int, firing, resolved bool, names map[string]bool, style *Style) *View {
	extra := alert.Labels{}
	for name := range names {
		extra[name] = sampleValue
	}
	with := func(usual alert.Labels) alert.Labels {
		maps.Copy(usual, extra)
		return usual
	}
	out := &alert.Notification{
		ID: "sample", GroupKey: `{}:{alertname="Sample"}`, Receiver: "sample", Reason: "first notification", At: sampleAt,
		GroupLabels: with(alert.Labels{alert.NameLabel: "Sample"}), RouteLabels: with(alert.Labels{"team": "ops"}),
	}
	for i := range n {
		number := strconv.Itoa(i + 1)
		a := &alert.Alert{
			Labels: with(alert.Labels{
				alert.NameLabel: "Sample", alert.SeverityLabel: alert.SeverityCritical, "instance": "10.0.0." + number + ":9100", "job": "node", "host": "web-" + number,
				"cluster": "prod", "env": "prod", "namespace": "default", "pod": "web-" + number, "service": "web", "team": "ops", "project": "shop",
			}),
			Annotations: with(alert.Labels{
				alert.SummaryAnnotation: "a sample", "description": "a sample for the check of templates", "message": "a sample", "value": "42.5",
				"runbook_url": "https://example.com/runbook", "dashboard_url": "https://example.com/dashboard",
			}),
			StartsAt: sampleAt.Add(-time.Hour), UpdatedAt: sampleAt, GeneratorURL: "https://example.com/graph",
		}
		if resolved && (!firing || i%2 == 1) {
			a.EndsAt = sampleAt
		}
		out.Alerts = append(out.Alerts, a)
	}
	return &View{n: out, externalURL: style.ExternalURL, sample: true}
}

// namesIn returns the words of a template that may be names of labels or annotations. It
// returns too many: others do no harm.
func namesIn(nodes []parse.Node) map[string]bool {
	names := map[string]bool{}
	add := func(all ...string) {
		for _, s := range all {
			if s != "" && len(s) < 100 {
				names[s] = true
			}
		}
	}
	for _, node := range nodes {
		switch node := node.(type) {
		case *parse.FieldNode:
			add(node.Ident...)
		case *parse.VariableNode:
			add(node.Ident[1:]...)
		case *parse.ChainNode:
			add(node.Field...)
		case *parse.StringNode:
			add(node.Text)
		}
	}
	return names
}

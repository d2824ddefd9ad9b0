package route

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
)

// labelTemplates are the templates among the values of a route's labels.
type labelTemplates struct {
	mu     sync.Mutex // held while they are executed: each may execute the others
	byName map[string]*render.Text
}

// compileLabels compiles the templates in the labels of r and of the routes below
// it. Alertmanager reports one that does not compile at every flush instead.
func (r *Route) compileLabels(t *render.Templates) error {
	for n := range r.All() {
		for name, value := range n.Labels {
			if !strings.Contains(value, "{{") {
				continue
			}
			text, err := t.CompileText(value)
			if err != nil {
				return fmt.Errorf("route %s: its label %q: %w", n.Key, name, err)
			}
			if n.templates == nil {
				n.templates = &labelTemplates{byName: map[string]*render.Text{}}
			}
			n.templates.byName[name] = text
		}
	}
	return nil
}

// RenderLabels returns the route's labels for a group. n is a notification of the
// group with all its alerts, muted ones included, in any order; RenderLabels fills
// in the rest. As in Alertmanager a label whose template fails is logged and left
// out, and so are those that refer to it.
func (r *Route) RenderLabels(n alert.Notification, style *render.Style, log *slog.Logger) alert.Labels {
	if r.templates == nil {
		return r.Labels
	}
	r.templates.mu.Lock()
	defer r.templates.mu.Unlock()
	alert.Sort(n.Alerts)
	n.Receiver, n.RouteLabels, n.Reason = r.Receiver, r.Labels, "unknown"
	l := &labelRenderer{route: r, view: render.NewView(&n, style), rendered: alert.Labels{}}
	l.view.RouteLabel = l.value
	for _, name := range r.Labels.Names() {
		if _, err := l.value(name); err != nil {
			log.Error("cannot render a route's label; it is left out", "route", r.Key, "label", name, "err", err)
		}
	}
	return l.rendered
}

// labelRenderer renders a route's labels for one group, each once. A template may
// refer to another label by {{ routeLabels "name" }}.
type labelRenderer struct {
	route    *Route
	view     *render.View
	rendered alert.Labels
	stack    []string // labels being rendered, each referred to by the one before
}

func (l *labelRenderer) value(name string) (string, error) {
	text, ok := l.route.templates.byName[name]
	if !ok {
		v, ok := l.route.Labels[name]
		if ok {
			l.rendered[name] = v
		}
		return v, nil
	}
	if v, ok := l.rendered[name]; ok {
		return v, nil
	}
	if slices.Contains(l.stack, name) {
		return "", fmt.Errorf("route labels refer to each other: %s", strings.Join(append(l.stack, name), " -> "))
	}
	l.stack = append(l.stack, name)
	defer func() { l.stack = l.stack[:len(l.stack)-1] }()
	v, err := text.Execute(l.view)
	if err == nil {
		l.rendered[name] = v
	}
	return v, err
}

package dispatch

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// labelTemplates are those of a route's labels whose values are templates.
type labelTemplates struct {
	// mu is held while they are rendered: each may ask for the others.
	mu     sync.Mutex
	byName map[string]*render.Text
}

// compileLabels compiles the labels of r and of the routes below it. A template
// that cannot be compiled is an error, whereas Alertmanager finds out at every
// flush.
func (r *Route) compileLabels(t *render.Templates) error {
	for name, value := range r.Labels {
		if !strings.Contains(value, "{{") {
			continue
		}
		x, err := t.CompileText(value)
		if err != nil {
			return fmt.Errorf("route %s: its label %q: %w", r.ID, name, err)
		}
		if r.templates == nil {
			r.templates = &labelTemplates{byName: map[string]*render.Text{}}
		}
		r.templates.byName[name] = x
	}
	for _, child := range r.routes {
		if err := child.compileLabels(t); err != nil {
			return err
		}
	}
	return nil
}

// ValidateTemplates adds a fault for every label, in the tree whose root c is,
// whose template cannot be compiled with the user's templates t.
func (c *RouteConfig) ValidateTemplates(f *setting.Faults, t *render.Templates) {
	for _, name := range c.Labels.Names() {
		if _, err := t.CompileText(c.Labels[name]); err != nil {
			f.In("labels").Addf(name, "%v", err)
		}
	}
	for i, child := range c.Routes {
		if child != nil {
			child.ValidateTemplates(f.In("routes", i), t)
		}
	}
}

// labelling renders a route's labels for one group, each once. A label may ask
// for another by {{ routeLabels "name" }}.
type labelling struct {
	route *Route
	view  *render.View
	done  alert.Labels
	busy  []string // labels that are being rendered and wait for others
}

// routeLabels returns the labels of a route as they are for a group: n without
// them, and with all its alerts in any order, those that are kept quiet too. As in
// Alertmanager, a label whose template fails is left out and logged, and so is
// one that refers to it; the group is notified of all the same.
func (e *Engine) routeLabels(r *Route, n alert.Notification) alert.Labels {
	if r.templates == nil {
		return r.Labels
	}
	r.templates.mu.Lock()
	defer r.templates.mu.Unlock()
	alert.Sort(n.Alerts)
	n.Receiver, n.RouteLabels, n.Reason = r.Receiver, r.Labels, "unknown"
	l := &labelling{route: r, view: render.NewView(&n, &e.style), done: alert.Labels{}}
	l.view.RouteLabel = l.value
	for _, name := range r.Labels.Names() {
		if _, err := l.value(name); err != nil {
			e.log.Error("cannot render a route's label; it is left out", "route", r.ID, "label", name, "err", err)
		}
	}
	return l.done
}

func (l *labelling) value(name string) (string, error) {
	x, ok := l.route.templates.byName[name]
	if !ok {
		v, ok := l.route.Labels[name]
		if ok {
			l.done[name] = v
		}
		return v, nil
	}
	if v, ok := l.done[name]; ok {
		return v, nil
	}
	if slices.Contains(l.busy, name) {
		return "", fmt.Errorf("route labels refer to each other: %s", strings.Join(append(l.busy, name), " -> "))
	}
	l.busy = append(l.busy, name)
	defer func() { l.busy = l.busy[:len(l.busy)-1] }()
	v, err := x.Execute(l.view)
	if err == nil {
		l.done[name] = v
	}
	return v, err
}

package alertmanager

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	amconfig "github.com/prometheus/alertmanager/config"
	amdispatch "github.com/prometheus/alertmanager/dispatch"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
)

// theirLabels are the route's labels as Alertmanager's dispatcher renders them for
// a group of one alert: those that fail are left out.
func theirLabels(tmpl *template.Template, r *amdispatch.Route, group model.LabelSet, l alert.Labels) model.LabelSet {
	a := &amalert.Alert{Alert: model.Alert{Labels: labelSet(l), EndsAt: time.Now().Add(never)}}
	render := tmpl.RouteLabelRenderer(tmpl.Data(r.RouteOpts.Receiver, group, r.RouteOpts.Labels, amnotify.ReasonUnknown.String(), a))
	rendered := model.LabelSet{}
	for name := range r.RouteOpts.Labels {
		if value, err := render(string(name)); err == nil {
			rendered[name] = model.LabelValue(value)
		}
	}
	return rendered
}

// theirTemplates are Alertmanager's own.
func theirTemplates(t *testing.T) *template.Template {
	tmpl, err := template.FromGlobs(nil)
	if err != nil {
		t.Fatal(err)
	}
	if tmpl.ExternalURL, err = url.Parse(externalURL); err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// Every alert takes the same routes, into groups of the same labels.
func TestRoutes(t *testing.T) {
	taken := 0
	for n := range uint64(300) {
		g := &generator{Rand: rand.New(rand.NewPCG(*seed, n))}
		g.configure()
		g.scenario = g.copied()
		conf, err := amconfig.Load(g.config.yaml())
		if err != nil {
			t.Fatalf("Alertmanager: %v\n%s", err, g.config.yaml())
		}
		tree := amdispatch.NewRoute(conf.Route, nil)
		engine, err := g.config.engine(&transcript{}, true)
		if err != nil {
			t.Fatalf("Tocsin: %v\n%s", err, g.config.yaml())
		}
		now := time.Now()
		tmpl := theirTemplates(t)
		for range 40 {
			l := g.labels()
			var theirs []string
			for _, r := range tree.Match(labelSet(l)) {
				group := model.LabelSet{}
				for name, value := range labelSet(l) {
					if _, by := r.RouteOpts.GroupBy[name]; by || r.RouteOpts.GroupByAll {
						group[name] = value
					}
				}
				theirs = append(theirs, fmt.Sprintf("%s %v %v", r.RouteOpts.Receiver, group, theirLabels(tmpl, r, group, l)))
			}
			if err := engine.Ingest(t.Context(), now, push{end: open}.alerted(l).ours(now, 0)); err != nil {
				t.Fatal(err)
			}
			groups, err := engine.Groups(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			var ours []string
			for _, group := range groups {
				ours = append(ours, fmt.Sprintf("%s %v %v", group.Receiver, labelSet(group.Labels), labelSet(group.RouteLabels)))
			}
			slices.Sort(theirs)
			slices.Sort(ours)
			if !slices.Equal(theirs, ours) {
				t.Fatalf("tree %d of seed %d, %s\nAlertmanager %q\nTocsin       %q\n%s", n, *seed, printed(l), theirs, ours, g.config.yaml())
			}
			taken += len(ours)
			// The next alert is alone again.
			if err := engine.Ingest(t.Context(), now, push{}.alerted(l).ours(now, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if taken < 300*40 {
		t.Errorf("only %d routes taken", taken)
	}
}

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
	"tocsin/pkg/store/memory"
)

// upstreamLabels returns the route's labels as Alertmanager's dispatcher renders them
// for a group of one alert: those that fail are left out.
func upstreamLabels(tmpl *template.Template, r *amdispatch.Route, group model.LabelSet, l alert.Labels) model.LabelSet {
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

// upstreamTemplates returns Alertmanager's own templates.
func upstreamTemplates(t *testing.T) *template.Template {
	tmpl, err := template.FromGlobs(nil)
	if err != nil {
		t.Fatal(err)
	}
	if tmpl.ExternalURL, err = url.Parse(externalURL); err != nil {
		t.Fatal(err)
	}
	return tmpl
}

// TestRoutes checks that random alerts match the same routes of random trees, with
// the same group labels and route labels.
func TestRoutes(t *testing.T) {
	matched := 0
	for n := range uint64(300) {
		g := &generator{Rand: rand.New(rand.NewPCG(*seed, n))}
		g.configure()
		g.scenario = g.clone()
		conf, err := amconfig.Load(g.config.yaml())
		if err != nil {
			t.Fatalf("Alertmanager: got %v, want no error\n%s", err, g.config.yaml())
		}
		tree := amdispatch.NewRoute(conf.Route, nil)
		engine, err := g.config.engine(memory.New(), &transcript{}, true)
		if err != nil {
			t.Fatalf("got %v, want no error\n%s", err, g.config.yaml())
		}
		now := time.Now()
		tmpl := upstreamTemplates(t)
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
				theirs = append(theirs, fmt.Sprintf("%s %v %v", r.RouteOpts.Receiver, group, upstreamLabels(tmpl, r, group, l)))
			}
			if err := engine.Ingest(t.Context(), now, push{end: noEnd}.with(l).tocsinAlerts(now, 0)); err != nil {
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
				t.Fatalf("tree %d of seed %d, %s: got\n%q\nwant Alertmanager's\n%q\n%s", n, *seed, formatLabels(l), ours, theirs, g.config.yaml())
			}
			matched += len(ours)
			// The next alert is the only one.
			if err := engine.Ingest(t.Context(), now, push{}.with(l).tocsinAlerts(now, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if matched < 300*40 {
		t.Errorf("got %d matched routes, want at least %d", matched, 300*40)
	}
}

// Package route is Alertmanager's routing tree: which receivers an alert is sent
// to, how alerts are grouped on the way, the group's timers, the time intervals in
// which a route is muted, and the labels that it adds for templates.
//
// Everything here is computed from the configuration and the arguments; nothing is
// stored. A [Group] has an identity, its ID, under which others store what belongs
// to it.
package route

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/matcher"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/keyspace"
)

// Alertmanager's defaults of the root route.
const (
	DefaultGroupWait      = 30 * time.Second
	DefaultGroupInterval  = 5 * time.Minute
	DefaultRepeatInterval = 4 * time.Hour
)

// Route is a node of the routing tree, with inherited values filled in.
type Route struct {
	// ID identifies the node across configurations: its matchers and those of the
	// nodes above in canonical form, so that neither another notation nor another
	// order of routes changes it. A sibling with the same matchers as an earlier
	// one has its number too: {}/{team="x"}#2.
	ID string
	// Key is the path as Alertmanager's group keys show it.
	Key string

	Receiver       string
	GroupWait      time.Duration
	GroupInterval  time.Duration
	RepeatInterval time.Duration
	RepeatSchedule []time.Duration // replaces RepeatInterval unless it is empty
	ResolvedAtOnce bool
	Labels         alert.Labels // as configured: values may be templates

	groupBy    []string // sorted
	groupByAll bool
	matchers   labels.Matchers
	continues  bool
	routes     []*Route

	muteIntervals, activeIntervals []string

	templates *labelTemplates // nil if no label is a template
}

// New returns the root of the routing tree for c, which must have passed Validate.
// Templates in labels may use those of t, which may be nil.
func New(c *Config, t *render.Templates) (*Route, error) {
	defaults := &Route{GroupWait: DefaultGroupWait, GroupInterval: DefaultGroupInterval, RepeatInterval: DefaultRepeatInterval}
	root, err := defaults.child(c, "", "", map[string]int{})
	if err != nil {
		return nil, err
	}
	return root, root.compileLabels(t)
}

// child returns the node for c, which inherits from r. Its Key is keyPrefix and its
// matchers; its ID is idPrefix and its matchers in canonical form, numbered by
// siblings, which counts the IDs of its siblings so far.
func (r *Route) child(c *Config, keyPrefix, idPrefix string, siblings map[string]int) (*Route, error) {
	matchers, err := matcher.Config{Matchers: c.Matchers, Match: c.Match, MatchRE: c.MatchRE}.Compile()
	if err != nil {
		return nil, fmt.Errorf("route to %q: %w", c.Receiver, err)
	}
	n := *r
	n.routes, n.matchers, n.continues = nil, matchers, c.Continue
	n.muteIntervals, n.activeIntervals = c.MuteTimeIntervals, c.ActiveTimeIntervals
	n.Key = keyPrefix + matchers.String()
	id := idPrefix + matcher.Canonical(matchers)
	siblings[id]++
	if n.ID = id; siblings[id] > 1 {
		n.ID += "#" + strconv.Itoa(siblings[id])
	}
	if c.Receiver != "" {
		n.Receiver = c.Receiver
	}
	if c.GroupBy != nil {
		n.groupByAll = slices.Contains(c.GroupBy, groupByAll)
		n.groupBy = slices.Sorted(slices.Values(c.GroupBy))
	}
	override(&n.GroupWait, c.GroupWait)
	override(&n.GroupInterval, c.GroupInterval)
	override(&n.RepeatInterval, c.RepeatInterval)
	switch {
	case c.RepeatSchedule != nil:
		n.RepeatSchedule = nil
		for _, age := range c.RepeatSchedule {
			n.RepeatSchedule = append(n.RepeatSchedule, age.Std())
		}
	case c.RepeatInterval != nil:
		n.RepeatSchedule = nil
	}
	if c.ResolvedAtOnce != nil {
		n.ResolvedAtOnce = *c.ResolvedAtOnce
	}
	if len(c.Labels) > 0 {
		n.Labels = make(alert.Labels, len(r.Labels)+len(c.Labels))
		maps.Copy(n.Labels, r.Labels)
		maps.Copy(n.Labels, c.Labels)
	}
	children := map[string]int{}
	for _, cc := range c.Routes {
		child, err := n.child(cc, n.Key+"/", n.ID+"/", children)
		if err != nil {
			return nil, err
		}
		n.routes = append(n.routes, child)
	}
	return &n, nil
}

func override(inherited *time.Duration, own *setting.Duration) {
	if own != nil {
		*inherited = own.Std()
	}
}

// Match returns the routes that match an alert with these labels: depth first, left
// to right, a node itself only if none of its children matches, and after a match
// no further sibling unless the matching route has Continue.
func (r *Route) Match(l alert.Labels) []*Route {
	if !matcher.Matches(r.matchers, l) {
		return nil
	}
	var all []*Route
	for _, child := range r.routes {
		matched := child.Match(l)
		all = append(all, matched...)
		if len(matched) > 0 && !child.continues {
			break
		}
	}
	if len(all) == 0 {
		all = append(all, r)
	}
	return all
}

// Receivers returns the receivers of the routes that match an alert with these
// labels, each once.
func (r *Route) Receivers(l alert.Labels) []string {
	var names []string
	for _, m := range r.Match(l) {
		if !slices.Contains(names, m.Receiver) {
			names = append(names, m.Receiver)
		}
	}
	return names
}

// All yields r and the routes below it, parents first.
func (r *Route) All() iter.Seq[*Route] {
	return func(yield func(*Route) bool) { r.visit(yield) }
}

func (r *Route) visit(yield func(*Route) bool) bool {
	if !yield(r) {
		return false
	}
	for _, child := range r.routes {
		if !child.visit(yield) {
			return false
		}
	}
	return true
}

// Group identifies a group of alerts: a route, and one value for each of its
// grouping labels.
type Group struct {
	// ID is a hash of the route's ID and the values, of fixed length, for keys in
	// the store.
	ID string
	// Key is the group key that Alertmanager would print, for example
	// {}/{team="x"}:{alertname="A"}.
	Key    string
	Labels alert.Labels
}

// GroupFor returns the group in which the route puts an alert with labels l. A
// grouping label that the alert lacks is left out.
func (r *Route) GroupFor(l alert.Labels) Group {
	if r.groupByAll {
		return r.groupWith(l)
	}
	g := make(alert.Labels, len(r.groupBy))
	for _, name := range r.groupBy {
		if v, ok := l[name]; ok {
			g[name] = v
		}
	}
	return r.groupWith(g)
}

func (r *Route) groupWith(g alert.Labels) Group {
	values := groupValues(g)
	return Group{ID: keyspace.Hash(r.ID, values), Key: r.Key + ":" + values, Labels: g}
}

// groupValues returns grouping labels as Alertmanager prints them.
func groupValues(g alert.Labels) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range g.Names() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(strconv.Quote(g[name]))
	}
	b.WriteByte('}')
	return b.String()
}

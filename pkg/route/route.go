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
	// ID identifies the node in its tree: its matchers and those of the nodes
	// above, and its position among its siblings. Key is the same without the
	// positions, as Alertmanager's group keys show it; siblings with the same
	// matchers have the same Key.
	ID, Key string

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
	root, err := defaults.child(c, "", "", "")
	if err != nil {
		return nil, err
	}
	return root, root.compileLabels(t)
}

// child returns the node for c, which inherits from r. Its Key is keyPrefix and its
// matchers; its ID is idPrefix, its matchers and idSuffix.
func (r *Route) child(c *Config, keyPrefix, idPrefix, idSuffix string) (*Route, error) {
	matchers, err := matcher.Config{Matchers: c.Matchers, Match: c.Match, MatchRE: c.MatchRE}.Compile()
	if err != nil {
		return nil, fmt.Errorf("route to %q: %w", c.Receiver, err)
	}
	n := *r
	n.routes, n.matchers, n.continues = nil, matchers, c.Continue
	n.muteIntervals, n.activeIntervals = c.MuteTimeIntervals, c.ActiveTimeIntervals
	n.Key = keyPrefix + matchers.String()
	n.ID = idPrefix + matchers.String() + idSuffix
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
	for i, cc := range c.Routes {
		child, err := n.child(cc, n.Key+"/", n.ID+"/", "/"+strconv.Itoa(i))
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

// Find returns the node with the ID, or nil if the tree has none.
func (r *Route) Find(id string) *Route {
	for n := range r.All() {
		if n.ID == id {
			return n
		}
	}
	return nil
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
	// ID is of fixed length, for keys in the store. Routes with the same Key have
	// groups with different IDs.
	ID      string
	RouteID string
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

// Owns reports whether the group with the ID and these grouping labels is one of
// the route's.
func (r *Route) Owns(groupID string, groupLabels alert.Labels) bool {
	return r.groupWith(groupLabels).ID == groupID
}

func (r *Route) groupWith(g alert.Labels) Group {
	key := r.groupKey(g)
	return Group{ID: keyspace.Hash(r.ID, key), RouteID: r.ID, Key: key, Labels: g}
}

func (r *Route) groupKey(g alert.Labels) string {
	var b strings.Builder
	b.WriteString(r.Key)
	b.WriteString(":{")
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

package dispatch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// Alertmanager's defaults for a route that names none.
const (
	defaultGroupWait      = 30 * time.Second
	defaultGroupInterval  = 5 * time.Minute
	defaultRepeatInterval = 4 * time.Hour
)

// Route is a node of the routing tree, with what it inherits filled in.
type Route struct {
	// ID names the node within its tree; Key is the part of it that group keys
	// carry. Two siblings with the same matchers share a Key, never an ID.
	ID, Key string

	Receiver       string
	GroupWait      time.Duration
	GroupInterval  time.Duration
	RepeatInterval time.Duration
	RepeatSchedule []time.Duration // instead of RepeatInterval when it is not empty
	ResolvedAtOnce bool
	Labels         alert.Labels // as they are written: values may be templates

	groupBy   []string // sorted
	groupAll  bool
	matchers  labels.Matchers
	continues bool
	routes    []*Route

	muteIntervals, activeIntervals []string

	templates *labelTemplates // nil for none
}

// newRoute builds the tree. The configuration must have passed Validate.
func newRoute(c *RouteConfig) (*Route, error) {
	root := &Route{GroupWait: defaultGroupWait, GroupInterval: defaultGroupInterval, RepeatInterval: defaultRepeatInterval}
	return root.child(c, "", "", "")
}

// child builds the node for c, which inherits from r. Around its matchers, its
// Key begins with keyPrefix and its ID with idPrefix and ends in idSuffix.
func (r *Route) child(c *RouteConfig, keyPrefix, idPrefix, idSuffix string) (*Route, error) {
	matchers, err := allMatchers(c.Matchers, c.Match, c.MatchRE)
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
		n.groupAll = slices.Contains(c.GroupBy, groupByAll)
		n.groupBy = slices.Sorted(slices.Values(c.GroupBy))
	}
	inherit(&n.GroupWait, c.GroupWait)
	inherit(&n.GroupInterval, c.GroupInterval)
	inherit(&n.RepeatInterval, c.RepeatInterval)
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

func inherit(to *time.Duration, own *setting.Duration) {
	if own != nil {
		*to = own.Std()
	}
}

// Match returns the routes that an alert with these labels takes: depth first,
// left to right, a node itself only when none of its children matched, and
// after a match no further sibling unless the matching one says continue.
func (r *Route) Match(l alert.Labels) []*Route {
	if !matches(r.matchers, l) {
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

// find returns the node with the ID, nil when the tree has none.
func (r *Route) find(id string) *Route {
	if r.ID == id {
		return r
	}
	for _, child := range r.routes {
		if n := child.find(id); n != nil {
			return n
		}
	}
	return nil
}

// groupLabels is the part of an alert's labels that decides its group: a label
// that the alert lacks is left out.
func (r *Route) groupLabels(l alert.Labels) alert.Labels {
	if r.groupAll {
		return l
	}
	g := make(alert.Labels, len(r.groupBy))
	for _, name := range r.groupBy {
		if v, ok := l[name]; ok {
			g[name] = v
		}
	}
	return g
}

// groupKey prints a group's identity as Alertmanager does, for example
// {}/{team="x"}:{alertname="A"}.
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

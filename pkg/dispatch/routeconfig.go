package dispatch

import (
	"slices"
	"sort"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// RouteConfig is a node of the routing tree as it is written: Alertmanager's
// `route`. A pointer is nil where the key is missing and the parent's value
// counts.
type RouteConfig struct {
	Receiver string   `yaml:"receiver,omitempty"`
	GroupBy  []string `yaml:"group_by,omitempty"`
	Continue bool     `yaml:"continue,omitempty"`

	Matchers []string `yaml:"matchers,omitempty"`
	// Match and MatchRE are Alertmanager's older way to write matchers.
	Match   map[string]string          `yaml:"match,omitempty"`
	MatchRE map[string]setting.Pattern `yaml:"match_re,omitempty"`

	GroupWait      *setting.Duration `yaml:"group_wait,omitempty"`      // root default 30s
	GroupInterval  *setting.Duration `yaml:"group_interval,omitempty"`  // root default 5m
	RepeatInterval *setting.Duration `yaml:"repeat_interval,omitempty"` // root default 4h

	// RepeatSchedule takes the place of RepeatInterval: ages, counted from an
	// alert's start, at which one that still fires is said again.
	RepeatSchedule []setting.Duration `yaml:"repeat_schedule,omitempty"`
	// ResolvedAtOnce announces the end of a whole group when it is known, and
	// does not wait for group_interval.
	ResolvedAtOnce *bool `yaml:"resolved_at_once,omitempty"`

	// MuteTimeIntervals and ActiveTimeIntervals name time intervals in which the
	// route is quiet, and outside of which it is. Children do not inherit them.
	MuteTimeIntervals   []string `yaml:"mute_time_intervals,omitempty"`
	ActiveTimeIntervals []string `yaml:"active_time_intervals,omitempty"`

	// Labels are given to templates as .RouteLabels; children inherit them.
	Labels alert.Labels `yaml:"labels,omitempty"`

	Routes []*RouteConfig `yaml:"routes,omitempty"`
}

// groupByAll is the group_by entry that makes every label a grouping label.
const groupByAll = "..."

// Names are what a routing tree may refer to.
type Names struct{ Receivers, TimeIntervals []string }

// Validate adds what is wrong with the tree whose root c is to f.
func (c *RouteConfig) Validate(f *setting.Faults, known Names) {
	if c.Receiver == "" {
		f.Addf("receiver", "the root route needs a receiver: it takes what no other route matches")
	}
	for key, set := range map[string]bool{"matchers": c.Matchers != nil, "match": c.Match != nil, "match_re": c.MatchRE != nil} {
		if set {
			f.Addf(key, "the root route takes every alert and must not have matchers; move them to a route below it")
		}
	}
	for key, names := range map[string][]string{"mute_time_intervals": c.MuteTimeIntervals, "active_time_intervals": c.ActiveTimeIntervals} {
		if len(names) > 0 {
			f.Addf(key, "the root route must not have time intervals; move them to a route below it")
		}
	}
	if c.Continue {
		f.Addf("continue", "the root route has no next route to continue with")
	}
	c.validate(f, known)
}

func (c *RouteConfig) validate(f *setting.Faults, known Names) {
	if c.Receiver != "" && !slices.Contains(known.Receivers, c.Receiver) {
		f.Addf("receiver", "no receiver is named %q%s", c.Receiver, didYouMean(c.Receiver, known.Receivers))
	}
	for key, names := range map[string][]string{"mute_time_intervals": c.MuteTimeIntervals, "active_time_intervals": c.ActiveTimeIntervals} {
		for i, name := range names {
			if !slices.Contains(known.TimeIntervals, name) {
				f.In(key, i).Addf("", "no time interval is named %q%s", name, didYouMean(name, known.TimeIntervals))
			}
		}
	}
	for i, name := range c.GroupBy {
		at := f.In("group_by", i)
		switch {
		case name == "":
			at.Addf("", "is empty: name a label")
		case name == groupByAll && len(c.GroupBy) > 1:
			at.Addf("", `"..." means all labels and stands alone`)
		case slices.Index(c.GroupBy, name) != i:
			at.Addf("", "label %q is named twice", name)
		}
	}
	validateMatchers(f.In("matchers"), c.Matchers)
	if c.GroupInterval != nil && *c.GroupInterval == 0 {
		f.Addf("group_interval", "must be more than 0s")
	}
	if c.RepeatInterval != nil && *c.RepeatInterval == 0 {
		f.Addf("repeat_interval", "must be more than 0s")
	}
	if c.RepeatSchedule != nil && c.RepeatInterval != nil {
		f.Addf("repeat_schedule", "takes the place of repeat_interval: give one of them")
	}
	for i, age := range c.RepeatSchedule {
		if age <= 0 || i > 0 && age <= c.RepeatSchedule[i-1] {
			f.In("repeat_schedule", i).Addf("", "%s: ages must be more than 0s, and each more than the one before", age)
		}
	}
	for i, child := range c.Routes {
		at := f.In("routes", i)
		if child == nil {
			at.Addf("", "is empty: remove it, or give it matchers and a receiver")
			continue
		}
		child.validate(at, known)
	}
}

// allMatchers returns the matchers written in any of the notations, in
// Alertmanager's order.
func allMatchers(texts []string, equal map[string]string, regex map[string]setting.Pattern) (labels.Matchers, error) {
	var all labels.Matchers
	for name, value := range equal {
		m, err := labels.NewMatcher(labels.MatchEqual, name, value)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for name, value := range regex {
		// Group keys show these with their anchors, as Alertmanager's do.
		m, err := labels.NewMatcher(labels.MatchRegexp, name, "^(?:"+value.String()+")$")
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for _, text := range texts {
		ms, err := parseMatchers(text)
		if err != nil {
			return nil, err
		}
		all = append(all, ms...)
	}
	sort.Sort(all)
	return all, nil
}

// validateMatchers adds a fault for each text that is no matcher.
func validateMatchers(f *setting.Faults, texts []string) {
	for i, text := range texts {
		if _, err := parseMatchers(text); err != nil {
			f.In(i).Addf("", "%v; write it like severity=\"critical\" or topic=~\"order.*\"", err)
		}
	}
}

// parseMatchers reads matchers as Alertmanager does by default: in the UTF-8
// notation, and in the classic one where that fails or the two disagree.
func parseMatchers(text string) (labels.Matchers, error) {
	ms, err := parse.Matchers(text)
	classic, cerr := labels.ParseMatchers(text)
	if cerr == nil && (err != nil || labels.Matchers(classic).String() != ms.String()) {
		return classic, nil
	}
	return ms, err
}

func didYouMean(name string, known []string) string {
	nearest := setting.Nearest(name, known)
	if nearest == "" {
		return ""
	}
	return "; did you mean \"" + nearest + "\"?"
}

package route

import (
	"slices"

	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
	"tocsin/pkg/matcher"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Config is a node of the routing tree as configured: Alertmanager's `route`. A nil
// pointer inherits the parent's value.
type Config struct {
	Receiver string   `yaml:"receiver,omitempty"`
	GroupBy  []string `yaml:"group_by,omitempty"`
	Continue bool     `yaml:"continue,omitempty"`

	Matchers []string `yaml:"matchers,omitempty"`
	// Match and MatchRE are Alertmanager's older notation of matchers.
	Match   map[string]string          `yaml:"match,omitempty"`
	MatchRE map[string]setting.Pattern `yaml:"match_re,omitempty"`

	GroupWait      *setting.Duration `yaml:"group_wait,omitempty"`      // root default 30s
	GroupInterval  *setting.Duration `yaml:"group_interval,omitempty"`  // root default 5m
	RepeatInterval *setting.Duration `yaml:"repeat_interval,omitempty"` // root default 4h

	// RepeatSchedule replaces RepeatInterval: ages, counted from an alert's start,
	// at which the group is notified again if the alert still fires.
	RepeatSchedule []setting.Duration `yaml:"repeat_schedule,omitempty"`
	// ResolvedAtOnce notifies that a whole group has resolved at the next tick
	// instead of at the next group_interval.
	ResolvedAtOnce *bool `yaml:"resolved_at_once,omitempty"`

	// MuteTimeIntervals name time intervals in which the route is muted;
	// ActiveTimeIntervals name those outside of which it is muted. Children do not
	// inherit them.
	MuteTimeIntervals   []string `yaml:"mute_time_intervals,omitempty"`
	ActiveTimeIntervals []string `yaml:"active_time_intervals,omitempty"`

	// Labels are .RouteLabels in templates; children inherit them.
	Labels alert.Labels `yaml:"labels,omitempty"`

	Routes []*Config `yaml:"routes,omitempty"`
}

// groupByAll is the group_by entry that makes every label a grouping label.
const groupByAll = "..."

// Names lists the names that a routing tree may refer to.
type Names struct{ Receivers, TimeIntervals []string }

// Validate adds the faults of the tree with root c to f.
func (c *Config) Validate(f *setting.Faults, known Names) {
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
	c.warnIntervals(f, setting.Duration(DefaultGroupInterval), setting.Duration(DefaultRepeatInterval), false)
}

// warnIntervals warns about nodes that ask for repeats more often than their groups are
// flushed. The other arguments are the parent's.
func (c *Config) warnIntervals(f *setting.Faults, group, repeat setting.Duration, scheduled bool) {
	if c.GroupInterval != nil {
		group = *c.GroupInterval
	}
	if c.RepeatInterval != nil {
		repeat, scheduled = *c.RepeatInterval, false
	}
	scheduled = scheduled || c.RepeatSchedule != nil
	switch tooOften := repeat < group && !scheduled; {
	case tooOften && c.RepeatInterval != nil:
		f.Warnf("repeat_interval", "%s is below the group_interval of %s: a group is notified again after %[2]s at the earliest; raise it, or lower group_interval", repeat, group)
	case tooOften && c.GroupInterval != nil:
		f.Warnf("group_interval", "%s is above the repeat_interval of %s: a group is notified again after %[1]s at the earliest; lower it, or raise repeat_interval", group, repeat)
	}
	for i, child := range c.Routes {
		if child != nil {
			child.warnIntervals(f.In("routes", i), group, repeat, scheduled)
		}
	}
}

func (c *Config) validate(f *setting.Faults, known Names) {
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
		case name != groupByAll && !model.LegacyValidation.IsValidLabelName(name):
			// Alertmanager accepts any name.
			at.Warnf("", "%q is not the usual name of a label, letters, digits and \"_\" without a digit first: correct it, since alerts without such a label share one group", name)
		}
	}
	matcher.Validate(f.In("matchers"), c.Matchers)
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

// ValidateTemplates adds a fault to f for each label in the tree with root c whose
// template does not compile. Templates may use those of t.
func (c *Config) ValidateTemplates(f *setting.Faults, t *render.Templates) {
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

func didYouMean(name string, known []string) string {
	nearest := setting.Nearest(name, known)
	if nearest == "" {
		return ""
	}
	return "; did you mean \"" + nearest + "\"?"
}

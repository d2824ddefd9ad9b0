package alertmanager

import (
	"iter"
	"slices"
	"testing"

	"tocsin/pkg/route"
)

// reduce returns the scenario without what is not needed for a difference.
func (s scenario) reduce(t *testing.T) scenario {
	for again := true; again; {
		again = false
		for smaller := range s.smaller() {
			if smaller.resolvesUnknown() {
				continue
			}
			if _, err := smaller.playUpstream(t); err == nil && smaller.compare(t) != "" {
				s, again = smaller, true
				break
			}
		}
	}
	return s
}

// smaller yields the scenario with one part removed, for each part.
func (s scenario) smaller() iter.Seq[scenario] {
	return func(yield func(scenario) bool) {
		for i := range s.steps {
			c := s
			c.steps = slices.Delete(slices.Clone(s.steps), i, i+1)
			if !yield(c) {
				return
			}
			if p, ok := s.steps[i].do.(push); ok && len(p.alerts) > 1 {
				c.steps = slices.Clone(s.steps)
				p.alerts = p.alerts[1:]
				c.steps[i].do = p
				if !yield(c) {
					return
				}
			}
		}
		for i := range countCuts(s.config.Route) {
			c := s.clone()
			cut(c.config.Route, i)
			if !yield(c) {
				return
			}
		}
		for i := range s.config.InhibitRules {
			c := s.clone()
			c.config.InhibitRules = slices.Delete(c.config.InhibitRules, i, i+1)
			if !yield(c) {
				return
			}
		}
		for i, r := range s.config.Receivers {
			for j := range r.Webhooks {
				c := s.clone()
				c.config.Receivers[i].Webhooks = slices.Delete(c.config.Receivers[i].Webhooks, j, j+1)
				if !yield(c) {
					return
				}
			}
		}
	}
}

// clone returns a copy of the scenario that shares nothing with it.
func (s scenario) clone() scenario {
	c, err := parseScenario(s.String())
	if err != nil {
		panic(err)
	}
	return c
}

// cuts returns functions that each remove one part of a route.
func cuts(r *route.Config) []func() {
	var all []func()
	add := func(present bool, f func()) {
		if present {
			all = append(all, f)
		}
	}
	for i := range r.Routes {
		all = append(all, func() { r.Routes = slices.Delete(r.Routes, i, i+1) })
	}
	add(len(r.Matchers) > 1, func() { r.Matchers = r.Matchers[1:] })
	add(len(r.Matchers) > 1, func() { r.Matchers = r.Matchers[:1] })
	add(r.Continue, func() { r.Continue = false })
	add(len(r.GroupBy) > 0, func() { r.GroupBy = nil })
	add(r.GroupWait != nil, func() { r.GroupWait = nil })
	add(r.GroupInterval != nil, func() { r.GroupInterval = nil })
	add(r.RepeatInterval != nil, func() { r.RepeatInterval = nil })
	add(len(r.MuteTimeIntervals) > 0, func() { r.MuteTimeIntervals = nil })
	add(len(r.ActiveTimeIntervals) > 0, func() { r.ActiveTimeIntervals = nil })
	add(len(r.Labels) > 0, func() { r.Labels = nil })
	for _, child := range r.Routes {
		all = append(all, cuts(child)...)
	}
	return all
}

// countCuts returns the number of cuts of a route.
func countCuts(r *route.Config) int { return len(cuts(r)) }

// cut makes the ith cut of a route.
func cut(r *route.Config, i int) { cuts(r)[i]() }

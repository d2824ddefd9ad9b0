package inhibit

import (
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/matcher"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/keyspace"
)

// Rule mutes alerts that match the target while an alert that matches the source
// fires and has the same values of the equal labels: an entry of Alertmanager's
// `inhibit_rules`.
type Rule struct {
	SourceMatchers []string `yaml:"source_matchers,omitempty"`
	TargetMatchers []string `yaml:"target_matchers,omitempty"`
	// Equal are names of labels. A label that both alerts lack is equal.
	Equal []string `yaml:"equal,omitempty"`
	// SourceMatch and the three below are Alertmanager's older notation of
	// matchers.
	SourceMatch   map[string]string          `yaml:"source_match,omitempty"`
	SourceMatchRE map[string]setting.Pattern `yaml:"source_match_re,omitempty"`
	TargetMatch   map[string]string          `yaml:"target_match,omitempty"`
	TargetMatchRE map[string]setting.Pattern `yaml:"target_match_re,omitempty"`
}

// Validate adds a fault to f for each matcher that cannot be parsed, and warns about a
// rule of which every alert is a source.
func (c *Rule) Validate(f *setting.Faults) {
	for key, texts := range map[string][]string{"source_matchers": c.SourceMatchers, "target_matchers": c.TargetMatchers} {
		matcher.Validate(f.In(key), texts)
	}
	if len(c.SourceMatchers)+len(c.SourceMatch)+len(c.SourceMatchRE) == 0 {
		f.Warnf("", "has no source_matchers: add them, since every firing alert mutes the target's alerts that have the same values of the labels in equal")
	}
}

// rule is a compiled Rule.
type rule struct {
	id             string // part of stored keys
	source, target labels.Matchers
	equal          []string
}

// ruleSet is rules with indexes of both sides.
type ruleSet struct {
	rules            []*rule
	sources, targets *matcher.Index
}

func newRuleSet(rules []*rule) *ruleSet {
	sources, targets := make([]labels.Matchers, len(rules)), make([]labels.Matchers, len(rules))
	for i, r := range rules {
		sources[i], targets[i] = r.source, r.target
	}
	return &ruleSet{rules, matcher.NewIndex(sources), matcher.NewIndex(targets)}
}

// keyVersion is part of the rules' ids. It changes with the form of the sources' keys,
// so that [Inhibitor.Sync] replaces the sources that an earlier version has stored.
const keyVersion = "2"

// compile compiles the rules. Duplicates are dropped: their sources would have the
// same keys.
func compile(configs []Rule) (*ruleSet, error) {
	var rules []*rule
	for _, c := range configs {
		source, err := matcher.Config{Matchers: c.SourceMatchers, Match: c.SourceMatch, MatchRE: c.SourceMatchRE}.Compile()
		if err != nil {
			return nil, err
		}
		target, err := matcher.Config{Matchers: c.TargetMatchers, Match: c.TargetMatch, MatchRE: c.TargetMatchRE}.Compile()
		if err != nil {
			return nil, err
		}
		r := &rule{source: source, target: target, equal: c.Equal}
		r.id = keyspace.Hash(source.String(), target.String(), strings.Join(c.Equal, "\xff"), keyVersion)
		if !slices.ContainsFunc(rules, func(other *rule) bool { return other.id == r.id }) {
			rules = append(rules, r)
		}
	}
	return newRuleSet(rules), nil
}

// The sides of a rule that a source matches: the source's, or the target's too.
const (
	oneSide   = "1/"
	bothSides = "2/"
)

// prefix returns the prefix of all sources' keys of the rule.
func (r *rule) prefix() string { return keyspace.Source + r.id + "/" }

// valuesPrefix returns the prefix of the keys of those sources that have the values of
// l in the equal labels.
func (r *rule) valuesPrefix(l alert.Labels) string {
	values := make([]string, len(r.equal))
	for i, name := range r.equal {
		values[i] = l[name]
	}
	return r.prefix() + keyspace.Hash(values...) + "/"
}

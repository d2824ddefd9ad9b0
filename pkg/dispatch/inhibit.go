package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
)

// InhibitRule keeps alerts that match the target quiet while one that matches
// the source fires and agrees with them in the equal labels: Alertmanager's
// `inhibit_rules`.
type InhibitRule struct {
	SourceMatchers []string `yaml:"source_matchers,omitempty"`
	TargetMatchers []string `yaml:"target_matchers,omitempty"`
	// Equal are labels; one that both lack is equal.
	Equal []string `yaml:"equal,omitempty"`
	// SourceMatch and its like are Alertmanager's older way to write matchers.
	SourceMatch   map[string]string          `yaml:"source_match,omitempty"`
	SourceMatchRE map[string]setting.Pattern `yaml:"source_match_re,omitempty"`
	TargetMatch   map[string]string          `yaml:"target_match,omitempty"`
	TargetMatchRE map[string]setting.Pattern `yaml:"target_match_re,omitempty"`
}

// Validate adds what is wrong with the rule to f.
func (c *InhibitRule) Validate(f *setting.Faults) {
	for key, texts := range map[string][]string{"source_matchers": c.SourceMatchers, "target_matchers": c.TargetMatchers} {
		validateMatchers(f.In(key), texts)
	}
}

// inhibition is the rules, ready to be asked.
//
// The store keeps, for each rule and each set of values of its equal labels, the
// alerts that are sources there: source/RULE/VALUES/FINGERPRINT. So a target
// looks at its own sources only, however many alerts there are.
type inhibitRules []inhibitRule

type inhibitRule struct {
	id             string
	source, target labels.Matchers
	equal          []string
}

// source is what is kept of an alert that is one.
type source struct {
	EndsAt time.Time `json:"endsAt,omitzero"`
	// Target tells that the alert matches the rule's target as well. Such a
	// source does not count for targets that are sources too: alerts that match
	// both sides do not keep each other quiet.
	Target bool `json:"target,omitempty"`
}

func newInhibition(rules []InhibitRule) (inhibitRules, error) {
	var in inhibitRules
	for _, c := range rules {
		s, err := allMatchers(c.SourceMatchers, c.SourceMatch, c.SourceMatchRE)
		if err != nil {
			return nil, err
		}
		t, err := allMatchers(c.TargetMatchers, c.TargetMatch, c.TargetMatchRE)
		if err != nil {
			return nil, err
		}
		r := inhibitRule{source: s, target: t, equal: c.Equal}
		r.id = digest(s.String(), t.String(), strings.Join(c.Equal, "\xff"))
		// A rule that is written twice is one: its sources lie at the same keys.
		if !slices.ContainsFunc(in, func(o inhibitRule) bool { return o.id == r.id }) {
			in = append(in, r)
		}
	}
	return in, nil
}

func matches(ms labels.Matchers, l alert.Labels) bool {
	for _, m := range ms {
		if !m.Matches(l[m.Name]) {
			return false
		}
	}
	return true
}

// prefix is where the sources lie that agree with l in the equal labels.
func (r *inhibitRule) prefix(l alert.Labels) string {
	values := make([]string, len(r.equal))
	for i, name := range r.equal {
		values[i] = l[name]
	}
	return "source/" + r.id + "/" + digest(values...) + "/"
}

// changes are the writes that make an alert, as it is now, a source of the rules
// that it matches, or no longer one.
func (in inhibitRules) changes(a *alert.Alert, fp alert.Fingerprint, now time.Time) ([]store.Change, error) {
	var changes []store.Change
	for i := range in {
		r := &in[i]
		if !matches(r.source, a.Labels) {
			continue
		}
		key := r.prefix(a.Labels) + fp.String()
		if a.ResolvedAt(now) {
			changes = append(changes, store.Change{Key: key, Delete: true})
			continue
		}
		c, err := put(key, source{EndsAt: a.EndsAt, Target: matches(r.target, a.Labels)})
		if err != nil {
			return nil, err
		}
		c.Expires = a.EndsAt // zero: as long as it fires
		changes = append(changes, c)
	}
	return changes, nil
}

// inhibitor answers for one moment; what it read of the store it reads once.
type inhibitor struct {
	rules inhibitRules
	store store.Store
	now   time.Time
	log   *slog.Logger

	mu      sync.Mutex
	sources map[string][]found
}

type found struct {
	fp string
	source
}

// by returns the fingerprint of an alert that keeps one with these labels quiet,
// "" for none. The first rule that has one decides, as in Alertmanager.
func (q *inhibitor) by(ctx context.Context, l alert.Labels) (string, error) {
	for i := range q.rules {
		r := &q.rules[i]
		if !matches(r.target, l) {
			continue
		}
		sources, err := q.list(ctx, r.prefix(l))
		if err != nil {
			return "", err
		}
		both := matches(r.source, l)
		for _, s := range sources {
			if !both || !s.Target {
				return s.fp, nil
			}
		}
	}
	return "", nil
}

// sourceLimit bounds the sources that are looked at for one set of labels: one
// that counts is enough.
const sourceLimit = 1000

func (q *inhibitor) list(ctx context.Context, prefix string) ([]found, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s, ok := q.sources[prefix]; ok {
		return s, nil
	}
	items, err := q.store.List(ctx, prefix, "", sourceLimit)
	if err != nil {
		return nil, err
	}
	var all []found
	for _, it := range items {
		f := found{fp: it.Key[len(prefix):]}
		if _, err := read(it, &f.source); err != nil {
			q.log.Error("cannot read a source of inhibition; it keeps nothing quiet", "key", it.Key, "err", err)
			continue
		}
		if f.EndsAt.IsZero() || f.EndsAt.After(q.now) {
			all = append(all, f)
		}
	}
	if q.sources == nil {
		q.sources = map[string][]found{}
	}
	q.sources[prefix] = all
	return all, nil
}

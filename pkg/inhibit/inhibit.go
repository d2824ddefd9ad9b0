// Package inhibit mutes alerts while others fire: Alertmanager's inhibition, on
// state that lives in a store.
//
// # Stored items
//
// For each rule, and each combination of values of its equal labels, the store
// holds the firing alerts that match the rule's source:
//
//	source/RULE/VALUES/FINGERPRINT  a firing alert that is a source of the rule
//	meta/inhibit_rules              the ids of the rules whose sources are stored
//
// So a lookup reads the sources of one combination, however many alerts there
// are. Sources are written in the commit that stores their alert
// ([Inhibitor.SourceChanges]); [Inhibitor.Sync] adds and removes them when the
// rules have changed. A source that cannot be read is logged and mutes nothing.
package inhibit

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/matcher"
	"tocsin/pkg/store"
)

// maxSources bounds the sources that are read for one rule and one combination of
// values; one that counts is enough.
const maxSources = 1000

// Inhibitor applies inhibition rules. It is safe for concurrent use, by any number
// of instances on one store.
type Inhibitor struct {
	store  store.Store
	rules  []rule
	synced atomic.Bool // the stored sources are those of the rules
	log    *slog.Logger
}

// New returns an Inhibitor for the rules, whose matchers must be valid.
func New(st store.Store, rules []Rule, log *slog.Logger) (*Inhibitor, error) {
	compiled, err := compile(rules)
	return &Inhibitor{store: st, rules: compiled, log: log}, err
}

// source is the stored value of a source.
type source struct {
	EndsAt time.Time `json:"endsAt,omitzero"`
	// Target reports that the alert matches the rule's target too. Such a source
	// does not inhibit targets that are sources as well: alerts that match both
	// sides do not inhibit each other.
	Target bool `json:"target,omitempty"`
}

// SourceChanges returns the changes that store a as a source of each rule whose
// source it matches, or that delete it there when it has ended at now. fp is a's
// fingerprint.
func (i *Inhibitor) SourceChanges(a *alert.Alert, fp alert.Fingerprint, now time.Time) ([]store.Change, error) {
	return sourceChanges(i.rules, a, fp, now)
}

func sourceChanges(rules []rule, a *alert.Alert, fp alert.Fingerprint, now time.Time) ([]store.Change, error) {
	var changes []store.Change
	for i := range rules {
		r := &rules[i]
		if !matcher.Matches(r.source, a.Labels) {
			continue
		}
		key := r.sourcePrefix(a.Labels) + fp.String()
		if a.ResolvedAt(now) {
			changes = append(changes, store.Change{Key: key, Delete: true})
			continue
		}
		c, err := store.Encode(key, source{EndsAt: a.EndsAt, Target: matcher.Matches(r.target, a.Labels)})
		if err != nil {
			return nil, err
		}
		c.Expires = a.EndsAt // zero for an alert without an end
		changes = append(changes, c)
	}
	return changes, nil
}

// At returns the inhibitions at now. It reads nothing yet.
func (i *Inhibitor) At(now time.Time) *Snapshot {
	return &Snapshot{inhibitor: i, now: now, sources: map[string][]firingSource{}}
}

// Snapshot answers for one point in time. It reads each set of sources at most
// once, when first asked for it. It is safe for concurrent use.
type Snapshot struct {
	inhibitor *Inhibitor
	now       time.Time

	mu      sync.Mutex
	sources map[string][]firingSource // by prefix of their keys
}

type firingSource struct {
	fingerprint string
	source
}

// InhibitedBy returns the fingerprint of an alert that inhibits those with labels
// l, or "" if there is none. As in Alertmanager the first rule with a source
// decides.
func (s *Snapshot) InhibitedBy(ctx context.Context, l alert.Labels) (fingerprint string, err error) {
	for i := range s.inhibitor.rules {
		r := &s.inhibitor.rules[i]
		if !matcher.Matches(r.target, l) {
			continue
		}
		sources, err := s.read(ctx, r.sourcePrefix(l))
		if err != nil {
			return "", err
		}
		isSource := matcher.Matches(r.source, l)
		for _, src := range sources {
			if !isSource || !src.Target {
				return src.fingerprint, nil
			}
		}
	}
	return "", nil
}

func (s *Snapshot) read(ctx context.Context, prefix string) ([]firingSource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sources, ok := s.sources[prefix]; ok {
		return sources, nil
	}
	items, err := s.inhibitor.store.List(ctx, prefix, "", maxSources)
	if err != nil {
		return nil, err
	}
	var firing []firingSource
	for _, it := range items {
		src := firingSource{fingerprint: it.Key[len(prefix):]}
		if _, err := store.Decode(it, &src.source); err != nil {
			s.inhibitor.log.Error("cannot read a source of inhibition; it mutes nothing", "key", it.Key, "err", err)
			continue
		}
		if src.EndsAt.IsZero() || src.EndsAt.After(s.now) {
			firing = append(firing, src)
		}
	}
	s.sources[prefix] = firing
	return firing, nil
}

// Package inhibit mutes alerts while others fire: Alertmanager's inhibition, on
// state that lives in a store.
//
// # Stored items
//
// For each rule, and each combination of values of its equal labels, the store
// holds the firing alerts that match the rule's source:
//
//	source/RULE/VALUES/SIDES/FINGERPRINT  a firing alert that is a source of the rule
//	meta/inhibit_rules                    the ids of the rules whose sources are stored
//
// SIDES is 1, or 2 if the alert matches the rule's target too: alerts that match both
// sides do not inhibit each other. So a look-up reads only sources that can inhibit, up
// to the first that fires, however many alerts there are. While there are few sources,
// all look-ups of a flush share one read. Sources are written in the commit that stores
// their alert
// ([Inhibitor.SourceChanges]); [Inhibitor.Sync] adds and removes them when the
// rules have changed. A source that cannot be read is logged and mutes nothing.
package inhibit

import (
	"context"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/matcher"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// lookupSize is the number of sources that are read at a time.
const lookupSize = 200

// Inhibitor applies inhibition rules. It is safe for concurrent use, by any number
// of instances on one store.
type Inhibitor struct {
	store  store.Store
	rules  *ruleSet
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
	EndsAt    time.Time `json:"endsAt,omitzero"`
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
}

// sourceRetention is how long a source whose alert has ended is kept, unless it is
// deleted before, with the alert: its end may turn out to be later.
const sourceRetention = 30 * 24 * time.Hour

// SourceChanges returns the changes that store a as a source of each rule whose
// source it matches, or that delete it there when it has ended at now. fp is a's
// fingerprint.
func (i *Inhibitor) SourceChanges(a *alert.Alert, fp alert.Fingerprint, now time.Time) ([]store.Change, error) {
	return i.rules.sourceChanges(a, fp, now)
}

func (rs *ruleSet) sourceChanges(a *alert.Alert, fp alert.Fingerprint, now time.Time) ([]store.Change, error) {
	var changes []store.Change
	for _, i := range rs.sources.Matching(a.Labels) {
		r := rs.rules[i]
		sides := oneSide
		if matcher.Matches(r.target, a.Labels) {
			sides = bothSides
		}
		key := r.valuesPrefix(a.Labels) + sides + fp.String()
		if a.ResolvedAt(now) {
			changes = append(changes, store.Change{Key: key, Delete: true})
			continue
		}
		c, err := store.Encode(key, source{a.EndsAt, a.UpdatedAt})
		if err != nil {
			return nil, err
		}
		if !a.EndsAt.IsZero() {
			c.Expires = a.EndsAt.Add(sourceRetention)
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// At returns the inhibitions at now. It reads nothing yet. end returns when an alert
// ends that was received at a time with an end.
func (i *Inhibitor) At(now time.Time, end func(received, end time.Time) time.Time) *Snapshot {
	return &Snapshot{inhibitor: i, now: now, end: end, read: map[string]*sources{}}
}

// Snapshot answers for one point in time. It reads each set of sources at most
// once, when first asked for it. It is safe for concurrent use.
type Snapshot struct {
	inhibitor *Inhibitor
	now       time.Time
	end       func(received, end time.Time) time.Time

	mu   sync.Mutex
	read map[string]*sources // by prefix of their keys
}

// sources are those whose keys begin with one prefix.
type sources struct {
	mu       sync.Mutex
	done     bool // they were read
	complete bool // all of them
	// first is the fingerprint of a source that fires, by the prefixes of its key.
	first map[string]string
}

// InhibitedBy returns the fingerprint of an alert that inhibits those with labels
// l, or "" if there is none. As in Alertmanager the first rule with a source
// decides.
func (s *Snapshot) InhibitedBy(ctx context.Context, l alert.Labels) (fingerprint string, err error) {
	rules := s.inhibitor.rules
	for _, i := range rules.targets.Matching(l) {
		r := rules.rules[i]
		prefix := r.valuesPrefix(l)
		if matcher.Matches(r.source, l) {
			prefix += oneSide
		}
		if fingerprint, err = s.find(ctx, r, prefix); fingerprint != "" || err != nil {
			return fingerprint, err
		}
	}
	return "", nil
}

// find returns the fingerprint of a firing source of the rule whose key begins with
// prefix. As long as they are few, it reads all sources, or all of the rule.
func (s *Snapshot) find(ctx context.Context, r *rule, prefix string) (fingerprint string, err error) {
	for _, few := range []string{keyspace.Source, r.prefix()} {
		found, err := s.sources(few, func(found *sources) error { return s.readFew(ctx, few, found) })
		if err != nil || found.complete {
			return found.first[prefix], err
		}
	}
	found, err := s.sources(prefix, func(found *sources) error { return s.readUntilFiring(ctx, prefix, found) })
	return found.first[prefix], err
}

// sources returns the sources whose keys begin with prefix, which read adds if nobody
// has yet.
func (s *Snapshot) sources(prefix string, read func(*sources) error) (*sources, error) {
	s.mu.Lock()
	found := s.read[prefix]
	if found == nil {
		found = &sources{first: map[string]string{}}
		s.read[prefix] = found
	}
	s.mu.Unlock()
	found.mu.Lock()
	defer found.mu.Unlock()
	if found.done {
		return found, nil
	}
	err := read(found)
	found.done = err == nil
	return found, err
}

// readFew reads the sources if they fit into one read.
func (s *Snapshot) readFew(ctx context.Context, prefix string, found *sources) error {
	items, err := s.inhibitor.store.List(ctx, prefix, "", lookupSize)
	if err != nil {
		return err
	}
	if found.complete = len(items) < lookupSize; found.complete {
		s.add(found, items)
	}
	return nil
}

// readUntilFiring reads the sources up to one that fires.
func (s *Snapshot) readUntilFiring(ctx context.Context, prefix string, found *sources) error {
	for page, err := range store.Pages(ctx, s.inhibitor.store, prefix, lookupSize) {
		if err != nil {
			return err
		}
		if s.add(found, page); found.first[prefix] != "" {
			break
		}
	}
	return nil
}

// add adds those of the items that fire.
func (s *Snapshot) add(found *sources, items []store.Item) {
	for _, it := range items {
		var src source
		if _, err := store.Decode(it, &src); err != nil {
			s.inhibitor.log.Error("cannot read a source of inhibition; it mutes nothing", "key", it.Key, "err", err)
			continue
		}
		if !src.EndsAt.IsZero() && !s.end(src.UpdatedAt, src.EndsAt).After(s.now) {
			continue
		}
		sides, fingerprint := path.Split(it.Key)
		values := sides[:len(sides)-len(oneSide)]
		for _, prefix := range []string{sides, values} {
			if found.first[prefix] == "" {
				found.first[prefix] = fingerprint
			}
		}
	}
}

package lag

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/lag/trend"
)

// ClusterState is the state of a cluster between polls: its pending and firing
// alerts and its failed polls. Its size follows the number of alerts, not the size
// of the cluster. A nil ClusterState is an empty one. Evaluators do not modify the
// states they are given.
type ClusterState struct {
	// Rules has the pending and firing alerts by rule.
	Rules []RuleAlerts `json:"rules,omitempty"`
	// Failures are the failed polls of the whole cluster, GroupFailures those of
	// single groups.
	Failures      PollFailures            `json:"failure,omitzero"`
	GroupFailures map[string]PollFailures `json:"groups,omitempty"`
	// Nothing counts polls in a row in which a pattern of the cluster's groups matched
	// none; the key wholeCluster is any group.
	Nothing map[string]PollFailures `json:"nothing,omitempty"`
	// Unsubscribed are the topics, by group, from which the group has unsubscribed.
	Unsubscribed map[string][]string `json:"unsubscribed,omitempty"`
	// AlertPolls counts the polls with alerts. It makes every such poll change the
	// state, so that the commits of two concurrent ones conflict. The Watcher
	// maintains it.
	AlertPolls uint64 `json:"told,omitempty"`
}

// RuleAlerts are the active alerts of one rule. They include its identity, so that
// they can be ended when the rule is gone.
type RuleAlerts struct {
	Rule   RuleID       `json:"rule"`
	Topics activeAlerts `json:"topics"`
}

// activeAlerts are active alerts by consumer group, then topic.
type activeAlerts map[string]map[string]ActiveAlert

func (a activeAlerts) set(group, topic string, active ActiveAlert) {
	if a[group] == nil {
		a[group] = map[string]ActiveAlert{}
	}
	a[group][topic] = active
}

// RuleID identifies a rule by everything that identifies its alerts. A changed
// threshold does not change it.
type RuleID struct {
	Alert         string            `json:"alert"`
	Cluster       string            `json:"cluster,omitempty"`
	ConsumerGroup string            `json:"consumer_group,omitempty"`
	Topic         string            `json:"topic,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	// Occurrence is the number of earlier rules with the same identity.
	Occurrence int `json:"repeated,omitempty"`
}

// ActiveAlert is a pending or firing alert of a topic. The zero value is an inactive
// one.
type ActiveAlert struct {
	// Since is when the conditions were first met.
	Since  time.Time `json:"since"`
	Firing bool      `json:"firing,omitempty"`
	// Status is the last known one that the rule is about, of a rule with Status.
	Status trend.State `json:"status,omitempty"`
	// Lost is the most messages that were found deleted unread at a poll, and LostAt
	// the last such poll, of a rule with Lost.
	Lost   int64     `json:"lost,omitempty"`
	LostAt time.Time `json:"lost_at,omitzero"`
}

// PollFailures are failed polls in a row.
type PollFailures struct {
	// Polls is their number, counted up to the number that fires.
	Polls int       `json:"polls"`
	Since time.Time `json:"since"`
}

func (f PollFailures) firing() bool { return f.Polls >= firingPolls }

// ErrNewerState is the error of a state that a newer version of Tocsin has written.
// It must not be overwritten.
var ErrNewerState = errors.New("the stored state was written by a newer version of Tocsin: deploy that version again, or delete the key to start over")

const (
	stateVersion = 1
	// A store takes values of up to 1 MiB. A state above compressAbove is
	// compressed, to about a tenth.
	compressAbove = 256 << 10
	// maxState bounds a decompressed state.
	maxState = 64 << 20
)

// document is the stored form of a state.
type document struct {
	Version int `json:"version"`
	ClusterState
}

// maxClockSkew is how far the clocks of instances may differ.
const maxClockSkew = time.Minute

// correct replaces times of a clock that was ahead by now.
func (s *ClusterState) correct(now time.Time) {
	if s == nil {
		return
	}
	if s.Failures.Since.Sub(now) > maxClockSkew {
		s.Failures.Since = now
	}
	for group, f := range s.GroupFailures {
		if f.Since.Sub(now) > maxClockSkew {
			f.Since = now
			s.GroupFailures[group] = f
		}
	}
	for pattern, f := range s.Nothing {
		if f.Since.Sub(now) > maxClockSkew {
			f.Since = now
			s.Nothing[pattern] = f
		}
	}
	for _, r := range s.Rules {
		for _, topics := range r.Topics {
			for topic, a := range topics {
				if a.Since.Sub(now) > maxClockSkew {
					a.Since = now
				}
				if a.LostAt.Sub(now) > maxClockSkew {
					a.LostAt = now
				}
				topics[topic] = a
			}
		}
	}
}

// Encode returns the stored form of the state. Equal states have equal forms.
func (s *ClusterState) Encode() ([]byte, error) {
	if s == nil {
		s = &ClusterState{}
	}
	data, err := json.Marshal(document{Version: stateVersion, ClusterState: *s})
	if err != nil || len(data) <= compressAbove {
		return data, err
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if _, err := zip.Write(data); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// DecodeState decodes a state from its stored form; from no bytes, a nil state. It
// returns ErrNewerState for the form of a newer version.
func DecodeState(data []byte) (*ClusterState, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		zip, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("decompress state: %w", err)
		}
		if data, err = io.ReadAll(io.LimitReader(zip, maxState)); err != nil {
			return nil, fmt.Errorf("decompress state: %w", err)
		}
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, fmt.Errorf("decode state: %w", err)
	}
	switch {
	case version.Version > stateVersion:
		return nil, ErrNewerState
	case version.Version < 1:
		return nil, errors.New("decode state: it has no version")
	}
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("decode state: %w", err)
	}
	return &doc.ClusterState, nil
}

// topics returns the active alerts of the rule with a key.
func (s *ClusterState) topics(rule string) activeAlerts {
	if s == nil {
		return nil
	}
	for i := range s.Rules {
		if s.Rules[i].Rule.key() == rule {
			return s.Rules[i].Topics
		}
	}
	return nil
}

// eachTopic calls do for every group and topic in the state; topic is "" for a group
// that could not be read.
func (s *ClusterState) eachTopic(do func(group, topic string)) {
	if s == nil {
		return
	}
	for _, rule := range s.Rules {
		for group, topics := range rule.Topics {
			for topic := range topics {
				do(group, topic)
			}
		}
	}
	for group := range s.GroupFailures {
		do(group, "")
	}
}

// empty reports whether the state need not be stored.
func (s *ClusterState) empty() bool {
	return len(s.Rules) == 0 && s.Failures == PollFailures{} && len(s.GroupFailures) == 0 && len(s.Nothing) == 0 && len(s.Unsubscribed) == 0
}

// firing returns how many alerts fire.
func (s *ClusterState) firing() int {
	n := 0
	if s.Failures.firing() {
		n++
	}
	for _, f := range s.GroupFailures {
		if f.firing() {
			n++
		}
	}
	if _, since := s.nothing(); !since.IsZero() {
		n++
	}
	for _, rule := range s.Rules {
		for _, topics := range rule.Topics {
			for _, a := range topics {
				if a.Firing {
					n++
				}
			}
		}
	}
	return n
}

// key returns the identity as a string.
func (id RuleID) key() string {
	parts := []string{strconv.Itoa(id.Occurrence), id.Alert, id.Cluster, id.ConsumerGroup, id.Topic}
	for _, name := range sortedKeys(id.Labels) {
		parts = append(parts, name, id.Labels[name])
	}
	return strings.Join(parts, "\xff")
}

// withEnded returns s with the alerts that have ended since old still firing. It is
// the state to store until the ends of those alerts have been ingested.
func (s *ClusterState) withEnded(old *ClusterState) *ClusterState {
	if old == nil {
		return s
	}
	kept := &ClusterState{Rules: slices.Clone(s.Rules), Failures: s.Failures, GroupFailures: maps.Clone(s.GroupFailures), Nothing: s.Nothing, Unsubscribed: s.Unsubscribed, AlertPolls: s.AlertPolls}
	if old.Failures.firing() && !s.Failures.firing() {
		kept.Failures = old.Failures
	}
	_, before := old.nothing()
	if _, since := s.nothing(); since.IsZero() && !before.IsZero() {
		kept.Nothing = old.Nothing
	}
	for group, f := range old.GroupFailures {
		if f.firing() && !s.GroupFailures[group].firing() {
			kept.setGroupFailures(group, f)
		}
	}
	for _, rule := range old.Rules {
		now := s.topics(rule.Rule.key())
		ended := activeAlerts{}
		for group, topics := range rule.Topics {
			for topic, a := range topics {
				if a.Firing && !now[group][topic].Firing {
					ended.set(group, topic, a)
				}
			}
		}
		if len(ended) > 0 {
			kept.mergeTopics(rule.Rule, ended)
		}
	}
	return kept
}

// mergeTopics adds alerts to those of a rule, whose maps may be shared.
func (s *ClusterState) mergeTopics(id RuleID, add activeAlerts) {
	i := slices.IndexFunc(s.Rules, func(r RuleAlerts) bool { return r.Rule.key() == id.key() })
	if i < 0 {
		s.Rules = append(s.Rules, RuleAlerts{Rule: id, Topics: add})
		return
	}
	topics := maps.Clone(s.Rules[i].Topics)
	for group, alerts := range add {
		topics[group] = maps.Clone(topics[group])
		for topic, a := range alerts {
			topics.set(group, topic, a)
		}
	}
	s.Rules[i].Topics = topics
}

// setUnsubscribed records the topics from which a group has unsubscribed.
func (s *ClusterState) setUnsubscribed(group string, topics []string) {
	if len(topics) == 0 {
		return
	}
	if s.Unsubscribed == nil {
		s.Unsubscribed = map[string][]string{}
	}
	s.Unsubscribed[group] = slices.Sorted(slices.Values(topics))
}

// setGroupFailures records the failed polls of a group.
func (s *ClusterState) setGroupFailures(group string, f PollFailures) {
	if f == (PollFailures{}) {
		return
	}
	if s.GroupFailures == nil {
		s.GroupFailures = map[string]PollFailures{}
	}
	s.GroupFailures[group] = f
}

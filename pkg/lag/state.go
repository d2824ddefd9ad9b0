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
)

// State is what is remembered of a cluster between polls: what is over its
// limit, and which reads failed. It is as large as the trouble, not as the
// cluster. A nil State remembers nothing. Judge changes no State that it was
// given.
type ClusterState struct {
	// Rules holds what is pending or firing, by rule.
	Rules []RuleAlerts `json:"rules,omitempty"`
	// Failure counts the polls of the whole cluster that failed in a row,
	// Groups those of single groups.
	Failures      PollFailures            `json:"failure,omitzero"`
	GroupFailures map[string]PollFailures `json:"groups,omitempty"`
	// Unsubscribed names, by group, the topics that nobody in it reads any more.
	Unsubscribed map[string][]string `json:"unsubscribed,omitempty"`
	// Told counts the polls that handed alerts on. The Watcher keeps it: such a
	// poll always changes the state, so that of two at the same time one is
	// found to be too late.
	AlertPolls uint64 `json:"told,omitempty"`
}

// RuleState is what is over one rule's limit. It names the rule by what makes
// its alerts, so that they can be ended when the rule is gone.
type RuleAlerts struct {
	Rule RuleID `json:"rule"`
	// Topics is by consumer group, then topic.
	Topics map[string]map[string]ActiveAlert `json:"topics"`
}

// RuleID tells rules apart: one that differs in it is another rule. A new limit
// makes no new rule.
type RuleID struct {
	Alert         string            `json:"alert"`
	Cluster       string            `json:"cluster,omitempty"`
	ConsumerGroup string            `json:"consumer_group,omitempty"`
	Topic         string            `json:"topic,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	// Repeated is how many rules before it are the same.
	Occurrence int `json:"repeated,omitempty"`
}

// Entry is a topic that is over the limit: pending, or firing. The zero Entry is
// a topic that is not.
type ActiveAlert struct {
	// Since is the first poll that saw it over the limit.
	Since  time.Time `json:"since"`
	Firing bool      `json:"firing,omitempty"`
}

// Failure is a run of polls that failed.
type PollFailures struct {
	// Polls is how many failed in a row; it is not counted beyond 2, at which
	// the alert fires.
	Polls int       `json:"polls"`
	Since time.Time `json:"since"`
}

func (f PollFailures) firing() bool { return f.Polls >= 2 }

// ErrNewerState says that the state was written by a later version of Tocsin.
// It must not be overwritten.
var ErrNewerState = errors.New("the stored state was written by a newer version of Tocsin: deploy that version again, or delete the key to start anew")

const (
	stateVersion = 1
	// A store holds values of up to 1 MiB. State above largeState is
	// compressed, which makes it about ten times smaller.
	largeState = 256 << 10
	// maxState bounds what is decompressed.
	maxState = 64 << 20
)

type document struct {
	Version int `json:"version"`
	ClusterState
}

// Encode returns the state as it is stored. Equal states give equal bytes.
func (s *ClusterState) Encode() ([]byte, error) {
	if s == nil {
		s = &ClusterState{}
	}
	data, err := json.Marshal(document{Version: stateVersion, ClusterState: *s})
	if err != nil || len(data) <= largeState {
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

// DecodeState reads what Encode wrote; no bytes are a nil State. It returns
// ErrNewerState for what a later version wrote.
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

// topics returns what is known of a rule, by group and topic.
func (s *ClusterState) topics(rule string) map[string]map[string]ActiveAlert {
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

// empty tells that there is nothing to remember.
func (s *ClusterState) empty() bool {
	return len(s.Rules) == 0 && s.Failures == PollFailures{} && len(s.GroupFailures) == 0 && len(s.Unsubscribed) == 0
}

// firing is how many alerts fire.
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
	for _, rule := range s.Rules {
		for _, topics := range rule.Topics {
			for _, e := range topics {
				if e.Firing {
					n++
				}
			}
		}
	}
	return n
}

// key is the identity as one text.
func (id RuleID) key() string {
	parts := []string{strconv.Itoa(id.Occurrence), id.Alert, id.Cluster, id.ConsumerGroup, id.Topic}
	for _, name := range sortedKeys(id.Labels) {
		parts = append(parts, name, id.Labels[name])
	}
	return strings.Join(parts, "\xff")
}

// holding returns s with everything that fires in old and no more in s still
// firing: the state to keep until the ends of those alerts have been told.
func (s *ClusterState) holding(old *ClusterState) *ClusterState {
	if old == nil {
		return s
	}
	held := &ClusterState{Rules: slices.Clone(s.Rules), Failures: s.Failures, GroupFailures: maps.Clone(s.GroupFailures), Unsubscribed: s.Unsubscribed, AlertPolls: s.AlertPolls}
	if old.Failures.firing() && !s.Failures.firing() {
		held.Failures = old.Failures
	}
	for group, f := range old.GroupFailures {
		if f.firing() && !s.GroupFailures[group].firing() {
			if held.GroupFailures == nil {
				held.GroupFailures = map[string]PollFailures{}
			}
			held.GroupFailures[group] = f
		}
	}
	for _, rule := range old.Rules {
		now := s.topics(rule.Rule.key())
		ended := map[string]map[string]ActiveAlert{}
		for group, topics := range rule.Topics {
			for topic, e := range topics {
				if e.Firing && !now[group][topic].Firing {
					put(ended, group, topic, e)
				}
			}
		}
		if len(ended) > 0 {
			held.merge(rule.Rule, ended)
		}
	}
	return held
}

// merge adds entries to a rule's, whose maps may be shared.
func (s *ClusterState) merge(id RuleID, add map[string]map[string]ActiveAlert) {
	i := slices.IndexFunc(s.Rules, func(r RuleAlerts) bool { return r.Rule.key() == id.key() })
	if i < 0 {
		s.Rules = append(s.Rules, RuleAlerts{Rule: id, Topics: add})
		return
	}
	topics := maps.Clone(s.Rules[i].Topics)
	for group, entries := range add {
		topics[group] = maps.Clone(topics[group])
		for topic, e := range entries {
			put(topics, group, topic, e)
		}
	}
	s.Rules[i].Topics = topics
}

func put(topics map[string]map[string]ActiveAlert, group, topic string, e ActiveAlert) {
	if topics[group] == nil {
		topics[group] = map[string]ActiveAlert{}
	}
	topics[group][topic] = e
}

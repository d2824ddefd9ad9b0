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
type State struct {
	// Rules holds what is pending or firing, by rule.
	Rules []RuleState `json:"rules,omitempty"`
	// Failure counts the polls of the whole cluster that failed in a row,
	// Groups those of single groups.
	Failure Failure            `json:"failure,omitzero"`
	Groups  map[string]Failure `json:"groups,omitempty"`
	// Unsubscribed names, by group, the topics that nobody in it reads any more.
	Unsubscribed map[string][]string `json:"unsubscribed,omitempty"`
	// Told counts the polls that handed alerts on. The Watcher keeps it: such a
	// poll always changes the state, so that of two at the same time one is
	// found to be too late.
	Told uint64 `json:"told,omitempty"`
}

// RuleState is what is over one rule's limit. It names the rule by what makes
// its alerts, so that they can be ended when the rule is gone.
type RuleState struct {
	Rule RuleID `json:"rule"`
	// Topics is by consumer group, then topic.
	Topics map[string]map[string]Entry `json:"topics"`
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
	Repeated int `json:"repeated,omitempty"`
}

// Entry is a topic that is over the limit: pending, or firing. The zero Entry is
// a topic that is not.
type Entry struct {
	// Since is the first poll that saw it over the limit.
	Since  time.Time `json:"since"`
	Firing bool      `json:"firing,omitempty"`
}

// Failure is a run of polls that failed.
type Failure struct {
	// Polls is how many failed in a row; it is not counted beyond 2, at which
	// the alert fires.
	Polls int       `json:"polls"`
	Since time.Time `json:"since"`
}

func (f Failure) firing() bool { return f.Polls >= 2 }

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
	State
}

// Encode returns the state as it is stored. Equal states give equal bytes.
func (s *State) Encode() ([]byte, error) {
	if s == nil {
		s = &State{}
	}
	data, err := json.Marshal(document{Version: stateVersion, State: *s})
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
func DecodeState(data []byte) (*State, error) {
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
	return &doc.State, nil
}

// topics returns what is known of a rule, by group and topic.
func (s *State) topics(rule string) map[string]map[string]Entry {
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
func (s *State) empty() bool {
	return len(s.Rules) == 0 && s.Failure == Failure{} && len(s.Groups) == 0 && len(s.Unsubscribed) == 0
}

// firing is how many alerts fire.
func (s *State) firing() int {
	n := 0
	if s.Failure.firing() {
		n++
	}
	for _, f := range s.Groups {
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
	parts := []string{strconv.Itoa(id.Repeated), id.Alert, id.Cluster, id.ConsumerGroup, id.Topic}
	for _, name := range sortedKeys(id.Labels) {
		parts = append(parts, name, id.Labels[name])
	}
	return strings.Join(parts, "\xff")
}

// holding returns s with everything that fires in old and no more in s still
// firing: the state to keep until the ends of those alerts have been told.
func (s *State) holding(old *State) *State {
	if old == nil {
		return s
	}
	held := &State{Rules: slices.Clone(s.Rules), Failure: s.Failure, Groups: maps.Clone(s.Groups), Unsubscribed: s.Unsubscribed, Told: s.Told}
	if old.Failure.firing() && !s.Failure.firing() {
		held.Failure = old.Failure
	}
	for group, f := range old.Groups {
		if f.firing() && !s.Groups[group].firing() {
			if held.Groups == nil {
				held.Groups = map[string]Failure{}
			}
			held.Groups[group] = f
		}
	}
	for _, rule := range old.Rules {
		now := s.topics(rule.Rule.key())
		ended := map[string]map[string]Entry{}
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
func (s *State) merge(id RuleID, add map[string]map[string]Entry) {
	i := slices.IndexFunc(s.Rules, func(r RuleState) bool { return r.Rule.key() == id.key() })
	if i < 0 {
		s.Rules = append(s.Rules, RuleState{Rule: id, Topics: add})
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

func put(topics map[string]map[string]Entry, group, topic string, e Entry) {
	if topics[group] == nil {
		topics[group] = map[string]Entry{}
	}
	topics[group][topic] = e
}

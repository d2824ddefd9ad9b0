package lag

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// scripted is a reader that can tell everything, from what a test writes down.
type scripted struct {
	groups []Group
	err    error // of the list of groups: a part is missing
	// states are what groups do; one that is not in it has members. With denied,
	// nobody can tell.
	states       map[string]string
	unsubscribed map[string][]string // by group
	denied       error
	// oldest is when the oldest unread message was written, by group/topic/id;
	// blind is why nobody can tell.
	oldest map[string]time.Time
	blind  string

	asked []string // what was asked for beside the lag, in order
}

func (s *scripted) Read(context.Context) (*Snapshot, error) {
	snap := &Snapshot{Complete: s.err == nil, Err: s.err}
	for _, g := range s.groups {
		fresh := g
		fresh.Topics = nil
		for _, t := range g.Topics {
			t.Partitions = append([]Partition(nil), t.Partitions...)
			fresh.Topics = append(fresh.Topics, t)
		}
		snap.Groups = append(snap.Groups, fresh)
	}
	return snap, nil
}

func (s *scripted) Describe(_ context.Context, groups []Group) error {
	for i := range groups {
		g := &groups[i]
		s.asked = append(s.asked, "who "+g.Name)
		if s.denied != nil {
			continue
		}
		g.State = "Stable"
		if state := s.states[g.Name]; state != "" {
			g.State = state
		}
		if g.State == "Stable" {
			g.Members = []Member{{ClientID: "a"}}
		}
		for t := range g.Topics {
			for _, name := range s.unsubscribed[g.Name] {
				g.Topics[t].Unsubscribed = g.Topics[t].Unsubscribed || g.Topics[t].Name == name
			}
		}
	}
	return s.denied
}

func (s *scripted) CountOlder(_ context.Context, now time.Time, rows []GroupPartition, thresholds []time.Duration) [][]OlderCount {
	out := make([][]OlderCount, len(rows))
	for i, r := range rows {
		for _, limit := range thresholds {
			s.asked = append(s.asked, fmt.Sprintf("older %s %v", row(r), limit))
			o := OlderCount{Known: s.blind == "", Reason: s.blind}
			if o.Known && now.Sub(s.oldest[row(r)]) > limit {
				o.Messages = r.Lag
			}
			out[i] = append(out[i], o)
		}
	}
	return out
}

func (s *scripted) ReadAges(_ context.Context, now time.Time, rows []GroupPartition, allowed int64, within time.Duration) []Age {
	out := make([]Age, len(rows))
	for i, r := range rows {
		s.asked = append(s.asked, fmt.Sprintf("age %s %d %v", row(r), allowed, within))
		age := now.Sub(s.oldest[row(r)])
		out[i] = Age{AtLeast: age - within/2, AtMost: age + within/2, Known: s.blind == "", Reason: s.blind}
	}
	return out
}

func row(r GroupPartition) string { return fmt.Sprintf("%s/%s/%d", r.Group, r.Topic, r.ID) }

// heard returns what was asked since it was last called.
func (s *scripted) heard() string {
	defer func() { s.asked = nil }()
	return strings.Join(s.asked, ", ")
}

// part is a partition by its commit and its end.
func part(id int32, commit, end int64) Partition {
	return Partition{ID: id, Committed: commit, End: end, Lag: end - commit, Known: true}
}

// of is a complete group with one topic t.
func of(name string, partitions ...Partition) Group {
	return whole(name, Topic{Name: "t", Partitions: partitions})
}

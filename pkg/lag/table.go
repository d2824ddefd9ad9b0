package lag

import (
	"cmp"
	"slices"
	"time"
)

// Status is how a topic stands against the rules.
type Status string

const (
	OK      Status = "ok"
	Pending Status = "pending" // over the limit, but not yet for long enough
	Firing  Status = "firing"
	Unknown Status = "unknown" // none of its partitions is known
)

// rank orders statuses by how much they ask for.
func (s Status) rank() int { return slices.Index([]Status{OK, Unknown, Pending, Firing}, s) }

// Line is one topic of one group as of now, or a group that could not be read.
type Line struct {
	Cluster string `json:"cluster"`
	Group   string `json:"consumer_group"`
	// Topic is "" for a group that could not be read to its end; Err says why.
	Topic string `json:"topic,omitempty"`
	// Lag is the sum of the known partitions, in messages; nil when none is.
	Lag *int64 `json:"lag"`
	// Threshold is max_lag of the rule that decides the status; nil when no rule
	// is for this topic.
	Threshold *int64 `json:"threshold"`
	// Worst is the partition furthest behind; nil when none is behind.
	Worst *int32 `json:"worst_partition,omitempty"`
	// Unknown is how many partitions are left out of the lag, and Reason why
	// the first of them is.
	Unknown int    `json:"unknown_partitions,omitempty"`
	Reason  string `json:"reason,omitempty"`
	State   Status `json:"state"`
	Err     error  `json:"-"`
}

// Table tells how every topic of a snapshot stands, ordered by group and topic.
// Of several rules for one topic, that decides which is furthest gone, and of
// equal ones the one with the lowest limit. state is what the last poll
// remembered; with nil, what has a `for` is pending at most.
func Table(cfg *Config, cluster string, snap *Snapshot, state *State, now time.Time) []Line {
	j := NewJudge(cfg.Rules, cluster, "")
	before := make([]map[string]map[string]Entry, len(j.rules))
	for i := range j.rules {
		before[i] = state.topics(j.rules[i].key)
	}
	var lines []Line
	for i := range snap.Groups {
		g := &snap.Groups[i]
		for t := range g.Topics {
			lines = append(lines, j.line(before, g.Name, &g.Topics[t], now))
		}
		if g.Err != nil {
			lines = append(lines, Line{Cluster: cluster, Group: g.Name, State: Unknown, Err: g.Err})
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic))
	})
	return lines
}

func (j *Judge) line(before []map[string]map[string]Entry, group string, topic *Topic, now time.Time) Line {
	seen := sum(topic.Partitions)
	l := Line{Cluster: j.cluster, Group: group, Topic: topic.Name, Unknown: seen.unknown, State: OK}
	if seen.known > 0 {
		l.Lag = &seen.lag
	} else {
		l.State = Unknown
	}
	if w := worst(topic.Partitions); len(w) > 0 {
		l.Worst = &w[0].ID
	}
	if i := slices.IndexFunc(topic.Partitions, func(p Partition) bool { return !p.Known }); i >= 0 {
		l.Reason = topic.Partitions[i].Reason
	}
	for i := range j.rules {
		r := &j.rules[i]
		if !r.Match.ConsumerGroup.Match(group) || !r.Match.Topic.Match(topic.Name) {
			continue
		}
		status := l.State
		if seen.known > 0 {
			status = r.advance(before[i][group][topic.Name], seen, now).status()
		}
		if l.Threshold == nil || status.rank() > l.State.rank() || status == l.State && *r.MaxLag < *l.Threshold {
			l.State, l.Threshold = status, r.MaxLag
		}
	}
	return l
}

func (e Entry) status() Status {
	switch {
	case e.Firing:
		return Firing
	case e.Since.IsZero():
		return OK
	default:
		return Pending
	}
}

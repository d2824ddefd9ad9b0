package lag

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
)

// Status is how a topic stands against the rules.
type AlertState string

const (
	StateOK      AlertState = "ok"
	StatePending AlertState = "pending" // over the limit, but not yet for long enough
	StateFiring  AlertState = "firing"
	StateUnknown AlertState = "unknown" // none of its partitions is known
)

// rank orders statuses by how much they ask for.
func (s AlertState) rank() int {
	return slices.Index([]AlertState{StateOK, StateUnknown, StatePending, StateFiring}, s)
}

// Line is one topic of one group as of now, or a group that could not be read.
type TableRow struct {
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
	WorstPartition *int32 `json:"worst_partition,omitempty"`
	// Unknown is how many partitions are left out of the lag, and Reason why
	// the first of them is.
	UnknownPartitions int        `json:"unknown_partitions,omitempty"`
	Reason            string     `json:"reason,omitempty"`
	AlertState        AlertState `json:"state"`
	// Rule is the alert of the rule that decides the state.
	Rule string `json:"rule,omitempty"`
	Progress
	// Source is by which of its two ways the cluster was read.
	Source string `json:"source,omitempty"`
	// Unsubscribed tells that nobody in the group reads the topic any more, so
	// that no rule is for it.
	Unsubscribed bool  `json:"unsubscribed,omitempty"`
	Err          error `json:"-"`
}

// Moves is how a topic's lag moves, as far as that is known.
type Progress struct {
	// Delay is the age of the oldest unread message, at least, in seconds.
	Delay *int64 `json:"delay"`
	// Status is the worst state of a partition; "" while unknown.
	Status trend.State `json:"status,omitempty"`
	// GrowingFor is for how long the lag has grown, in seconds.
	GrowingFor int64 `json:"growing_for,omitempty"`
	// RateIn and RateOut are messages per second.
	RateIn  *float64 `json:"rate_in"`
	RateOut *float64 `json:"rate_out"`
	// Drain is how long it takes at these rates until all is read: "12m",
	// "never", or "" while unknown.
	Drain string `json:"drain,omitempty"`
	// Lost is how many messages were deleted before the group had read them.
	Lost int64 `json:"lost,omitempty"`
}

// Table tells how every topic of a snapshot stands, ordered by group and topic.
// Of several rules for one topic, that decides which is furthest gone, and of
// equal ones the one with the lowest limit. state is what the last poll
// remembered; with nil, what has a `for` is pending at most. What the last polls
// tell, and ages, the snapshot has from a Look.
func Table(cfg *Config, cluster string, snap *Snapshot, state *ClusterState, now time.Time) []TableRow {
	j := cfg.judge(cluster, "")
	before := make([]map[string]map[string]ActiveAlert, len(j.rules))
	for i := range j.rules {
		before[i] = state.topics(j.rules[i].key)
	}
	var lines []TableRow
	for i := range snap.Groups {
		g := &snap.Groups[i]
		for t := range g.Topics {
			s := ruleInput{j, snap, now, g, &g.Topics[t], &view{total: sum(g.Topics[t].Partitions)}}
			lines = append(lines, s.line(before))
		}
		if g.Err != nil {
			lines = append(lines, TableRow{Cluster: cluster, Group: g.Name, AlertState: StateUnknown, Source: snap.Source, Err: g.Err})
		}
	}
	slices.SortStableFunc(lines, func(a, b TableRow) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic))
	})
	return lines
}

func (s *ruleInput) line(before []map[string]map[string]ActiveAlert) TableRow {
	l := TableRow{
		Cluster: s.cluster, Group: s.group.Name, Topic: s.topic.Name, UnknownPartitions: s.unknown, AlertState: StateOK,
		Progress: s.moves(), Source: s.snap.Source, Unsubscribed: s.topic.Unsubscribed,
	}
	if s.known > 0 {
		l.Lag = &s.lag
	} else {
		l.AlertState = StateUnknown
	}
	if w := worst(s.topic.Partitions); len(w) > 0 {
		l.WorstPartition = &w[0].ID
	}
	if i := slices.IndexFunc(s.topic.Partitions, func(p Partition) bool { return !p.Known }); i >= 0 {
		l.Reason = s.topic.Partitions[i].Reason
	}
	for i := range s.rules {
		r := &s.rules[i]
		if !r.matches(s.group.Name, s.topic.Name) || s.topic.Unsubscribed {
			continue
		}
		status := l.AlertState
		if s.known > 0 {
			status = r.advance(before[i][s.group.Name][s.topic.Name], r.find(s), s.now).status()
		}
		if l.Rule == "" || status.rank() > l.AlertState.rank() || status == l.AlertState && r.lower(l.Threshold) {
			l.AlertState, l.Threshold, l.Rule = status, r.MaxLag, r.Alert
		}
	}
	return l
}

// lower tells that the rule's limit is lower than another; none is the highest.
func (r *Rule) lower(than *int64) bool {
	return r.MaxLag != nil && (than == nil || *r.MaxLag < *than)
}

func (s *ruleInput) moves() Progress {
	var out Progress
	if age, known := s.oldest(); known {
		seconds := int64(age / time.Second)
		out.Delay = &seconds
	}
	m := s.motion()
	if m.status != trend.Unknown {
		out.Status = m.status
	}
	out.GrowingFor, out.Drain, out.Lost = int64(m.growing/time.Second), alert.FormatDrain(m.drain), s.topic.lost()
	if !math.IsNaN(m.in) {
		out.RateIn = &m.in
	}
	if !math.IsNaN(m.out) {
		out.RateOut = &m.out
	}
	return out
}

// lost is how many messages of the topic were deleted unread.
func (t *Topic) lost() (sum int64) {
	for i := range t.Partitions {
		sum += min(max(t.Partitions[i].Lost, 0), math.MaxInt64-sum)
	}
	return sum
}

func (e ActiveAlert) status() AlertState {
	switch {
	case e.Firing:
		return StateFiring
	case e.Since.IsZero():
		return StateOK
	default:
		return StatePending
	}
}

package lag

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
)

// AlertState is the state of the alerts of a topic.
type AlertState string

const (
	StateOK      AlertState = "ok"
	StatePending AlertState = "pending" // the conditions are met, but not for long enough
	StateFiring  AlertState = "firing"
	StateUnknown AlertState = "unknown" // the lag of no partition is known
)

// rank orders alert states by severity.
func (s AlertState) rank() int {
	return slices.Index([]AlertState{StateOK, StateUnknown, StatePending, StateFiring}, s)
}

// alertState returns the state of an alert.
func (a ActiveAlert) alertState() AlertState {
	switch {
	case a.Firing:
		return StateFiring
	case a.Since.IsZero():
		return StateOK
	default:
		return StatePending
	}
}

// TableRow is one topic of one group at the time of a poll, or a group or a cluster that
// could not be read.
type TableRow struct {
	Cluster string `json:"cluster"`
	Group   string `json:"consumer_group"`
	// Topic is "" for a group that could not be read completely; Error is the cause.
	Topic string `json:"topic,omitempty"`
	// Lag is the sum of the known partitions, in messages; nil when none is known.
	Lag *int64 `json:"lag"`
	// Threshold is max_lag of the rule that determines AlertState; nil when no
	// rule applies to the topic.
	Threshold *int64 `json:"threshold"`
	// WorstPartition is the partition with the highest lag; nil when none has any.
	WorstPartition *int32 `json:"worst_partition,omitempty"`
	// UnknownPartitions is the number of partitions not counted in Lag, and Reason
	// that of the first of them.
	UnknownPartitions int        `json:"unknown_partitions,omitempty"`
	Reason            string     `json:"reason,omitempty"`
	AlertState        AlertState `json:"state"`
	// Rule is the alert name of the rule that determines AlertState.
	Rule string `json:"rule,omitempty"`
	Progress
	// Source is the Snapshot's.
	Source string `json:"source,omitempty"`
	// Unsubscribed reports that the group has unsubscribed from the topic, so that
	// no rule applies.
	Unsubscribed bool `json:"unsubscribed,omitempty"`
	// Error is why the group, or without a group the cluster, could not be read.
	Error string `json:"error,omitempty"`
}

// Progress is how a group progresses in a topic, as far as known.
type Progress struct {
	// Delay is the least age of the oldest unread message, in seconds.
	Delay *int64 `json:"delay"`
	// DelaySource is where it is from; "" without one.
	DelaySource DelaySource `json:"delay_source,omitempty"`
	// Status is the worst state of a partition; "" while unknown.
	Status trend.State `json:"status,omitempty"`
	// GrowingFor is how long the lag has been growing, in seconds.
	GrowingFor int64 `json:"growing_for,omitempty"`
	// RateIn and RateOut are messages produced and consumed per second.
	RateIn  *float64 `json:"rate_in"`
	RateOut *float64 `json:"rate_out"`
	// Drain is how long it takes at these rates until the group has caught up:
	// "12m" or "never"; "" while unknown.
	Drain string `json:"drain,omitempty"`
	// Lost is the number of messages that were deleted unread.
	Lost int64 `json:"lost,omitempty"`
}

// Table returns a row for every topic of a snapshot, which a Poller returned,
// ordered by group and topic. If several rules apply to a topic, the one with the
// most severe alert state determines the row, and of equal ones that with the lowest
// threshold. state is that of the last poll; with nil, an alert with `for` is
// pending at most.
func Table(cfg *Config, cluster string, snap *Snapshot, state *ClusterState, now time.Time) []TableRow {
	e := cfg.evaluator(cluster, "")
	active := make([]activeAlerts, len(e.rules))
	for i := range e.rules {
		active[i] = state.topics(e.rules[i].key)
	}
	var rows []TableRow
	for i := range snap.Groups {
		g := &snap.Groups[i]
		for t := range g.Topics {
			in := e.input(snap, now, g, &g.Topics[t], &topicView{lagSum: sumLag(g.Topics[t].Partitions)})
			rows = append(rows, in.tableRow(active))
		}
		if g.Err != nil {
			rows = append(rows, TableRow{Cluster: cluster, Group: g.Name, AlertState: StateUnknown, Source: snap.Source, Error: g.Err.Error()})
		}
	}
	slices.SortStableFunc(rows, func(a, b TableRow) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic))
	})
	return rows
}

// tableRow returns the row of the topic. active are the active alerts by rule.
func (in *ruleInput) tableRow(active []activeAlerts) TableRow {
	row := TableRow{
		Cluster: in.cluster, Group: in.group.Name, Topic: in.topic.Name, UnknownPartitions: in.unknown, AlertState: StateOK,
		Progress: in.progress(), Source: in.snap.Source, Unsubscribed: in.topic.Unsubscribed,
	}
	if in.known > 0 {
		row.Lag = &in.lag
	} else {
		row.AlertState = StateUnknown
	}
	if w := worstPartitions(in.topic.Partitions); len(w) > 0 {
		row.WorstPartition = &w[0].ID
	}
	if i := slices.IndexFunc(in.topic.Partitions, func(p Partition) bool { return !p.Known }); i >= 0 {
		row.Reason = in.topic.Partitions[i].Reason
	}
	for i := range in.rules {
		r := &in.rules[i]
		if !r.matches(in.group.Name, in.topic.Name) || in.topic.Unsubscribed {
			continue
		}
		state := row.AlertState
		if in.known > 0 {
			state = r.advance(active[i][in.group.Name][in.topic.Name], in).alertState()
		}
		if row.Rule == "" || state.rank() > row.AlertState.rank() || state == row.AlertState && r.hasLowerMaxLag(row.Threshold) {
			row.AlertState, row.Threshold, row.Rule = state, r.MaxLag, r.Alert
		}
	}
	return row
}

// hasLowerMaxLag reports whether MaxLag is lower than a threshold; nil is the
// highest.
func (r *Rule) hasLowerMaxLag(threshold *int64) bool {
	return r.MaxLag != nil && (threshold == nil || *r.MaxLag < *threshold)
}

func (in *ruleInput) progress() Progress {
	s := in.reportedStatus()
	out := Progress{GrowingFor: int64(s.GrowingFor / time.Second), Drain: alert.FormatDrain(s.DrainTime), Lost: in.lost()}
	if age := (&Rule{}).oldestAge(in); age.Known {
		seconds := int64(age.AtLeast / time.Second)
		out.Delay, out.DelaySource = &seconds, age.Source
	}
	if s.State != trend.Unknown {
		out.Status = s.State
	}
	if !math.IsNaN(s.ProduceRate) {
		out.RateIn = &s.ProduceRate
	}
	if !math.IsNaN(s.ConsumeRate) {
		out.RateOut = &s.ConsumeRate
	}
	return out
}

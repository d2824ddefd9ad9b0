package lag

import (
	"math"
	"slices"
	"time"

	"tocsin/pkg/lag/trend"
)

// ruleInput is a topic of a group on which rules are evaluated.
type ruleInput struct {
	*Evaluator
	snap  *Snapshot
	now   time.Time
	group *Group
	topic *Topic
	*topicView
	allowedLag int64       // the Evaluator's, or the rule's
	active     ActiveAlert // the alert of the rule before the poll
}

// input returns the input of rules about a topic.
func (e *Evaluator) input(snap *Snapshot, now time.Time, g *Group, topic *Topic, view *topicView) ruleInput {
	return ruleInput{Evaluator: e, snap: snap, now: now, group: g, topic: topic, topicView: view, allowedLag: e.allowedLag}
}

// allowed returns the allowed lag of a rule.
func (e *Evaluator) allowed(r *Rule) int64 {
	if r.AllowedLag != nil {
		return *r.AllowedLag
	}
	return e.allowedLag
}

// leastAllowedLag returns the least allowed lag of the rules.
func (e *Evaluator) leastAllowedLag() int64 {
	least := e.allowedLag
	for _, r := range e.rules {
		least = min(least, e.allowed(r.Rule))
	}
	return least
}

// topicView holds what several rules need of a topic.
type topicView struct {
	lagSum
	cachedStatus  *trend.TopicStatus // evaluated on first use
	cachedAllowed int64              // the allowed lag that it was evaluated with
}

func newTopicViews(topics []Topic) []topicView {
	out := make([]topicView, len(topics))
	for i := range topics {
		out[i].lagSum = sumLag(topics[i].Partitions)
	}
	return out
}

// lagSum is the lag of a topic.
type lagSum struct {
	lag            int64 // of the known partitions
	known, unknown int   // numbers of partitions
	uncommitted    int   // of the unknown ones, those without a commit
}

func sumLag(partitions []Partition) lagSum {
	var s lagSum
	for i := range partitions {
		p := &partitions[i]
		if !p.Known {
			s.unknown++
			if p.Reason == NoCommit {
				s.uncommitted++
			}
			continue
		}
		s.known++
		s.lag += min(max(p.Lag, 0), math.MaxInt64-s.lag)
	}
	return s
}

// lost returns how many messages of the topic were deleted unread. In a partition, up
// to the allowed lag count as none: a transaction marker is deleted unread when
// everything was read.
func (in *ruleInput) lost() (sum int64) {
	for i := range in.topic.Partitions {
		if p := &in.topic.Partitions[i]; p.Lost > p.allowed(in.allowedLag) {
			sum += min(p.Lost, math.MaxInt64-sum)
		}
	}
	return sum
}

// anyPartition returns the greatest result of check over the topic's partitions.
// One that is not known is unknown; one without a commit is left out if there are
// others, because it may never get one.
func (in *ruleInput) anyPartition(check func(*Partition) result) result {
	res, checked := notMet, false
	for i := range in.topic.Partitions {
		p := &in.topic.Partitions[i]
		switch {
		case p.Known:
			res, checked = max(res, check(p)), true
		case p.Reason != NoCommit:
			res, checked = max(res, unknown), true
		}
		if res == met {
			break
		}
	}
	if !checked {
		return unknown
	}
	return res
}

// topicStatus returns the status of the topic in the window.
func (in *ruleInput) topicStatus() *trend.TopicStatus {
	if in.cachedStatus == nil || in.cachedAllowed != in.allowedLag {
		s := in.snap.Trend.Topic(in.group.Name, in.topic.Name, in.allowedLag)
		s.State = in.refineState(s.State)
		in.cachedStatus, in.cachedAllowed = &s, in.allowedLag
	}
	return in.cachedStatus
}

// reportedStatus returns the status of the topic for alerts and tables: with the
// state by Burrow's rules if those are configured, and unknown without a window.
func (in *ruleInput) reportedStatus() trend.PartitionStatus {
	if in.snap.Trend == nil {
		return trend.PartitionStatus{State: trend.Unknown, ProduceRate: math.NaN(), ConsumeRate: math.NaN(), DrainTime: -1}
	}
	s := in.topicStatus().PartitionStatus
	if in.burrow {
		s.State = in.worstState(in.topic.Partitions)
	}
	return s
}

// partitionState returns the consumer's state in one partition.
func (in *ruleInput) partitionState(id int32) trend.State {
	w := in.snap.Trend
	switch {
	case w == nil:
		return trend.Unknown
	case in.burrow:
		return burrowStates[w.Burrow(in.group.Name, in.topic.Name, id, in.allowedLag, in.now)]
	default:
		return in.refineState(w.Partition(in.group.Name, in.topic.Name, id, in.allowedLag).State)
	}
}

// refineState turns stalled into stopped for a group without members. The window
// does not know that if it took the poll in before the group was described.
func (in *ruleInput) refineState(state trend.State) trend.State {
	if state == trend.Stalled && members(in.group) == trend.NoMembers {
		return trend.Stopped
	}
	return state
}

// burrowStates maps Burrow's statuses to the states of rules.
var burrowStates = [...]trend.State{
	trend.BurrowNotFound: trend.Unknown,
	trend.BurrowOK:       trend.OK,
	trend.BurrowWarn:     trend.Growing,
	trend.BurrowErr:      trend.Stalled, // of groups only
	trend.BurrowStop:     trend.Stopped,
	trend.BurrowStall:    trend.Stalled,
	trend.BurrowRewind:   trend.Rewind,
}

// worstState returns the worst state among partitions of the topic.
func (in *ruleInput) worstState(partitions []Partition) trend.State {
	worst := trend.Unknown
	for _, p := range partitions {
		if state := in.partitionState(p.ID); stateRank(state) > stateRank(worst) {
			worst = state
		}
	}
	return worst
}

// stateRank orders states by severity. Unlike in a trend.TopicStatus, OK outranks
// Unknown: the state is reported when a single partition has one.
func stateRank(s trend.State) int {
	return slices.Index([]trend.State{trend.Unknown, trend.OK, trend.Growing, trend.Rewind, trend.HungTransaction, trend.Ahead, trend.Stalled, trend.Stopped}, s)
}

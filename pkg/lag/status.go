package lag

import (
	"math"
	"slices"
	"time"

	"tocsin/pkg/lag/trend"
)

// status judges Status: whether one of the partitions is in one of its states.
func (r *Rule) status(s *ruleInput) result {
	if s.snap.Trend == nil {
		return unknown
	}
	if !s.burrow {
		switch state := s.reading().State; {
		case slices.Contains(r.Status, state):
			return met
		case state == trend.OK:
			return notMet
		case state == trend.Unknown: // worse than OK, and no other is in a worse one
			return unknown
		}
	}
	return s.any(func(p *Partition) result {
		switch state := s.state(p.ID); {
		case slices.Contains(r.Status, state):
			return met
		case state == trend.Unknown:
			return unknown
		default:
			return notMet
		}
	})
}

// growth judges GrowingFor. A lag that grows, but not for so long, ends no alert.
func (r *Rule) growth(s *ruleInput) result {
	if s.snap.Trend == nil {
		return unknown
	}
	unread := func(p Partition) bool { return !p.Known && p.Reason != NoCommit }
	switch t := s.reading(); {
	case t.GrowingFor >= r.GrowingFor.Std():
		return met
	case t.GrowingFor > 0:
		return hysteresis
	case math.IsNaN(t.ProduceRate), slices.ContainsFunc(s.topic.Partitions, unread):
		return unknown
	default:
		return notMet
	}
}

// reading is what the last polls tell of the topic.
func (s *ruleInput) reading() *trend.TopicStatus {
	if s.cached == nil {
		t := s.snap.Trend.Topic(s.group.Name, s.topic.Name, s.allowed)
		t.State = s.settle(t.State)
		s.cached = &t
	}
	return s.cached
}

// state is what the group does in a partition.
func (s *ruleInput) state(id int32) trend.State {
	switch {
	case s.snap.Trend == nil:
		return trend.Unknown
	case s.burrow:
		return burrowed[s.snap.Trend.Burrow(s.group.Name, s.topic.Name, id, s.allowed, s.now)]
	default:
		return s.settle(s.snap.Trend.Partition(s.group.Name, s.topic.Name, id, s.allowed).State)
	}
}

// settle tells stopped from stalled where the window took the poll in before it
// was known that the group has no members.
func (s *ruleInput) settle(state trend.State) trend.State {
	if state == trend.Stalled && members(s.group) == trend.NoMembers {
		return trend.Stopped
	}
	return state
}

// burrowed are Burrow's statuses in the words of rules.
var burrowed = [...]trend.State{
	trend.BurrowNotFound: trend.Unknown,
	trend.BurrowOK:       trend.OK,
	trend.BurrowWarn:     trend.Growing,
	trend.BurrowErr:      trend.Stalled, // of groups only
	trend.BurrowStop:     trend.Stopped,
	trend.BurrowStall:    trend.Stalled,
	trend.BurrowRewind:   trend.Rewind,
}

// worstState is the worst state of partitions of the topic.
func (s *ruleInput) worstState(partitions []Partition) trend.State {
	worst := trend.Unknown
	for _, p := range partitions {
		if state := s.state(p.ID); rankOf(state) > rankOf(worst) {
			worst = state
		}
	}
	return worst
}

// rankOf orders states by how much they say and ask for.
func rankOf(s trend.State) int {
	return slices.Index([]trend.State{trend.Unknown, trend.OK, trend.Growing, trend.Rewind, trend.Stalled, trend.Stopped}, s)
}

// motion is how a topic's lag moves.
type motion struct {
	status  trend.State
	in, out float64 // messages per second, NaN while unknown
	drain   time.Duration
	growing time.Duration
}

func (s *ruleInput) motion() motion {
	if s.snap.Trend == nil {
		return motion{trend.Unknown, math.NaN(), math.NaN(), -1, 0}
	}
	t := s.reading()
	m := motion{t.State, t.ProduceRate, t.ConsumeRate, t.DrainTime, t.GrowingFor}
	if s.burrow {
		m.status = s.worstState(s.topic.Partitions)
	}
	return m
}

package lag

import (
	"math"
	"time"

	"tocsin/pkg/lag/trend"
)

// finding is what one poll finds out about a condition. All conditions of a rule
// together find the least of what each does; a condition that one partition can
// fulfil finds the greatest of what the partitions do.
type result uint8

const (
	notMet     result = iota // it does not hold
	hysteresis               // it does not hold, but an alert that fires stays
	unknown                  // nobody can tell
	met                      // it holds
)

// advance is what becomes of a topic, by what it was and what is found.
//
//	found     nothing   pending            firing
//	unknown   nothing   pending            firing
//	yes       pending*  pending or firing  firing
//	between   nothing   nothing            firing
//	no        nothing   nothing            ends
//
// (*) and firing at once without `for`; pending becomes firing when `for` has
// passed since it began, by the clock, however many polls were late or missed.
func (r *Rule) advance(was ActiveAlert, found result, now time.Time) ActiveAlert {
	switch found {
	case unknown:
		return was
	case met:
		if was.Since.IsZero() {
			was.Since = now
		}
		was.Firing = was.Firing || now.Sub(was.Since) >= r.For.Std()
		return was
	case hysteresis:
		if was.Firing {
			return was
		}
	}
	return ActiveAlert{}
}

// sight is a topic of a group as rules see it.
type ruleInput struct {
	*Evaluator
	snap  *Snapshot
	now   time.Time
	group *Group
	topic *Topic
	*view
}

// view is what several rules look at of a topic.
type view struct {
	total
	cached *trend.TopicStatus // of the last polls
}

// find judges all conditions of a rule.
func (r *rule) find(s *ruleInput) result {
	if s.known == 0 {
		return unknown
	}
	found := met
	if r.MaxLag != nil {
		found = r.count(s.total)
	}
	for _, c := range r.others {
		if found == notMet {
			break
		}
		found = min(found, c(r.Rule, s))
	}
	return found
}

// others returns the conditions of a rule beside MaxLag.
func (r *Rule) others() (list []func(*Rule, *ruleInput) result) {
	if r.Lost {
		list = append(list, (*Rule).lost)
	}
	if r.MaxDelay > 0 {
		list = append(list, (*Rule).delay)
	}
	if r.GrowingFor > 0 {
		list = append(list, (*Rule).growth)
	}
	if len(r.Status) > 0 {
		list = append(list, (*Rule).status)
	}
	return list
}

// count judges MaxLag. With some partitions unknown, the lag is at least what is
// seen:
//
//	no partition known              unknown
//	> max_lag, some or all known    yes
//	low, some known                 unknown
//	low, all known                  no
//	between, all known              between
//
// One in which nothing was committed counts as known, as having no lag, once
// another has a commit: such a partition may never get one, and the alert would
// never end. low is <= max_lag, or < clear_below where that is set; between is from
// clear_below to max_lag.
func (r *Rule) count(seen total) result {
	switch {
	case seen.known == 0:
		return unknown
	case seen.lag > *r.MaxLag:
		return met
	case seen.unknown > seen.never:
		return unknown
	case r.ClearBelow != nil && seen.lag >= *r.ClearBelow:
		return hysteresis
	default:
		return notMet
	}
}

// lost judges Lost.
func (r *Rule) lost(s *ruleInput) result {
	return s.any(func(p *Partition) result {
		switch {
		case p.Lost > 0:
			return met
		case s.snap.StartOffsetUnknown:
			return unknown
		default:
			return notMet
		}
	})
}

// any finds the greatest of what the topic's partitions do. One that is not
// known finds nothing out. One in which nothing was committed is left out, as
// long as there are others: such a partition may never get a commit.
func (s *ruleInput) any(of func(*Partition) result) result {
	found, asked := notMet, false
	for i := range s.topic.Partitions {
		p := &s.topic.Partitions[i]
		switch {
		case p.Known:
			found, asked = max(found, of(p)), true
		case p.Reason != NoCommit:
			found, asked = max(found, unknown), true
		}
		if found == met {
			break
		}
	}
	if !asked {
		return unknown
	}
	return found
}

// total is what is known of a topic.
type total struct {
	lag            int64 // the sum of the known partitions
	known, unknown int
	never          int // those of the unknown ones in which nothing was committed
}

func views(topics []Topic) []view {
	out := make([]view, len(topics))
	for i := range topics {
		out[i].total = sum(topics[i].Partitions)
	}
	return out
}

func sum(partitions []Partition) total {
	var t total
	for i := range partitions {
		p := &partitions[i]
		if !p.Known {
			t.unknown++
			if p.Reason == NoCommit {
				t.never++
			}
			continue
		}
		t.known++
		t.lag += min(max(p.Lag, 0), math.MaxInt64-t.lag)
	}
	return t
}

package lag

import (
	"math"
	"time"

	"tocsin/pkg/lag/trend"
)

// finding is what one poll finds out about a condition. All conditions of a rule
// together find the least of what each does; a condition that one partition can
// fulfil finds the greatest of what the partitions do.
type finding uint8

const (
	no      finding = iota // it does not hold
	between                // it does not hold, but an alert that fires stays
	unknown                // nobody can tell
	yes                    // it holds
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
func (r *Rule) advance(was Entry, found finding, now time.Time) Entry {
	switch found {
	case unknown:
		return was
	case yes:
		if was.Since.IsZero() {
			was.Since = now
		}
		was.Firing = was.Firing || now.Sub(was.Since) >= r.For.Std()
		return was
	case between:
		if was.Firing {
			return was
		}
	}
	return Entry{}
}

// sight is a topic of a group as rules see it.
type sight struct {
	*Judge
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
func (r *rule) find(s *sight) finding {
	if s.known == 0 {
		return unknown
	}
	found := yes
	if r.MaxLag != nil {
		found = r.count(s.total)
	}
	for _, c := range r.others {
		if found == no {
			break
		}
		found = min(found, c(r.Rule, s))
	}
	return found
}

// others returns the conditions of a rule beside MaxLag.
func (r *Rule) others() (list []func(*Rule, *sight) finding) {
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
func (r *Rule) count(seen total) finding {
	switch {
	case seen.known == 0:
		return unknown
	case seen.lag > *r.MaxLag:
		return yes
	case seen.unknown > seen.never:
		return unknown
	case r.ClearBelow != nil && seen.lag >= *r.ClearBelow:
		return between
	default:
		return no
	}
}

// lost judges Lost.
func (r *Rule) lost(s *sight) finding {
	return s.any(func(p *Partition) finding {
		switch {
		case p.Lost > 0:
			return yes
		case s.snap.NoStart:
			return unknown
		default:
			return no
		}
	})
}

// any finds the greatest of what the topic's partitions do. One that is not
// known finds nothing out. One in which nothing was committed is left out, as
// long as there are others: such a partition may never get a commit.
func (s *sight) any(of func(*Partition) finding) finding {
	found, asked := no, false
	for i := range s.topic.Partitions {
		p := &s.topic.Partitions[i]
		switch {
		case p.Known:
			found, asked = max(found, of(p)), true
		case p.Reason != NoCommit:
			found, asked = max(found, unknown), true
		}
		if found == yes {
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

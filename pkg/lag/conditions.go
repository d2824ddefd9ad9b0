package lag

import (
	"math"
	"slices"
	"time"

	"tocsin/pkg/lag/trend"
)

// result is the result of evaluating a condition. The results are ordered: a rule's
// is the least of its conditions', and that of a condition which a single
// partition can meet is the greatest of the partitions'.
type result uint8

const (
	notMet     result = iota
	hysteresis        // not met, but a firing alert stays
	unknown
	met
)

// advance returns the alert of a topic after a poll at now, whose result has held
// since a time.
//
//	result      inactive  pending            firing
//	unknown     inactive  pending            firing
//	met         pending*  pending or firing  firing
//	hysteresis  inactive  inactive           firing
//	notMet      inactive  inactive           ends
//
// (*) firing if `for` has passed. A pending alert fires when `for` has passed since
// the conditions were met, however many polls were late or missed.
func (r *Rule) advance(old ActiveAlert, res result, since, now time.Time) ActiveAlert {
	switch res {
	case unknown:
		return old
	case met:
		if old.Since.IsZero() {
			old.Since = since
		}
		old.Firing = old.Firing || now.Sub(old.Since) >= r.For.Std()
		return old
	case hysteresis:
		if old.Firing {
			return old
		}
	}
	return ActiveAlert{}
}

// advance returns the alert of the topic after its evaluation.
func (r *rule) advance(old ActiveAlert, in *ruleInput) ActiveAlert {
	in.active, in.allowedLag = old, in.allowed(r.Rule)
	res := r.evaluate(in)
	next := r.Rule.advance(old, res, r.metSince(in, res), in.now)
	if len(r.Status) > 0 && next != (ActiveAlert{}) {
		if state := in.reportedStatus().State; slices.Contains(r.Status, state) {
			next.Status = state
		}
	}
	if n := in.lost(); r.Lost && n > 0 && next != (ActiveAlert{}) {
		next.LostAt, next.Lost = in.now, max(next.Lost, n)
	}
	return next
}

// metSince returns since when the conditions have been met: now, or with Status alone
// since the status has held, `for` ago at most. A status takes some polls to be found,
// and `for` is not to be waited for after them.
func (r *rule) metSince(in *ruleInput, res result) time.Time {
	if res != met || !r.hasOnlyStatus() || in.burrow {
		return in.now
	}
	s := in.topicStatus()
	if s.Since.IsZero() || s.Since.After(in.now) || !slices.Contains(r.Status, s.State) {
		return in.now
	}
	if earliest := in.now.Add(-r.For.Std()); s.Since.Before(earliest) {
		return earliest
	}
	return s.Since
}

// evaluate evaluates all conditions of a rule.
func (r *rule) evaluate(in *ruleInput) result {
	if in.known == 0 {
		return unknown
	}
	res := met
	if r.MaxLag != nil {
		res = r.checkMaxLag(in.lagSum)
	}
	for _, check := range r.conditions {
		if res == notMet {
			break
		}
		res = min(res, check(r.Rule, in))
	}
	return res
}

// otherConditions returns the conditions of a rule except MaxLag, the cheap ones
// first.
func (r *Rule) otherConditions() (checks []func(*Rule, *ruleInput) result) {
	if r.MaxPartitionLag != nil {
		checks = append(checks, (*Rule).checkMaxPartitionLag)
	}
	if r.Lost {
		checks = append(checks, (*Rule).checkLost)
	}
	if r.MaxDelay > 0 {
		checks = append(checks, (*Rule).checkMaxDelay)
	}
	if r.GrowingFor > 0 {
		checks = append(checks, (*Rule).checkGrowingFor)
	}
	if len(r.Status) > 0 {
		checks = append(checks, (*Rule).checkStatus)
	}
	return checks
}

// checkMaxLag checks MaxLag. With some partitions unknown, the lag is at least that
// of the known ones:
//
//	no partition known                        unknown
//	> max_lag                                 met
//	otherwise, some partitions unknown        unknown
//	>= clear_below, where set, to max_lag     hysteresis
//	lower                                     notMet
//
// A partition without a commit counts as known without lag when another one has a
// commit: it may never get one, and the alert would never resolve.
func (r *Rule) checkMaxLag(s lagSum) result {
	switch {
	case s.known == 0:
		return unknown
	case s.lag > *r.MaxLag:
		return met
	case s.unknown > s.uncommitted:
		return unknown
	case r.ClearBelow != nil && s.lag >= *r.ClearBelow:
		return hysteresis
	default:
		return notMet
	}
}

// checkMaxPartitionLag checks MaxPartitionLag.
func (r *Rule) checkMaxPartitionLag(in *ruleInput) result {
	return in.anyPartition(func(p *Partition) result {
		if p.Lag > *r.MaxPartitionLag {
			return met
		}
		return notMet
	})
}

// lossHold is how long an alert about lost messages stays after the last loss. A
// consumer at the edge of retention loses messages, reads on, and loses some again.
const lossHold = time.Hour

// checkLost checks Lost.
func (r *Rule) checkLost(in *ruleInput) result {
	res := in.anyPartition(func(p *Partition) result {
		switch {
		case p.Lost > p.allowed(in.allowedLag):
			return met
		case in.snap.StartOffsetUnknown:
			return unknown
		default:
			return notMet
		}
	})
	if res == notMet && in.active.Lost > 0 && in.now.Sub(in.active.LostAt) < lossHold {
		return hysteresis
	}
	return res
}

// checkMaxDelay checks MaxDelay on the bounds of the oldest unread message's age:
//
//	at least above max_delay          met
//	at most clear_below_delay         notMet
//	between the two                   hysteresis
//	bounds on both sides of a limit   unknown
func (r *Rule) checkMaxDelay(in *ruleInput) result {
	limit := r.MaxDelay.Std()
	low := limit
	if r.ClearBelowDelay > 0 {
		low = r.ClearBelowDelay.Std()
	}
	return in.anyPartition(func(p *Partition) result {
		age := r.age(in, p)
		switch {
		case p.Lag <= p.allowed(in.allowedLag):
			return notMet
		case !age.Known:
			return unknown
		case age.AtLeast > limit:
			return met
		case age.AtMost <= low:
			return notMet
		case age.AtMost <= limit:
			return hysteresis
		default:
			return unknown
		}
	})
}

// checkGrowingFor checks GrowingFor. A lag that has been growing for a shorter time
// does not resolve the alert.
func (r *Rule) checkGrowingFor(in *ruleInput) result {
	if in.snap.Trend == nil {
		return unknown
	}
	unreadable := func(p Partition) bool { return !p.Known && p.Reason != NoCommit }
	switch s := in.topicStatus(); {
	case s.GrowingFor >= r.GrowingFor.Std():
		return met
	case s.GrowingFor > 0:
		return hysteresis
	case math.IsNaN(s.ProduceRate), slices.ContainsFunc(in.topic.Partitions, unreadable):
		return unknown
	default:
		return notMet
	}
}

// checkStatus checks Status: whether a partition is in one of its states.
func (r *Rule) checkStatus(in *ruleInput) result {
	if in.snap.Trend == nil {
		return unknown
	}
	if !in.burrow {
		// The topic's state is that of its worst partition.
		switch state := in.topicStatus().State; {
		case slices.Contains(r.Status, state):
			return met
		case state == trend.OK:
			return notMet
		case state == trend.Unknown: // worse than OK, and no partition is in a worse one
			return unknown
		}
	}
	return in.anyPartition(func(p *Partition) result {
		switch state := in.partitionState(p.ID); {
		case slices.Contains(r.Status, state):
			return met
		case state == trend.Unknown:
			return unknown
		default:
			return notMet
		}
	})
}

// age returns the age of a partition's oldest unread message from the rule's source.
func (r *Rule) age(in *ruleInput, p *Partition) Age {
	switch {
	case r.DelaySource == FromHistory:
		return ageFromHistory(in.snap.Trend, in.topic.Name, p, p.allowed(in.allowedLag), in.now)
	case p.Age == nil || r.DelaySource != "" && r.DelaySource != p.Age.Source:
		return Age{}
	default:
		return *p.Age
	}
}

// oldestAge returns the age of an unread message with the greatest lower bound, from the
// source of a rule. It is not known when no age was queried, or none could be.
func (r *Rule) oldestAge(in *ruleInput) (oldest Age) {
	for i := range in.topic.Partitions {
		p := &in.topic.Partitions[i]
		if !p.Known || p.Lag <= p.allowed(in.allowedLag) && p.Age == nil {
			continue
		}
		if a := r.age(in, p); a.Known && (!oldest.Known || a.AtLeast > oldest.AtLeast) {
			oldest = a
		}
	}
	return oldest
}

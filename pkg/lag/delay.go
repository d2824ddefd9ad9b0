package lag

import "time"

// delay judges MaxDelay: whether the oldest unread message of one of the
// partitions is older.
//
//	surely older than max_delay               yes
//	surely not older than clear_below_delay   no
//	surely between the two                    between
//	anything else                             unknown
func (r *Rule) delay(s *ruleInput) result {
	limit := r.MaxDelay.Std()
	low := limit
	if r.ClearBelowDelay > 0 {
		low = r.ClearBelowDelay.Std()
	}
	return s.any(func(p *Partition) result {
		switch {
		case p.Lag <= s.allowed:
			return notMet
		case p.Age == nil || !p.Age.Known:
			return unknown
		case p.Age.AtLeast > limit:
			return met
		case p.Age.AtMost <= low:
			return notMet
		case p.Age.AtMost <= limit:
			return hysteresis
		default:
			return unknown
		}
	})
}

// oldest is how old the topic's oldest unread message is at least; not known
// where it was not asked for, or nobody could tell.
func (s *ruleInput) oldest() (age time.Duration, known bool) {
	for i := range s.topic.Partitions {
		if a := s.topic.Partitions[i].Age; a != nil && a.Known {
			age, known = max(age, a.AtLeast), true
		}
	}
	return age, known
}

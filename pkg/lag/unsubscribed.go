package lag

import "slices"

// unsubscribed remembers which topics nobody in their group reads any more. That
// is known only of groups that were described, and those are the ones that are
// described at every poll from then on: a topic's alerts shall not come back
// because somebody forgot to ask.
func (v *evaluation) unsubscribed(prev *ClusterState, groups map[string]*Group, complete bool) {
	for name, g := range groups {
		var topics []string
		for _, t := range g.Topics {
			if t.Unsubscribed {
				topics = append(topics, t.Name)
			}
		}
		v.next.unsubscribe(name, topics)
	}
	if prev == nil || complete {
		return
	}
	for name, topics := range prev.Unsubscribed {
		if groups[name] == nil {
			v.next.unsubscribe(name, topics)
		}
	}
}

func (s *ClusterState) unsubscribe(group string, topics []string) {
	if len(topics) == 0 {
		return
	}
	if s.Unsubscribed == nil {
		s.Unsubscribed = map[string][]string{}
	}
	s.Unsubscribed[group] = slices.Sorted(slices.Values(topics))
}

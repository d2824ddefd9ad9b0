package alertmanager

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Kinds of differences between scenarios with events: the names of the files in
// testdata/differ that have an example and the reason.
const (
	moved         = "moved"
	former        = "former"
	endedRefused  = "ended_refused"
	endAgain      = "end_again"
	refusedReason = "refused_reason"
)

// kinds returns the kinds of the differences between two transcripts of the scenario,
// or a fault that none of them is.
func (s scenario) kinds(theirs, ours *transcript) (kinds []string, fault string) {
	if n := s.notifiedAgain(ours.sent); n != nil {
		return nil, fmt.Sprintf("%s is notified again at %s after a reload", n.to(), ours.since(n.at))
	}
	found, fault := s.additionalEnds(theirs, ours)
	refused := len(ours.rejected) > 0
	switch {
	case fault != "":
		return nil, fault
	case len(found) > 0:
		return slices.Sorted(maps.Keys(found)), ""
	case !s.rerouted().IsZero():
		return []string{moved}, ""
	case refused && s.differ(withoutKnownEnds(theirs.sent), withoutKnownEnds(ours.sent)) == "":
		return []string{endAgain}, ""
	case refused && s.differ(withoutReason(theirs.sent), withoutReason(ours.sent)) == "":
		return []string{refusedReason}, ""
	}
	return nil, "each integration was notified of the same changes of each alert, but otherwise"
}

// rerouted returns when a reload first changed the configuration, or zero.
func (s scenario) rerouted() time.Time {
	for _, st := range s.steps {
		if r, ok := st.do.(reload); ok && (r.groupBy != nil || r.matchers != nil) {
			return s.begin.Add(st.at)
		}
	}
	return time.Time{}
}

// additionalEnds returns the kinds of the ends that only ours has. Any other difference
// in what integrations were notified of an alert is a fault.
func (s scenario) additionalEnds(theirs, ours *transcript) (kinds map[string]bool, fault string) {
	rerouted := s.rerouted()
	byGroup := rerouted.IsZero() // otherwise alerts change groups
	refused, want, got := statuses(ours.rejected, byGroup), statuses(theirs.sent, byGroup), statuses(ours.sent, byGroup)
	for key := range want {
		got[key] = slices.Clip(got[key]) // also those that only theirs has
	}
	kinds = map[string]bool{}
	for key := range got {
		ends, ok := additions(want[key], got[key])
		if !ok {
			return nil, fmt.Sprintf("%v: got %v, want Alertmanager's %v", key, got[key], want[key])
		}
		for _, end := range ends {
			switch {
			case len(refused[key]) > 0 && end.at.After(refused[key][0].at):
				kinds[endedRefused] = true
			case !rerouted.IsZero() && end.at.After(rerouted):
				kinds[former] = true
			default:
				return nil, fmt.Sprintf("%v: got %v, want Alertmanager's %v", key, got[key], want[key])
			}
		}
	}
	return kinds, ""
}

// statusKey is an integration and an alert, and the group where that matters.
type statusKey struct{ to, alert, group string }

// status is the first notification of an alert as firing, or of one of its ends.
type status struct {
	firing bool
	end    time.Time // of the alert
	at     time.Time
}

func (s status) String() string {
	return map[bool]string{true: "firing", false: "resolved"}[s.firing] + s.at.Format(" 15:04:05")
}

// statuses returns what each integration was notified of each alert, by each group
// or by all of them.
func statuses(sent []sentNotification, byGroup bool) map[statusKey][]status {
	all := map[statusKey][]status{}
	for _, n := range inOrder(sent) {
		for _, a := range n.alerts {
			key := n.key(a)
			if byGroup {
				key.group = n.group
			}
			if known := all[key]; len(known) == 0 || !known[len(known)-1].end.Equal(a.end) {
				all[key] = append(known, status{a.firing(), a.end, n.at})
			}
		}
	}
	return all
}

// additions returns the ends that ours has in addition to theirs, after which the alert
// may fire again. It reports false if there is another difference.
func additions(theirs, ours []status) (ends []status, ok bool) {
	if len(ours) == 0 {
		return nil, len(theirs) == 0
	}
	if len(theirs) > 0 && theirs[0].firing == ours[0].firing {
		if ends, ok := additions(theirs[1:], ours[1:]); ok {
			return ends, true
		}
	}
	if ours[0].firing {
		return nil, false
	}
	for again := range min(2, len(ours)) {
		if ends, ok := additions(theirs, ours[1+again:]); ok {
			return append([]status{ours[0]}, ends...), true
		}
	}
	return nil, false
}

// notifiedAgain returns a notification after a reload, of whose alerts the integration
// was notified before, or nil.
func (s scenario) notifiedAgain(sent []sentNotification) *sentNotification {
	known := map[statusKey]bool{} // whether it was firing
	for _, n := range inOrder(sent) {
		isNew := false
		for _, a := range n.alerts {
			firing, found := known[n.key(a)]
			isNew = isNew || !found || firing != a.firing()
			known[n.key(a)] = a.firing()
		}
		for _, st := range slices.Backward(s.steps) {
			if s.begin.Add(st.at).After(n.at) {
				continue
			}
			if _, is := st.do.(reload); is && !isNew {
				return &n
			}
			break
		}
	}
	return nil
}

// withoutKnownEnds returns notifications without the ends of alerts that the group and
// integration was notified of before.
func withoutKnownEnds(sent []sentNotification) []sentNotification {
	type end struct {
		statusKey
		at time.Time
	}
	known := map[end]bool{}
	all := inOrder(sent)
	for i, n := range all {
		var alerts []notifiedAlert
		for _, a := range n.alerts {
			e := end{n.key(a), a.end}
			e.group = n.group
			if !known[e] {
				alerts = append(alerts, a)
			}
			known[e] = !a.firing()
		}
		all[i].alerts = alerts
	}
	return all
}

// withoutReason returns notifications without their reasons.
func withoutReason(sent []sentNotification) []sentNotification {
	all := slices.Clone(sent)
	for i := range all {
		all[i].reason = ""
	}
	return all
}

func inOrder(sent []sentNotification) []sentNotification {
	return slices.SortedStableFunc(slices.Values(sent), func(a, b sentNotification) int { return a.at.Compare(b.at) })
}

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
	refusedEnd    = "refused_end"
	refusedReason = "refused_reason"
)

// kinds returns the kinds of the differences between two transcripts of the scenario,
// or a fault that none of them is.
func (s scenario) kinds(theirs, ours *transcript) (kinds []string, fault string) {
	if n := s.notifiedAgain(ours.sent); n != nil {
		return nil, fmt.Sprintf("%s is notified again at %s after a reload", n.to(), ours.since(n.at))
	}
	found, fault := s.additionalEnds(theirs, ours)
	switch {
	case fault != "":
		return nil, fault
	case len(found) > 0:
		return slices.Sorted(maps.Keys(found)), ""
	case !s.rerouted().IsZero():
		return []string{moved}, ""
	case len(ours.rejected) > 0:
		kinds = s.refusedKinds(theirs, ours)
	}
	if len(kinds) == 0 {
		fault = "each integration was notified of the same changes of each alert, but otherwise"
	}
	return kinds, fault
}

// refusedKinds returns the fewest kinds of differences after a refusal that together are
// all differences between two transcripts, or none.
func (s scenario) refusedKinds(theirs, ours *transcript) (kinds []string) {
	without := []struct {
		kind   string
		reduce func(*transcript) *transcript
	}{
		{refusedEnd, (*transcript).withoutFiringAgain},
		{endAgain, func(tr *transcript) *transcript { return &transcript{sent: withoutKnownEnds(tr.sent)} }},
		{refusedReason, func(tr *transcript) *transcript { return &transcript{sent: withoutReason(tr.sent)} }},
	}
	for subset := 1; subset < 1<<len(without); subset++ {
		a, b := theirs, ours
		kinds = nil
		for i, w := range without {
			if subset&(1<<i) != 0 {
				a, b, kinds = w.reduce(a), w.reduce(b), append(kinds, w.kind)
			}
		}
		if s.differ(a.sent, b.sent) == "" {
			return kinds
		}
	}
	return nil
}

// withoutFiringAgain returns the transcript without notifications whose only news is that
// alerts fire again whose ends were refused.
func (tr *transcript) withoutFiringAgain() *transcript {
	refused := statuses(tr.rejected, true)
	known := map[statusKey]notifiedAlert{}
	rest := &transcript{}
	for _, n := range inOrder(tr.sent) {
		again, news := false, false
		for _, a := range n.alerts {
			key := n.key(a)
			key.group = n.group
			last, found := known[key]
			isEnd := func(st status) bool { return !st.firing && !st.end.Before(last.start) && !st.end.After(a.start) }
			switch {
			case found && last.start.Equal(a.start) && last.end.Equal(a.end):
			case found && last.firing() && a.firing() && slices.ContainsFunc(refused[key], isEnd):
				again = true
			default:
				news = true
			}
			known[key] = a
		}
		if news || !again {
			rest.sent = append(rest.sent, n)
		}
	}
	return rest
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
// was notified before, or nil. An alert that was muted at a later notification of its
// group does not count as notified.
func (s scenario) notifiedAgain(sent []sentNotification) *sentNotification {
	type notified struct {
		notifiedAlert
		group string
	}
	known := map[statusKey]notified{}
	for _, n := range inOrder(sent) {
		isNew := false
		before := maps.Clone(known)
		maps.DeleteFunc(known, func(key statusKey, last notified) bool { return key.to == n.to() && last.group == n.group })
		for _, a := range n.alerts {
			last, found := before[n.key(a)]
			isNew = isNew || !found || last.firing() != a.firing() || !last.start.Equal(a.start)
			known[n.key(a)] = notified{a, n.group}
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

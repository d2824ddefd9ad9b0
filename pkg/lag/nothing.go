package lag

import (
	"fmt"
	"strings"
	"time"

	"tocsin/pkg/alert"
)

// nothingPolls is how many polls in a row must find nothing to watch before an alert
// fires.
const nothingPolls = 5

// wholeCluster is the key of ClusterState.Nothing for a cluster without any group.
const wholeCluster = ""

// evaluateNothing evaluates whether the cluster has a group to watch, and each pattern
// of include matches one. Brokers leave out groups that the user may not describe, so
// that a missing permission looks like an empty cluster, and a typo like a quiet one.
func (ev *evaluation) evaluateNothing() {
	if !ev.complete {
		ev.next.Nothing = ev.prev.Nothing
		return
	}
	unmatched := map[string]bool{wholeCluster: true}
	for _, p := range ev.filter.Include {
		unmatched[p.String()] = true
	}
	_, named := ev.filter.Literals()
	for name, g := range ev.groups {
		if named && len(g.Topics) == 0 && g.Err == nil {
			continue // a name in the configuration, of a group without commits
		}
		delete(unmatched, wholeCluster)
		for _, p := range ev.filter.Include {
			if p.Match(name) {
				delete(unmatched, p.String())
			}
		}
	}
	for pattern := range unmatched {
		old, seen := ev.prev.Nothing[pattern]
		if !seen {
			old.Since = ev.now
		}
		if ev.next.Nothing == nil {
			ev.next.Nothing = map[string]PollFailures{}
		}
		ev.next.Nothing[pattern] = PollFailures{Polls: min(old.Polls+1, nothingPolls), Since: old.Since}
	}
	patterns, since := ev.next.nothing()
	_, before := ev.prev.nothing()
	switch {
	case !since.IsZero():
		a := ev.addNothing(earlier(before, since), ev.messages.nothingToWatch)
		description := ev.messages.noGroups
		if len(patterns) > 0 {
			description = fmt.Sprintf(ev.messages.unmatched, strings.Join(patterns, ev.messages.separator))
		}
		a.SetDescription(description + ev.messages.checkGroups)
	case !before.IsZero():
		ev.addNothing(before, ev.messages.watching).EndsAt = ev.now
	}
}

// earlier returns the earlier one of two times, of which the first may be zero.
func earlier(a, b time.Time) time.Time {
	if !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}

// nothing returns since when the alert about nothing to watch fires, zero if it does
// not, and the patterns that match no group; none if the cluster has no groups at all.
func (s *ClusterState) nothing() (patterns []string, since time.Time) {
	for _, pattern := range sortedKeys(s.Nothing) {
		f := s.Nothing[pattern]
		if f.Polls < nothingPolls {
			continue
		}
		since = earlier(since, f.Since)
		if pattern == wholeCluster {
			return nil, since
		}
		patterns = append(patterns, fmt.Sprintf("%q", pattern))
	}
	return patterns, since
}

// addNothing adds the alert about nothing to watch.
func (ev *evaluation) addNothing(since time.Time, summary string) *alert.Alert {
	a := &alert.Alert{
		Labels:   alert.Labels{alert.NameLabel: alert.NothingToWatchAlert, alert.ClusterLabel: ev.cluster},
		StartsAt: since,
	}
	a.SetSummary(fmt.Sprintf(summary, ev.cluster))
	ev.pending = append(ev.pending, pendingAlert{"", "", -2, a})
	return a
}

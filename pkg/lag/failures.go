package lag

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/alert"
)

// firingPolls is how many polls in a row must fail before an alert fires.
const firingPolls = 2

// EvaluateFailure evaluates a poll at now that could read nothing. Lag alerts stay
// as they are. At the second failure in a row the alert TocsinPollFailed fires, with
// err as its description.
func (e *Evaluator) EvaluateFailure(prev *ClusterState, err error, now time.Time) (*ClusterState, []*alert.Alert) {
	ev := evaluation{Evaluator: e, now: now, next: &ClusterState{}}
	if prev != nil {
		*ev.next = *prev
	}
	ev.next.Failures = ev.countFailure(ev.next.Failures, "", err)
	return ev.next, ev.alerts()
}

// EndAll returns the ends of all alerts that fire, for a cluster that is no longer
// in the configuration.
func (e *Evaluator) EndAll(prev *ClusterState, now time.Time) []*alert.Alert {
	if prev == nil {
		return nil
	}
	ev := evaluation{Evaluator: e, now: now}
	for i, old := range prev.Rules {
		for group, topics := range old.Topics {
			for topic, a := range topics {
				ev.addEnded(len(ev.rules)+i, old.Rule, group, topic, a, ev.messages.clusterGone, ev.cluster)
			}
		}
	}
	ev.addRecovered(prev.Failures, "", ev.messages.clusterGone, "")
	if _, since := prev.nothing(); !since.IsZero() {
		ev.addNothing(since, ev.messages.clusterGone).EndsAt = now
	}
	for group, f := range prev.GroupFailures {
		ev.addRecovered(f, group, "", ev.messages.failedGroupGone)
	}
	return ev.alerts()
}

// maxGroupAlerts is up to how many failed groups each has its own alert. More have
// a common cause, such as the cluster or a lack of time, and share the cluster's.
const maxGroupAlerts = 3

// evaluateFailures evaluates the errors in the snapshot of a poll that succeeded.
func (ev *evaluation) evaluateFailures() {
	shared := newFailedGroupsError(ev.groups)
	var err error
	switch {
	case shared != nil:
		err = shared
		if shared.unread < shared.groups {
			err = &partialError{shared, func(_ *messages, cause string) string { return cause }}
		}
	case ev.snap.Err != nil:
		err = &partialError{ev.snap.Err, func(m *messages, cause string) string { return fmt.Sprintf(m.unlisted, cause) }}
	}
	ev.next.Failures = ev.countFailure(ev.prev.Failures, "", err)
	for name, g := range ev.groups {
		if shared != nil && g.failure() != nil {
			ev.next.setGroupFailures(name, ev.prev.GroupFailures[name]) // covered by the cluster's alert
			continue
		}
		ev.next.setGroupFailures(name, ev.countFailure(ev.prev.GroupFailures[name], name, g.failure()))
	}
	for name, f := range ev.prev.GroupFailures {
		switch {
		case ev.groups[name] != nil:
		case ev.complete:
			ev.addRecovered(f, name, "", ev.messages.failedGroupGone)
		default:
			ev.next.setGroupFailures(name, f)
		}
	}
}

// countFailure returns the failures in a row of a group, or of the cluster if group
// is "", after a poll with an error or with nil. It adds the alert that they fire,
// or its end.
func (ev *evaluation) countFailure(old PollFailures, group string, err error) PollFailures {
	if err == nil {
		ev.addRecovered(old, group, ev.messages.clusterRecovered, ev.messages.groupRecovered)
		return PollFailures{}
	}
	failures := PollFailures{Polls: min(old.Polls+1, firingPolls), Since: old.Since}
	if old.Polls == 0 {
		failures.Since = ev.now
	}
	if !failures.firing() {
		return failures
	}
	clusterSummary, groupSummary, description := ev.messages.clusterFailed, ev.messages.groupFailed, ev.messages.lagUnknown
	partial := (*partialError)(nil)
	if errors.As(err, &partial) {
		clusterSummary, groupSummary, description = ev.messages.clusterPartial, ev.messages.groupPartial, ev.messages.restEvaluated
	}
	a := ev.addPollFailed(failures, group, clusterSummary, groupSummary)
	a.SetDescription(fmt.Sprintf(description, errorText(err, ev.language)))
	if partial != nil {
		a.Annotations[alert.PartialAnnotation] = "true"
	}
	return failures
}

// addRecovered adds the end of the alert of failed polls, if it fires.
func (ev *evaluation) addRecovered(old PollFailures, group, clusterSummary, groupSummary string) {
	if old.firing() {
		ev.addPollFailed(old, group, clusterSummary, groupSummary).EndsAt = ev.now
	}
}

// addPollFailed adds the alert of failed polls. Its summary is one of two formats:
// with the name of the cluster, or with those of the group and the cluster.
func (ev *evaluation) addPollFailed(f PollFailures, group, clusterSummary, groupSummary string) *alert.Alert {
	a := &alert.Alert{
		Labels:   alert.Labels{alert.NameLabel: alert.PollFailedAlert, alert.ClusterLabel: ev.cluster},
		StartsAt: f.Since,
	}
	if group == "" {
		a.SetSummary(fmt.Sprintf(clusterSummary, ev.cluster))
	} else {
		a.Labels[alert.GroupLabel] = group
		a.SetSummary(fmt.Sprintf(groupSummary, group, ev.cluster))
	}
	ev.pending = append(ev.pending, pendingAlert{group, "", -1, a})
	return a
}

// failure returns the error of a group: that of reading it, which is partial if the lag
// of some partition is known, or of a follow-up query.
func (g *Group) failure() error {
	switch {
	case g.Err == nil:
		return g.PartialErr
	case g.partlyKnown():
		return &partialError{g.Err, func(_ *messages, cause string) string { return cause }}
	default:
		return g.Err
	}
}

// partlyKnown reports whether the lag of some partition of the group is known.
func (g *Group) partlyKnown() bool {
	known := func(p Partition) bool { return p.Known }
	return slices.ContainsFunc(g.Topics, func(t Topic) bool { return slices.ContainsFunc(t.Partitions, known) })
}

// failedGroupsError is the error of a poll in which many groups failed.
type failedGroupsError struct {
	failed, groups int
	unread         int    // of the failed ones, those of which nothing is known
	name           string // the first failed group by name
	first          error  // its error
}

// newFailedGroupsError returns the error of a poll in which more than
// maxGroupAlerts groups failed, nil if fewer did.
func newFailedGroupsError(groups map[string]*Group) *failedGroupsError {
	e := failedGroupsError{groups: len(groups)}
	for name, g := range groups {
		err := g.failure()
		if err == nil {
			continue
		}
		e.failed++
		if g.Err != nil && !g.partlyKnown() {
			e.unread++
		}
		if e.name == "" || name < e.name {
			e.name, e.first = name, err
		}
	}
	if e.failed <= maxGroupAlerts {
		return nil
	}
	return &e
}

func (e *failedGroupsError) Error() string { return e.Text("en") }

// Text returns the message in a language, "zh" or "en".
func (e *failedGroupsError) Text(language string) string {
	return fmt.Sprintf(messagesIn(language).failedGroups, e.failed, e.groups, e.name, errorText(e.first, language))
}

// partialError is an error that concerns a part of a poll: the rest is evaluated.
type partialError struct {
	err  error
	text func(m *messages, cause string) string
}

func (e *partialError) Error() string { return e.Text("en") }
func (e *partialError) Unwrap() error { return e.err }

// Text returns the message in a language, "zh" or "en".
func (e *partialError) Text(language string) string {
	return e.text(messagesIn(language), errorText(e.err, language))
}

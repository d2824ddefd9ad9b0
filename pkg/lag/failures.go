package lag

import (
	"errors"
	"fmt"
	"time"

	"tocsin/pkg/alert"
)

// Failed judges a poll at now that could learn nothing: lag and its alerts stay
// as they are, and at the second failure in a row an alert fires, with the cause
// in words for people.
func (j *Evaluator) EvaluateFailure(prev *ClusterState, err error, now time.Time) (*ClusterState, []*alert.Alert) {
	v := evaluation{Evaluator: j, now: now, next: &ClusterState{}}
	if prev != nil {
		*v.next = *prev
	}
	v.next.Failures = v.failure(v.next.Failures, "", err)
	return v.next, v.alerts()
}

// Removed ends all that fires of a cluster that is no longer in the
// configuration.
func (j *Evaluator) EndAll(prev *ClusterState, now time.Time) []*alert.Alert {
	if prev == nil {
		return nil
	}
	v := evaluation{Evaluator: j, now: now}
	for i, old := range prev.Rules {
		for group, topics := range old.Topics {
			for topic, e := range topics {
				v.end(len(v.rules)+i, old.Rule, group, topic, e, v.words.clusterGone, v.cluster)
			}
		}
	}
	v.recovered(prev.Failures, "", v.words.clusterGone, "")
	for group, f := range prev.GroupFailures {
		v.recovered(f, group, "", v.words.failedGroupGone)
	}
	return v.alerts()
}

// fewGroups is how many groups that cannot be read are told one by one. When
// there are more, the cluster is at fault, or time ran out, and it is told once.
const fewGroups = 3

// failures judges what could not be read of a poll that succeeded.
func (v *evaluation) failures(prev *ClusterState, groups map[string]*Group, complete bool) {
	if prev == nil {
		prev = &ClusterState{}
	}
	many := unread(groups)
	var err error
	switch {
	case many != nil:
		err = many
	case v.snap.Err != nil:
		err = &partial{v.snap.Err, func(w *messages, cause string) string { return fmt.Sprintf(w.unlisted, cause) }}
	}
	v.next.Failures = v.failure(prev.Failures, "", err)
	for name, g := range groups {
		if many != nil && g.trouble() != nil {
			v.remember(name, prev.GroupFailures[name]) // the cluster's alert speaks for it
			continue
		}
		v.remember(name, v.failure(prev.GroupFailures[name], name, g.trouble()))
	}
	for name, f := range prev.GroupFailures {
		switch {
		case groups[name] != nil:
		case complete:
			v.recovered(f, name, "", v.words.failedGroupGone)
		default:
			v.remember(name, f)
		}
	}
}

// unreadGroups is the error of a poll that could not read many of the groups.
type unreadGroups struct {
	failed, of int
	first      error // of the first in order of names
}

// unread returns the error of a poll in which more than a few groups could not
// be read, nil when it was few or none.
func unread(groups map[string]*Group) *unreadGroups {
	u := unreadGroups{of: len(groups)}
	first := ""
	for name, g := range groups {
		err := g.trouble()
		if err == nil {
			continue
		}
		u.failed++
		if first == "" || name < first {
			first, u.first = name, err
		}
	}
	if u.failed <= fewGroups {
		return nil
	}
	return &u
}

func (u *unreadGroups) Error() string { return u.Text("en") }

// Text says it in a language, "zh" or "en".
func (u *unreadGroups) Text(language string) string {
	return fmt.Sprintf(wordsIn(language).unread, u.failed, u.of, cause(u.first, language))
}

// trouble is why a group, or something about it, could not be read.
func (g *Group) trouble() error {
	if g.Err != nil {
		return g.Err
	}
	return g.PartialErr
}

// partial is the error of a poll that could not learn a part of what it should.
type partial struct {
	err error
	say func(w *messages, cause string) string
}

func (p *partial) Error() string { return p.Text("en") }
func (p *partial) Unwrap() error { return p.err }

// Text says it in a language, "zh" or "en".
func (p *partial) Text(language string) string {
	return p.say(wordsIn(language), cause(p.err, language))
}

func (v *evaluation) remember(group string, f PollFailures) {
	if f == (PollFailures{}) {
		return
	}
	if v.next.GroupFailures == nil {
		v.next.GroupFailures = map[string]PollFailures{}
	}
	v.next.GroupFailures[group] = f
}

// failure is what becomes of a run of failures of a group, or with "" of the
// cluster.
func (v *evaluation) failure(was PollFailures, group string, err error) PollFailures {
	if err == nil {
		v.recovered(was, group, v.words.clusterBack, v.words.groupBack)
		return PollFailures{}
	}
	is := PollFailures{Polls: min(was.Polls+1, 2), Since: was.Since}
	if was.Polls == 0 {
		is.Since = v.now
	}
	if is.firing() {
		cluster, single, meanwhile := v.words.clusterFailed, v.words.groupFailed, v.words.meanwhile
		p := (*partial)(nil)
		if errors.As(err, &p) {
			cluster, single, meanwhile = v.words.clusterPartly, v.words.groupPartly, v.words.partly
		}
		a := v.failed(is, group, cluster, single)
		a.SetDescription(fmt.Sprintf(meanwhile, cause(err, v.language)))
		if p != nil {
			a.Annotations[alert.PartialAnnotation] = "true"
		}
	}
	return is
}

// recovered ends the alert about a run of failures, if it fires.
func (v *evaluation) recovered(was PollFailures, group, cluster, single string) {
	if was.firing() {
		v.failed(was, group, cluster, single).EndsAt = v.now
	}
}

// failed makes the alert about a run of failures. Its summary is one of two
// formats: of the cluster's name, or of the group's and the cluster's.
func (v *evaluation) failed(f PollFailures, group, cluster, single string) *alert.Alert {
	a := &alert.Alert{
		Labels:   alert.Labels{alert.NameLabel: alert.PollFailedAlert, alert.ClusterLabel: v.cluster},
		StartsAt: f.Since,
	}
	a.SetSummary(fmt.Sprintf(cluster, v.cluster))
	if group != "" {
		a.Labels[alert.GroupLabel] = group
		a.SetSummary(fmt.Sprintf(single, group, v.cluster))
	}
	v.said = append(v.said, pendingAlert{group, "", -1, a})
	return a
}

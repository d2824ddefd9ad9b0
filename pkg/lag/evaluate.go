package lag

import (
	"cmp"
	"slices"
	"time"

	"tocsin/pkg/alert"
)

// Evaluator evaluates rules on snapshots of one cluster. It does no I/O and reads
// no clock: its results depend on its arguments alone.
type Evaluator struct {
	cluster    string
	language   string
	messages   *messages
	rules      []rule
	allowedLag int64  // Config.AllowedLag, or the cluster's
	filter     Filter // Cluster.Groups
	burrow     bool   // Config.Burrow
}

// rule is a Rule that matches the cluster.
type rule struct {
	*Rule
	id         RuleID
	key        string // of the id
	conditions []func(*Rule, *ruleInput) result
}

// NewEvaluator returns the Evaluator of a cluster. Built-in texts are in language,
// "zh" or "en".
func NewEvaluator(rules []Rule, cluster, language string) *Evaluator {
	e := &Evaluator{cluster: cluster, language: language, messages: messagesIn(language), allowedLag: DefaultAllowedLag}
	occurrences := map[string]int{}
	for i := range rules {
		r := &rules[i]
		if !r.Match.Cluster.Match(cluster) || !r.hasCondition() {
			continue
		}
		id := r.id()
		key := id.key()
		id.Occurrence = occurrences[key]
		occurrences[key]++
		e.rules = append(e.rules, rule{Rule: r, id: id, key: id.key(), conditions: r.otherConditions()})
	}
	return e
}

// Evaluate evaluates the rules on the snapshot of a poll at now. It returns the
// next state and the alerts, ordered by group, topic and rule: those that fire,
// with the current lag, at every poll that has their topic; and those that ended
// since prev, once. Rules with the same alert share it: it fires while any of them
// does.
//
// An alert starts when its conditions were first met, or with Status alone when the
// status began, not when `for` had passed, so that its message shows since when the
// consumer is behind. It ends at the poll in
// which a condition is not met, or the topic, the group or the rule is gone, or the
// group has unsubscribed from the topic. Where the snapshot has no data, the alert
// stays: for a topic without known partitions, a group that could not be read
// completely, an incomplete list of groups.
func (e *Evaluator) Evaluate(prev *ClusterState, snap *Snapshot, now time.Time) (*ClusterState, []*alert.Alert) {
	if prev == nil {
		prev = &ClusterState{}
	}
	ev := evaluation{
		Evaluator: e, now: now, snap: snap, prev: prev, next: &ClusterState{},
		groups:   make(map[string]*Group, len(snap.Groups)),
		views:    make(map[string][]topicView, len(snap.Groups)),
		complete: snap.Complete && snap.Err == nil,
	}
	for i := range snap.Groups {
		g := &snap.Groups[i]
		ev.groups[g.Name], ev.views[g.Name] = g, newTopicViews(g.Topics)
	}
	for i := range e.rules {
		if e.rules[i].isAboutGroups() {
			ev.evaluateGroupRule(i)
		} else {
			ev.evaluateRule(i)
		}
	}
	ev.endRemovedRules()
	ev.recordUnsubscribed()
	ev.evaluateFailures()
	ev.evaluateNothing()
	return ev.next, ev.alerts()
}

// evaluation is one call of Evaluate.
type evaluation struct {
	*Evaluator
	now        time.Time
	snap       *Snapshot
	prev, next *ClusterState
	groups     map[string]*Group
	views      map[string][]topicView // by group, of its topics
	complete   bool                   // the list of groups is
	pending    []pendingAlert
}

// evaluateRule evaluates the rule at an index on all groups.
func (ev *evaluation) evaluateRule(index int) {
	r := &ev.rules[index]
	before, after := ev.prev.topics(r.key), activeAlerts{}
	for name, g := range ev.groups {
		if r.Match.ConsumerGroup.Match(name) {
			ev.evaluateGroup(index, g, before[name], after)
		}
	}
	for name, topics := range before {
		switch {
		case ev.groups[name] != nil:
		case ev.complete:
			for topic, a := range topics {
				ev.addEnded(index, r.id, name, topic, a, ev.messages.groupGone, name, topic)
			}
		default:
			after[name] = topics
		}
	}
	if len(after) > 0 {
		ev.next.Rules = append(ev.next.Rules, RuleAlerts{Rule: r.id, Topics: after})
	}
}

// evaluateGroup evaluates a rule on a group whose active alerts by topic are before,
// and adds those that stay active to after.
func (ev *evaluation) evaluateGroup(index int, g *Group, before map[string]ActiveAlert, after activeAlerts) {
	r := &ev.rules[index]
	in := ev.input(ev.snap, ev.now, g, nil, nil)
	for t := range g.Topics {
		topic := &g.Topics[t]
		if !r.Match.Topic.Match(topic.Name) {
			continue
		}
		old := before[topic.Name]
		if topic.Unsubscribed {
			ev.addEnded(index, r.id, g.Name, topic.Name, old, ev.messages.unsubscribed, g.Name, topic.Name)
			continue
		}
		in.topic, in.topicView = topic, &ev.views[g.Name][t]
		active := r.advance(old, &in)
		if active != (ActiveAlert{}) {
			after.set(g.Name, topic.Name, active)
		}
		if in.known > 0 && (active.Firing || old.Firing) {
			ev.addCurrent(index, &in, old, active)
		}
	}
	ev.evaluateMissing(index, g, before, after)
}

// evaluateMissing handles the active alerts of topics that are not in the group.
func (ev *evaluation) evaluateMissing(index int, g *Group, before map[string]ActiveAlert, after activeAlerts) {
	if len(before) == 0 {
		return
	}
	present := make(map[string]bool, len(g.Topics))
	for _, t := range g.Topics {
		present[t.Name] = true
	}
	for topic, a := range before {
		switch {
		case present[topic]:
		case g.Complete && g.Err == nil:
			ev.addEnded(index, ev.rules[index].id, g.Name, topic, a, ev.messages.topicGone, g.Name, topic)
		default:
			after.set(g.Name, topic, a)
		}
	}
}

// endRemovedRules ends the alerts of rules that no longer exist.
func (ev *evaluation) endRemovedRules() {
	for i, old := range ev.prev.Rules {
		key := old.Rule.key()
		if slices.ContainsFunc(ev.rules, func(r rule) bool { return r.key == key }) {
			continue
		}
		for group, topics := range old.Topics {
			for topic, a := range topics {
				ev.addEnded(len(ev.rules)+i, old.Rule, group, topic, a, ev.messages.ruleGone, old.Rule.Alert)
			}
		}
	}
}

// recordUnsubscribed records the topics from which groups have unsubscribed. Only
// groups that were described show that, and a recorded group is described at every
// later poll, so that the alerts of its topics do not come back.
func (ev *evaluation) recordUnsubscribed() {
	for name, g := range ev.groups {
		var topics []string
		for _, t := range g.Topics {
			if t.Unsubscribed {
				topics = append(topics, t.Name)
			}
		}
		ev.next.setUnsubscribed(name, topics)
	}
	if ev.complete {
		return
	}
	for name, topics := range ev.prev.Unsubscribed {
		if ev.groups[name] == nil {
			ev.next.setUnsubscribed(name, topics)
		}
	}
}

// maxWorst is how many partitions an alert lists.
const maxWorst = 5

// worstPartitions returns the partitions with the highest lag, highest first.
func worstPartitions(partitions []Partition) []Partition {
	var out []Partition
	for _, p := range partitions {
		if !p.Known || p.Lag <= 0 {
			continue
		}
		switch {
		case out == nil:
			out = make([]Partition, 0, min(maxWorst, len(partitions)))
		case len(out) < maxWorst:
		case compareByLag(p, out[maxWorst-1]) > 0:
			continue
		default:
			out = out[:maxWorst-1]
		}
		i, _ := slices.BinarySearchFunc(out, p, compareByLag)
		out = slices.Insert(out, i, p)
	}
	return out
}

// compareByLag orders partitions by descending lag, then by id.
func compareByLag(a, b Partition) int {
	return cmp.Or(cmp.Compare(b.Lag, a.Lag), cmp.Compare(a.ID, b.ID))
}

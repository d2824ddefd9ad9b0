package lag

import (
	"cmp"
	"slices"
	"time"

	"tocsin/pkg/alert"
)

// Judge compares what is seen of one cluster with the rules. It does no I/O and
// looks at no clock: what it says follows from its arguments.
type Evaluator struct {
	cluster  string
	language string
	words    *messages
	rules    []rule
	// allowed and burrow are Config's AllowedLag and Burrow.
	allowed int64
	burrow  bool
}

// rule is a Rule that is for the cluster.
type rule struct {
	*Rule
	id     RuleID
	key    string
	others []func(*Rule, *ruleInput) result
}

// NewJudge returns the judge of a cluster. Built-in texts are in language, "zh"
// or "en".
func NewEvaluator(rules []Rule, cluster, language string) *Evaluator {
	j := &Evaluator{cluster: cluster, language: language, words: wordsIn(language), allowed: DefaultAllowedLag}
	seen := map[string]int{}
	for i := range rules {
		r := &rules[i]
		if !r.Match.Cluster.Match(cluster) || !r.judges() {
			continue
		}
		id := r.id()
		plain := id.key()
		id.Occurrence = seen[plain]
		seen[plain]++
		j.rules = append(j.rules, rule{Rule: r, id: id, key: id.key(), others: r.others()})
	}
	return j
}

// Seen judges what a poll at now saw. It returns the state to remember, and the
// alerts: those that fire, at every poll in which their topic was seen, with the
// current lag; and those that ended since prev, once. They are ordered by group,
// topic and rule. Rules that make the same alert speak as one, which fires while
// any of them does.
//
// An alert starts when its conditions were first seen to hold, not when `for` had
// passed, so that its message tells since when the consumer is behind. It ends
// at the poll that sees one of them not to hold, or the topic, the group or the
// rule gone, or nobody in the group who reads the topic. What was not seen stays
// as it was: a topic of which no partition is known, a group that was not read
// to its end, a list of groups cut short.
func (j *Evaluator) Evaluate(prev *ClusterState, snap *Snapshot, now time.Time) (*ClusterState, []*alert.Alert) {
	v := evaluation{Evaluator: j, now: now, snap: snap, next: &ClusterState{}}
	complete := snap.Complete && snap.Err == nil
	groups := make(map[string]*Group, len(snap.Groups))
	for i := range snap.Groups {
		groups[snap.Groups[i].Name] = &snap.Groups[i]
	}
	seen := make(map[string][]view, len(groups))
	for name, g := range groups {
		seen[name] = views(g.Topics)
	}
	for i := range j.rules {
		v.rule(i, prev, groups, seen, complete)
	}
	v.removed(prev)
	v.unsubscribed(prev, groups, complete)
	v.failures(prev, groups, complete)
	return v.next, v.alerts()
}

// verdict is one poll's judgement in the making.
type evaluation struct {
	*Evaluator
	now  time.Time
	snap *Snapshot
	next *ClusterState
	said []pendingAlert
}

// rule judges one rule.
func (v *evaluation) rule(i int, prev *ClusterState, groups map[string]*Group, seen map[string][]view, complete bool) {
	r := &v.rules[i]
	before := prev.topics(r.key)
	after := map[string]map[string]ActiveAlert{}
	s := &ruleInput{Evaluator: v.Evaluator, snap: v.snap, now: v.now}
	for name, g := range groups {
		if !r.Match.ConsumerGroup.Match(name) {
			continue
		}
		was := before[name]
		for t := range g.Topics {
			topic := &g.Topics[t]
			if !r.Match.Topic.Match(topic.Name) {
				continue
			}
			old := was[topic.Name]
			if topic.Unsubscribed {
				v.end(i, r.id, name, topic.Name, old, v.words.unsubscribed, name, topic.Name)
				continue
			}
			s.group, s.topic, s.view = g, topic, &seen[name][t]
			is := r.advance(old, r.find(s), v.now)
			if is != (ActiveAlert{}) {
				put(after, name, topic.Name, is)
			}
			if s.known > 0 && (is.Firing || old.Firing) {
				v.say(i, s, old, is)
			}
		}
		v.absent(i, g, was, after)
	}
	for name, was := range before {
		switch {
		case groups[name] != nil:
		case complete:
			for topic, e := range was {
				v.end(i, r.id, name, topic, e, v.words.groupGone, name, topic)
			}
		default:
			after[name] = was
		}
	}
	if len(after) > 0 {
		v.next.Rules = append(v.next.Rules, RuleAlerts{Rule: r.id, Topics: after})
	}
}

// absent judges the topics that were over the limit and are not in the group.
func (v *evaluation) absent(i int, g *Group, was map[string]ActiveAlert, after map[string]map[string]ActiveAlert) {
	if len(was) == 0 {
		return
	}
	present := make(map[string]bool, len(g.Topics))
	for _, t := range g.Topics {
		present[t.Name] = true
	}
	for topic, e := range was {
		switch {
		case present[topic]:
		case g.Complete && g.Err == nil:
			v.end(i, v.rules[i].id, g.Name, topic, e, v.words.topicGone, g.Name, topic)
		default:
			put(after, g.Name, topic, e)
		}
	}
}

// removed ends what rules fired that are no more.
func (v *evaluation) removed(prev *ClusterState) {
	if prev == nil {
		return
	}
	for i, old := range prev.Rules {
		key := old.Rule.key()
		if slices.ContainsFunc(v.rules, func(r rule) bool { return r.key == key }) {
			continue
		}
		for group, topics := range old.Topics {
			for topic, e := range topics {
				v.end(len(v.rules)+i, old.Rule, group, topic, e, v.words.ruleGone, old.Rule.Alert)
			}
		}
	}
}

// maxWorst is how many partitions an alert names.
const maxWorst = 5

// worst returns the partitions that are furthest behind, worst first.
func worst(partitions []Partition) []Partition {
	var out []Partition
	for _, p := range partitions {
		if !p.Known || p.Lag <= 0 {
			continue
		}
		switch {
		case out == nil:
			out = make([]Partition, 0, min(maxWorst, len(partitions)))
		case len(out) < maxWorst:
		case further(p, out[maxWorst-1]) > 0:
			continue
		default:
			out = out[:maxWorst-1]
		}
		i, _ := slices.BinarySearchFunc(out, p, further)
		out = slices.Insert(out, i, p)
	}
	return out
}

// further orders partitions by how far they are behind, and by number.
func further(a, b Partition) int { return cmp.Or(cmp.Compare(b.Lag, a.Lag), cmp.Compare(a.ID, b.ID)) }

package lag

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tocsin/pkg/alert"
)

// Judge compares what is seen of one cluster with the rules. It does no I/O and
// looks at no clock: what it says follows from its arguments.
type Judge struct {
	cluster  string
	language string
	words    *words
	rules    []rule
}

// rule is a Rule that is for the cluster.
type rule struct {
	*Rule
	id  RuleID
	key string
}

// NewJudge returns the judge of a cluster. Built-in texts are in language, "zh"
// or "en".
func NewJudge(rules []Rule, cluster, language string) *Judge {
	j := &Judge{cluster: cluster, language: language, words: wordsIn(language)}
	seen := map[string]int{}
	for i := range rules {
		r := &rules[i]
		if !r.Match.Cluster.Match(cluster) || r.MaxLag == nil {
			continue
		}
		id := r.id()
		plain := id.key()
		id.Repeated = seen[plain]
		seen[plain]++
		j.rules = append(j.rules, rule{Rule: r, id: id, key: id.key()})
	}
	return j
}

func (r *Rule) id() RuleID {
	id := RuleID{
		Alert:   r.Alert,
		Cluster: r.Match.Cluster.String(), ConsumerGroup: r.Match.ConsumerGroup.String(), Topic: r.Match.Topic.String(),
	}
	for name, text := range r.Labels {
		if id.Labels == nil {
			id.Labels = map[string]string{}
		}
		id.Labels[name] = text.String()
	}
	return id
}

// Seen judges what a poll at now saw. It returns the state to remember, and the
// alerts: those that fire, at every poll in which their topic was seen, with the
// current lag; and those that ended since prev, once. They are ordered by group,
// topic and rule. Rules that make the same alert speak as one, which fires while
// any of them does.
//
// An alert starts when the lag was first seen over the limit, not when `for` had
// passed, so that its message tells since when the consumer is behind. It ends
// at the poll that sees the lag low enough, or the topic, the group or the rule
// gone. What was not seen stays as it was: a topic of which no partition is
// known, a group that was not read to its end, a list of groups cut short.
func (j *Judge) Seen(prev *State, snap *Snapshot, now time.Time) (*State, []*alert.Alert) {
	v := verdict{Judge: j, now: now, next: &State{}}
	groups := make(map[string]*Group, len(snap.Groups))
	for i := range snap.Groups {
		groups[snap.Groups[i].Name] = &snap.Groups[i]
	}
	totals := make(map[string][]total, len(groups))
	for name, g := range groups {
		totals[name] = sums(g.Topics)
	}
	for i := range j.rules {
		v.rule(i, prev, groups, totals, snap.Complete)
	}
	v.removed(prev)
	v.failures(prev, groups, snap.Complete)
	return v.next, v.alerts()
}

// verdict is one poll's judgement in the making.
type verdict struct {
	*Judge
	now  time.Time
	next *State
	said []statement
}

// rule judges one rule.
func (v *verdict) rule(i int, prev *State, groups map[string]*Group, totals map[string][]total, complete bool) {
	r := &v.rules[i]
	before := prev.topics(r.key)
	after := map[string]map[string]Entry{}
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
			seen := totals[name][t]
			old := was[topic.Name]
			is := r.advance(old, seen, v.now)
			if is != (Entry{}) {
				put(after, name, topic.Name, is)
			}
			if seen.known > 0 && (is.Firing || old.Firing) {
				v.say(i, name, topic, seen, old, is)
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
		v.next.Rules = append(v.next.Rules, RuleState{Rule: r.id, Topics: after})
	}
}

// absent judges the topics that were over the limit and are not in the group.
func (v *verdict) absent(i int, g *Group, was map[string]Entry, after map[string]map[string]Entry) {
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
func (v *verdict) removed(prev *State) {
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

// advance is what becomes of a topic, by what it was and what is seen. With some
// partitions unknown, the lag is at least what is seen:
//
//	seen                            nothing   pending            firing
//	no partition known              nothing   pending            firing
//	> max_lag, some or all known    pending*  pending or firing  firing
//	low, some known                 nothing   pending            firing
//	low, all known                  nothing   nothing            ends
//	between, all known              nothing   nothing            firing
//
// low is <= max_lag, or < clear_below where that is set; between is from
// clear_below to max_lag. (*) and firing at once without `for`; pending becomes
// firing when `for` has passed since it began, by the clock, however many polls
// were late or missed.
func (r *Rule) advance(was Entry, seen total, now time.Time) Entry {
	switch {
	case seen.known == 0:
		return was
	case seen.lag > *r.MaxLag:
		if was.Since.IsZero() {
			was.Since = now
		}
		was.Firing = was.Firing || now.Sub(was.Since) >= r.For.Std()
		return was
	case seen.unknown > 0:
		return was
	case was.Firing && r.ClearBelow != nil && seen.lag >= *r.ClearBelow:
		return was
	default:
		return Entry{}
	}
}

// total is what is known of a topic.
type total struct {
	lag            int64 // the sum of the known partitions
	known, unknown int
}

func sums(topics []Topic) []total {
	out := make([]total, len(topics))
	for i := range topics {
		out[i] = sum(topics[i].Partitions)
	}
	return out
}

func sum(partitions []Partition) total {
	var t total
	for i := range partitions {
		p := &partitions[i]
		if !p.Known {
			t.unknown++
			continue
		}
		t.known++
		t.lag += min(max(p.Lag, 0), math.MaxInt64-t.lag)
	}
	return t
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

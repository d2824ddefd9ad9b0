package lag

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/humanize"
	"tocsin/pkg/setting"
)

// ByGroup is the value of Rule.By of a rule about the lag of whole groups.
const ByGroup = "group"

// GroupState is a state of a consumer group in Rule.State.
type GroupState string

const (
	GroupEmpty       GroupState = "empty"       // it has no members
	GroupDead        GroupState = "dead"        // it does not exist
	GroupRebalancing GroupState = "rebalancing" // its members read nothing until they are assigned partitions
)

var groupStates = []GroupState{GroupEmpty, GroupDead, GroupRebalancing}

// groupStatesOf maps the states of every group protocol to those of rules.
var groupStatesOf = map[string]GroupState{
	"empty": GroupEmpty, "dead": GroupDead,
	"preparingrebalance": GroupRebalancing, "completingrebalance": GroupRebalancing, // classic
	"assigning": GroupRebalancing, "reconciling": GroupRebalancing, // consumer and streams
}

// isAboutGroups reports whether the rule is evaluated for each group, not for each topic.
func (r *Rule) isAboutGroups() bool { return r.By == ByGroup || r.needsDescription() }

// needsDescription reports whether the rule needs the state or the members of every
// group that it matches.
func (r *Rule) needsDescription() bool { return len(r.State) > 0 || r.MembersBelow > 0 || r.Required }

// groupName returns the only group that the rule matches, "" if it may match several. A
// group that is named need not exist to raise an alert.
func (r *Rule) groupName() string {
	name, _ := literal(r.Match.ConsumerGroup.String())
	return name
}

func (r *Rule) validateGroups(f *setting.Faults) {
	if r.By != "" && r.By != ByGroup {
		f.Addf("by", "%q is not %s: leave it out for a rule about single topics", r.By, ByGroup)
	}
	for i, s := range r.State {
		if !slices.Contains(groupStates, s) {
			f.In("state", i).Addf("", "%q is not one of empty, dead, rebalancing", string(s))
		}
	}
	if r.MembersBelow < 0 {
		f.Addf("members_below", "must be 1 or more, not %d", r.MembersBelow)
	}
	if !r.isAboutGroups() {
		return
	}
	if len(r.otherConditions()) > 0 || r.MaxLag != nil && r.By != ByGroup {
		f.Addf("", "has conditions on topics and conditions on groups: use a rule for each, or max_lag with by: group")
	}
	if r.By == ByGroup && r.MaxLag == nil {
		f.Addf("max_lag", "is missing: by: group is for rules with it")
	}
	if r.Required && (len(r.State) > 0 || r.MembersBelow > 0 || r.MaxLag != nil) {
		f.Addf("required", "is met while the group does not exist: use a rule of its own")
	}
	if r.Required && r.groupName() == "" {
		f.Addf("required", "needs the name of one group as match.consumer_group")
	}
}

// groupInput is a group on which a rule about groups is evaluated.
type groupInput struct {
	name    string
	group   *Group     // nil for one that the snapshot lacks
	state   GroupState // "" for any other
	known   bool       // whether the state and the members are
	members int
	lagSum  // of the topics that the rule matches
}

// groupInput returns the input of a rule about a group.
func (e *Evaluator) groupInput(r *Rule, name string, g *Group, complete bool) groupInput {
	in := groupInput{name: name, group: g}
	if g == nil {
		in.known, in.state = complete, GroupDead
		return in
	}
	in.known, in.state, in.members = g.State != "", groupStatesOf[strings.ToLower(g.State)], len(g.Members)
	if in.state == GroupDead && len(g.Topics) > 0 {
		in.state = "" // commits without members
	}
	for _, t := range g.Topics {
		if r.Match.Topic.Match(t.Name) && !t.Unsubscribed {
			in.add(sumLag(t.Partitions))
		}
	}
	if g.Err != nil || !g.Complete {
		in.unknown++
	}
	return in
}

func (s *lagSum) add(other lagSum) {
	s.lag = sumLag([]Partition{{Lag: s.lag, Known: true}, {Lag: other.lag, Known: true}}).lag
	s.known, s.unknown, s.uncommitted = s.known+other.known, s.unknown+other.unknown, s.uncommitted+other.uncommitted
}

// evaluateGroupConditions evaluates the conditions of a rule about groups.
func (r *Rule) evaluateGroupConditions(in *groupInput) result {
	res := met
	condition := func(known, isMet bool) {
		switch {
		case !known:
			res = min(res, unknown)
		case !isMet:
			res = notMet
		}
	}
	if r.MaxLag != nil {
		res = r.checkMaxLag(in.lagSum)
	}
	if len(r.State) > 0 {
		condition(in.known, slices.Contains(r.State, in.state))
	}
	if r.MembersBelow > 0 {
		condition(in.known, in.members < r.MembersBelow)
	}
	if r.Required {
		hasCommits := in.group != nil && len(in.group.Topics) > 0
		condition(in.known || hasCommits, in.state == GroupDead)
	}
	return res
}

// describesGroup reports whether a group is described for a rule about groups: for its
// state and members, or before an alert about the lag, because its members may have
// unsubscribed from a topic.
func (e *Evaluator) describesGroup(g *Group) bool {
	return slices.ContainsFunc(e.rules, func(r rule) bool {
		if !r.isAboutGroups() || !r.Match.ConsumerGroup.Match(g.Name) {
			return false
		}
		in := e.groupInput(r.Rule, g.Name, g, true)
		return len(r.State) > 0 || r.MembersBelow > 0 || r.Required && len(g.Topics) == 0 || r.MaxLag != nil && r.evaluateGroupConditions(&in) == met
	})
}

// eachNamedGroup calls do for every group that a rule about groups names.
func (e *Evaluator) eachNamedGroup(do func(group, topic string)) {
	for _, r := range e.rules {
		if name := r.groupName(); name != "" && r.needsDescription() {
			do(name, "")
		}
	}
}

// evaluateGroupRule evaluates a rule about groups on all groups.
func (ev *evaluation) evaluateGroupRule(index int) {
	r := &ev.rules[index]
	before, after := ev.prev.topics(r.key), activeAlerts{}
	names := map[string]bool{}
	if name := r.groupName(); name != "" && r.needsDescription() && ev.filter.Match(name) {
		names[name] = true
	}
	for name := range ev.groups {
		names[name] = names[name] || r.Match.ConsumerGroup.Match(name)
	}
	for name, topics := range before {
		old := topics[""]
		for topic, a := range topics {
			if topic != "" { // of the rule when it was about topics
				ev.addEnded(index, r.id, name, topic, a, ev.messages.ruleGone, r.Alert)
			}
		}
		switch {
		case names[name]:
		case ev.complete:
			ev.addEnded(index, r.id, name, "", old, ev.messages.wholeGroupGone, name)
		default:
			after.set(name, "", old)
		}
	}
	for name, matches := range names {
		if matches {
			ev.evaluateGroupAlert(index, name, before[name][""], after)
		}
	}
	if len(after) > 0 {
		ev.next.Rules = append(ev.next.Rules, RuleAlerts{Rule: r.id, Topics: after})
	}
}

// evaluateGroupAlert evaluates a rule about groups on one group.
func (ev *evaluation) evaluateGroupAlert(index int, name string, old ActiveAlert, after activeAlerts) {
	r := &ev.rules[index]
	in := ev.groupInput(r.Rule, name, ev.groups[name], ev.complete)
	res := r.evaluateGroupConditions(&in)
	active := r.Rule.advance(old, res, ev.now, ev.now)
	if active != (ActiveAlert{}) {
		after.set(name, "", active)
	}
	if res != unknown && (active.Firing || old.Firing) {
		ev.addGroupAlert(index, &in, old, active)
	}
}

// addGroupAlert adds the alert of a group: it fires, or it did.
func (ev *evaluation) addGroupAlert(index int, in *groupInput, old, active ActiveAlert) {
	r := &ev.rules[index]
	data := TemplateData{Labels: ev.alertLabels(r.Alert, r.Labels, in.name, ""), Value: setting.Value(in.lag), Lag: in.lag, UnknownPartitions: in.unknown}
	a := &alert.Alert{Labels: data.Labels, StartsAt: active.Since, Annotations: alert.Labels{}}
	if r.MaxLag != nil {
		data.Threshold = *r.MaxLag
		a.Annotations[alert.LagAnnotation], a.Annotations[alert.ThresholdAnnotation] = alert.FormatCount(data.Lag), alert.FormatCount(data.Threshold)
	}
	a.Annotations.SetNonEmpty(alert.SourceAnnotation, ev.snap.Source)
	summary := ev.messages.groupSummary(r.Rule, in)
	if !active.Firing {
		a.StartsAt, a.EndsAt = old.Since, ev.now
		summary = fmt.Sprintf(ev.messages.groupResolved, in.name)
	}
	if _, custom := r.Annotations[alert.SummaryAnnotation]; !custom {
		a.SetSummary(summary)
	}
	for name, template := range r.Annotations {
		a.Annotations.SetNonEmpty(name, template.Expand(data))
	}
	ev.pending = append(ev.pending, pendingAlert{in.name, "", index, a})
}

// groupSummary returns the summary of a firing alert about a group.
func (m *messages) groupSummary(r *Rule, in *groupInput) string {
	var parts []string
	if (len(r.State) > 0 || r.Required) && m.groupStates[in.state] != "" {
		parts = append(parts, m.groupStates[in.state])
	}
	if r.MembersBelow > 0 {
		parts = append(parts, fmt.Sprintf(m.membersBelow, in.members, r.MembersBelow))
	}
	if r.MaxLag != nil {
		parts = append(parts, fmt.Sprintf(m.lagLimit, humanize.Int(in.lag), humanize.Int(*r.MaxLag)))
	}
	return fmt.Sprintf(m.groupProblem, in.name, strings.Join(parts, m.separator))
}

// warnUnwatchedGroup warns of a rule that requires a group which a cluster's filter
// leaves out: to the rule it is not known whether the group exists.
func (c *Config) warnUnwatchedGroup(f *setting.Faults, r *Rule) {
	name := r.groupName()
	for _, cl := range c.Clusters {
		if r.Required && name != "" && r.Match.Cluster.Match(cl.Name) && !cl.Groups.Match(name) {
			f.Warnf("required", "groups of the cluster %s leave out %s, so the rule never fires there", cl.Name, name)
		}
	}
}

package lag

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tocsin/pkg/lag/trend"
)

// Poller reads one cluster and makes the follow-up queries that its rules need: the
// age of unread messages, and the members of groups that seem to have stalled.
type Poller struct {
	Config  *Config
	Cluster string
	Reader  Reader
	// State and Window are those after the last poll; nil for none. Poll adds its
	// snapshot to the Window.
	State  *ClusterState
	Window *trend.Window
	// AllAges queries the age of unread messages in all partitions, not only in
	// those for which a rule has max_delay.
	AllAges bool
}

// Poll reads the cluster. Its error is the Reader's. An error of a follow-up query
// is in the PartialErr of its Group.
func (p *Poller) Poll(ctx context.Context, now time.Time) (*Snapshot, error) {
	read, err := p.Reader.Read(ctx)
	if err == nil && read == nil {
		err = errors.New("the reader returned nothing")
	}
	if err != nil {
		return nil, err
	}
	snap := *read
	reader := snap.Reader
	if reader == nil {
		reader = p.Reader
	}
	e := p.Config.evaluator(p.Cluster, "")
	if v, ok := reader.(Verifier); ok {
		p.verifyMissing(ctx, v, &snap)
	}
	if p.Window != nil {
		// The window needs the members of groups that had stalled before, and
		// shows which groups have stalled now.
		d, ok := reader.(Describer)
		ok = ok && e.needsMembers()
		if ok {
			p.describeStalled(ctx, e, d, &snap)
		}
		p.Window.Add(now, trendGroups(&snap), snap.Complete && snap.Err == nil, true)
		p.readTails(ctx, e, reader, &snap)
		if ok {
			p.describeStalled(ctx, e, d, &snap)
		}
		if tr, ok := reader.(TransactionReader); ok && e.needsMembers() {
			p.readTransactions(ctx, e, tr, &snap)
		}
		snap.Trend = p.Window
	}
	p.queryAges(ctx, e, reader, &snap, now)
	if d, ok := reader.(Describer); ok {
		p.describe(ctx, d, &snap, e.describesGroup)
		p.describeFiring(ctx, e, d, &snap, now)
	}
	return &snap, nil
}

// verifyMissing adds to a snapshot the groups and topics that it lacks since the last poll
// and that are not known to be gone: a list may leave out some that exist.
func (p *Poller) verifyMissing(ctx context.Context, v Verifier, snap *Snapshot) {
	missing := p.missing(snap)
	if len(missing) == 0 {
		return
	}
	groups := make(map[string]*Group, len(snap.Groups))
	for i := range snap.Groups {
		groups[snap.Groups[i].Name] = &snap.Groups[i]
	}
	var added []Group
	for _, found := range v.Verify(ctx, missing) {
		if g := groups[found.Name]; g != nil {
			g.Topics = slices.Concat(g.Topics, found.Topics)
			g.Complete, g.Err = g.Complete && found.Complete, cmp.Or(g.Err, found.Err)
		} else {
			added = append(added, found)
		}
	}
	snap.Groups = slices.Concat(snap.Groups, added)
}

// missing returns the groups, without topics, and the topics of groups that the last
// poll had or that have alerts, and that a complete snapshot lacks.
func (p *Poller) missing(snap *Snapshot) []Group {
	present := make(map[string]*Group, len(snap.Groups))
	for i := range snap.Groups {
		present[snap.Groups[i].Name] = &snap.Groups[i]
	}
	groupsComplete := snap.Complete && snap.Err == nil
	groups, topics := p.Config.filters(p.Cluster)
	missing := map[string]map[string]bool{} // topics by group, none of a group that is missing
	add := func(group, topic string) {
		g := present[group]
		isTopic := func(t Topic) bool { return t.Name == topic }
		switch {
		case !groups.Match(group) || g == nil && !groupsComplete:
			return
		case g != nil && (topic == "" || !topics.Match(topic) || !g.Complete || g.Err != nil || slices.ContainsFunc(g.Topics, isTopic)):
			return
		case missing[group] == nil:
			missing[group] = map[string]bool{}
		}
		if g != nil {
			missing[group][topic] = true
		}
	}
	p.State.eachTopic(add)
	p.Config.evaluator(p.Cluster, "").eachNamedGroup(add)
	if p.Window != nil {
		for group, topic := range p.Window.Topics() {
			add(group, topic)
		}
	}
	var out []Group
	for _, name := range sortedKeys(missing) {
		g := Group{Name: name}
		for _, topic := range sortedKeys(missing[name]) {
			g.Topics = append(g.Topics, Topic{Name: topic})
		}
		out = append(out, g)
	}
	return out
}

// readTransactions reads the transactions that may hold back consumers: in partitions
// with hanging ones, and where a group has members that stand still.
func (p *Poller) readTransactions(ctx context.Context, e *Evaluator, r TransactionReader, snap *Snapshot) {
	var queries []GroupPartition
	var targets []*Partition
	allowed := e.leastAllowedLag()
	for i := range snap.Groups {
		g := &snap.Groups[i]
		for t := range g.Topics {
			topic := &g.Topics[t]
			for i := range topic.Partitions {
				part := &topic.Partitions[i]
				open, behind := part.HighWatermark > part.End, members(g) == trend.HasMembers && part.Lag > part.allowed(allowed)
				if !part.Known || topic.Unsubscribed || !open && !behind || len(queries) >= maxTails {
					continue
				}
				if s := p.Window.Partition(g.Name, topic.Name, part.ID, allowed).State; s == trend.HungTransaction || s == trend.Stalled {
					queries, targets = append(queries, GroupPartition{g.Name, topic.Name, *part}), append(targets, part)
				}
			}
		}
	}
	if len(queries) == 0 {
		return
	}
	for i, transaction := range r.ReadTransactions(ctx, queries) {
		targets[i].Transaction = transaction
	}
}

// maxTails bounds of how many partitions the tails are read at a poll, and the
// transactions.
const maxTails = 2000

// readTails finds out whether partitions whose group and log end stand still have unread
// messages or only the markers of transactions. The result stays until the commit moves,
// so that an idle topic is read once.
func (p *Poller) readTails(ctx context.Context, e *Evaluator, reader Reader, snap *Snapshot) {
	type topicKey struct{ group, topic string }
	var queries []GroupPartition
	if tails, ok := reader.(TailReader); ok && e.needsTails() {
		for i := range snap.Groups {
			g := &snap.Groups[i]
			for t := range g.Topics {
				topic := &g.Topics[t]
				lags := func(p Partition) bool { return p.Known && p.Lag > 0 }
				if topic.Unsubscribed || len(queries) >= maxTails || !slices.ContainsFunc(topic.Partitions, lags) {
					continue
				}
				idle := p.Window.Idle(g.Name, topic.Name)
				for _, part := range topic.Partitions {
					if lags(part) && slices.Contains(idle, part.ID) {
						queries = append(queries, GroupPartition{g.Name, topic.Name, part})
					}
				}
			}
		}
		queries = queries[:min(len(queries), maxTails)]
		found := map[topicKey][]trend.PartitionTail{}
		if len(queries) > 0 {
			for i, tail := range tails.ReadTails(ctx, queries) {
				if q := queries[i]; tail != TailUnknown {
					key := topicKey{q.Group, q.Topic}
					found[key] = append(found[key], trend.PartitionTail{ID: q.ID, Tail: tail, End: q.End})
				}
			}
		}
		for key, tails := range found {
			p.Window.SetTails(key.group, key.topic, tails)
		}
	}
	for i := range snap.Groups {
		g := &snap.Groups[i]
		for t := range g.Topics {
			p.setTails(g, &g.Topics[t])
		}
	}
}

// setTails sets the known content of the unread offsets of a topic's partitions.
func (p *Poller) setTails(g *Group, topic *Topic) {
	for tail := range p.Window.Tails(g.Name, topic.Name) {
		for i := range topic.Partitions {
			part := &topic.Partitions[i]
			if part.ID != tail.ID || !part.Known {
				continue
			}
			if part.Unread = tail.Tail; tail.Tail == TailMarkers {
				part.Markers = tail.End - part.Committed
			}
		}
	}
}

// allowed returns the allowed lag of a partition: none of a message, and as many as
// there are of markers.
func (p *Partition) allowed(lag int64) int64 {
	switch p.Unread {
	case TailMessage:
		return 0
	case TailMarkers:
		return max(lag, p.Markers)
	default:
		return lag
	}
}

// needsTails reports whether a rule depends on unread messages of idle partitions.
func (e *Evaluator) needsTails() bool {
	return !e.burrow && slices.ContainsFunc(e.rules, func(r rule) bool { return len(r.Status) > 0 || r.Lost || r.MaxDelay > 0 })
}

// needsWindow reports whether the rules need the window for more than the history of
// alerts. For max_delay it is needed where timestamps are not known, and for a rule that
// takes the age from the history.
func (e *Evaluator) needsWindow() bool {
	for i := range e.rules {
		switch r := &e.rules[i]; {
		case len(r.Status) > 0, r.GrowingFor > 0, r.MaxDelay > 0:
			return true
		}
	}
	return false
}

// describeStalled describes the groups that have stalled according to the window,
// and those with topics from which they had unsubscribed.
func (p *Poller) describeStalled(ctx context.Context, e *Evaluator, d Describer, snap *Snapshot) {
	p.describe(ctx, d, snap, func(g *Group) bool { return len(p.unsubscribed(g.Name)) > 0 || e.hasStalled(p.Window, g) })
}

// describeFiring describes the groups about which an alert would fire although their
// members have nothing to do with its conditions: the group may have unsubscribed from
// the topic. If that fails, the alert fires.
func (p *Poller) describeFiring(ctx context.Context, e *Evaluator, d Describer, snap *Snapshot, now time.Time) {
	active := make([]activeAlerts, len(e.rules))
	for i := range e.rules {
		active[i] = p.State.topics(e.rules[i].key)
	}
	for _, i := range p.describe(ctx, d, snap, func(g *Group) bool {
		return len(p.unsubscribed(g.Name)) > 0 || e.wouldFire(snap, g, active, now)
	}) {
		snap.Groups[i].PartialErr = nil
	}
}

// needsMembers reports whether a rule needs the members of groups that have stalled.
func (e *Evaluator) needsMembers() bool {
	return slices.ContainsFunc(e.rules, func(r rule) bool { return len(r.Status) > 0 })
}

// wouldFire reports whether a rule without Status fires, or becomes pending, for a topic
// of a group. One with Status has described the group, or the consumer commits.
func (e *Evaluator) wouldFire(snap *Snapshot, g *Group, active []activeAlerts, now time.Time) bool {
	in := e.input(snap, now, g, nil, &topicView{})
	for t := range g.Topics {
		in.topic = &g.Topics[t]
		*in.topicView = topicView{lagSum: sumLag(in.topic.Partitions)}
		for i := range e.rules {
			r := &e.rules[i]
			if len(r.Status) == 0 && !r.isAboutGroups() && r.matches(g.Name, in.topic.Name) &&
				in.known > 0 && r.advance(active[i][g.Name][in.topic.Name], &in) != (ActiveAlert{}) {
				return true
			}
		}
	}
	return false
}

// describe describes the selected groups, unless that was done already in this poll. It
// returns the indexes of those.
func (p *Poller) describe(ctx context.Context, d Describer, snap *Snapshot, selected func(*Group) bool) (indexes []int) {
	for i := range snap.Groups {
		g := &snap.Groups[i]
		if g.State == "" && g.PartialErr == nil && selected(g) {
			indexes = append(indexes, i)
		}
	}
	if len(indexes) == 0 {
		return nil
	}
	groups := make([]Group, len(indexes))
	for n, i := range indexes {
		groups[n] = snap.Groups[i]
	}
	d.Describe(ctx, groups)
	for n, i := range indexes {
		g := &groups[n]
		if g.PartialErr != nil {
			p.setUndescribed(g)
		}
		snap.Groups[i] = *g
	}
	return indexes
}

// setUndescribed completes a group that could not be described: its last known
// subscriptions stay.
func (p *Poller) setUndescribed(g *Group) {
	for t := range g.Topics {
		topic := &g.Topics[t]
		topic.Unsubscribed = slices.Contains(p.unsubscribed(g.Name), topic.Name)
	}
	g.PartialErr = &partialError{g.PartialErr, func(m *messages, cause string) string { return fmt.Sprintf(m.undescribed, cause) }}
}

// unsubscribed returns the topics from which a group had unsubscribed at the last
// poll.
func (p *Poller) unsubscribed(group string) []string {
	if p.State == nil {
		return nil
	}
	return p.State.Unsubscribed[group]
}

// hasStalled reports whether a group, according to the window, has unread messages
// in a topic and does not commit, or a commit beyond the log end. A partition that this
// poll could not read may still have them.
func (e *Evaluator) hasStalled(w *trend.Window, g *Group) bool {
	allowed := e.leastAllowedLag()
	for t := range g.Topics {
		topic := &g.Topics[t]
		lags := func(p Partition) bool {
			return !p.Known && p.Reason != NoCommit || p.Lag > p.allowed(allowed) || p.Committed > p.End
		}
		if !slices.ContainsFunc(topic.Partitions, lags) {
			continue
		}
		if s := w.Topic(g.Name, topic.Name, allowed).State; s == trend.Stalled || s == trend.Stopped || s == trend.Ahead {
			return true
		}
	}
	return false
}

// trendGroups converts the groups of a snapshot for a Window.
func trendGroups(snap *Snapshot) []trend.Group {
	n := 0
	for i := range snap.Groups {
		for _, t := range snap.Groups[i].Topics {
			n += len(t.Partitions)
		}
	}
	partitions := make([]trend.Partition, 0, n)
	out := make([]trend.Group, len(snap.Groups))
	for i := range snap.Groups {
		g := &snap.Groups[i]
		out[i] = trend.Group{Name: g.Name, Members: members(g), Complete: g.Complete && g.Err == nil, Topics: make([]trend.Topic, len(g.Topics))}
		for t := range g.Topics {
			topic, from := &g.Topics[t], len(partitions)
			for _, p := range topic.Partitions {
				converted := trend.Partition{ID: p.ID}
				if p.Known {
					converted = trend.Partition{ID: p.ID, Committed: p.Committed, End: p.End, Start: p.Start, Lag: p.Lag, Known: true, OpenTransaction: p.HighWatermark > p.End}
				}
				partitions = append(partitions, converted)
			}
			out[i].Topics[t] = trend.Topic{Name: topic.Name, Unsubscribed: topic.Unsubscribed, Partitions: partitions[from:len(partitions):len(partitions)]}
		}
	}
	return out
}

func members(g *Group) trend.Members {
	switch {
	case g.State == "":
		return trend.MembersUnknown
	case len(g.Members) == 0:
		return trend.NoMembers
	default:
		return trend.HasMembers
	}
}

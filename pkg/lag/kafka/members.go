package kafka

import (
	"context"
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
)

// Describe sets the State and Members of groups that Read returned, and which
// of their topics are Unsubscribed; the PartialErr, of type *Error, of groups that
// cannot be described. It makes one request to find the coordinators, and one to each
// of them for each type of groups. Groups of unknown type, which Kafka before 3.8
// lists, are requested as one type after the other.
func (r *Reader) Describe(ctx context.Context, groups []lag.Group) {
	ctx, cancel := context.WithTimeout(ctx, maxReadTime)
	defer cancel()
	if len(groups) == 0 {
		return
	}
	found := make([]*group, len(groups))
	for i := range groups {
		found[i] = &group{name: groups[i].Name, typ: groups[i].Type}
	}
	coordinatorCtx, cancelCoordinator := splitDeadline(ctx, 2)
	r.findCoordinators(coordinatorCtx, found)
	cancelCoordinator()
	byNode := map[int32][]*group{}
	for _, g := range found {
		if g.err == nil {
			byNode[g.node] = append(byNode[g.node], g)
		}
	}
	forEach(byNode, func(node int32, groups []*group) { r.describe(ctx, node, groups) })
	for i, g := range found {
		switch {
		case g.err != nil:
			groups[i].PartialErr = g.err
		case g.description == nil:
			groups[i].State = "Dead"
		default:
			g.description.addTo(&groups[i])
		}
	}
}

// groupDescription is the description of a group by its coordinator.
type groupDescription struct {
	state      string
	members    []lag.Member
	subscribed map[string]bool // topics
	// patterns match the topics that members subscribe to besides.
	patterns []*regexp.Regexp
	// incomplete is whether a member may subscribe to further topics.
	incomplete bool
}

// describers request the descriptions of groups of one type from a coordinator. They
// set the description or the err of those that it knows as such.
var describers = []struct {
	typ      string
	describe func(*Reader, context.Context, int32, []*group) *Error
}{
	{typeClassic, (*Reader).describeClassic},
	{typeConsumer, (*Reader).describeConsumer},
	{typeStreams, (*Reader).describeStreams},
	{typeShare, (*Reader).describeShare},
}

// describe describes groups of one coordinator. Those that it does not know in any type
// stay without a description.
func (r *Reader) describe(ctx context.Context, node int32, groups []*group) {
	for _, d := range describers {
		var batch []*group
		for _, g := range groups {
			if g.err == nil && g.description == nil && (g.typ == d.typ || g.typ == "") {
				batch = append(batch, g)
			}
		}
		if len(batch) == 0 {
			continue
		}
		if err := d.describe(r, ctx, node, batch); err != nil && !err.unsupported() {
			setErrors(batch, err)
		}
	}
}

// setDescription sets the result of describing a group as one type. A group of another
// type is reported as one that does not exist, or whose type is not enabled.
func (g *group) setDescription(code int16, describe func() *groupDescription) {
	switch {
	case g == nil || code == kerr.GroupIDNotFound.Code || code == kerr.UnsupportedVersion.Code:
	case code != 0:
		g.err = codeError(code, groupSubject(g.name))
	default:
		g.description = describe()
	}
}

func byName(groups []*group) (m map[string]*group, names []string) {
	m = make(map[string]*group, len(groups))
	for _, g := range groups {
		m[g.name] = g
		names = append(names, g.name)
	}
	return m, names
}

func (r *Reader) describeClassic(ctx context.Context, node int32, groups []*group) *Error {
	found, names := byName(groups)
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = names
	resp, err := requestBroker[*kmsg.DescribeGroupsResponse](ctx, r, node, req)
	if err != nil {
		return err
	}
	for i := range resp.Groups {
		// Before Kafka 4, a group of another type is one that is dead.
		if d := &resp.Groups[i]; d.ErrorCode != 0 || d.State != "Dead" {
			found[d.Group].setDescription(d.ErrorCode, func() *groupDescription { return parseClassic(d) })
		}
	}
	return nil
}

func (r *Reader) describeConsumer(ctx context.Context, node int32, groups []*group) *Error {
	found, names := byName(groups)
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = names
	resp, err := requestBroker[*kmsg.ConsumerGroupDescribeResponse](ctx, r, node, req)
	if err != nil {
		return err
	}
	for i := range resp.Groups {
		d := &resp.Groups[i]
		found[d.Group].setDescription(d.ErrorCode, func() *groupDescription { return parseConsumer(d) })
	}
	return nil
}

func (r *Reader) describeStreams(ctx context.Context, node int32, groups []*group) *Error {
	found, names := byName(groups)
	req := kmsg.NewPtrStreamsGroupDescribeRequest()
	req.Groups = names
	resp, err := requestBroker[*kmsg.StreamsGroupDescribeResponse](ctx, r, node, req)
	if err != nil {
		return err
	}
	for i := range resp.Groups {
		d := &resp.Groups[i]
		found[d.Group].setDescription(d.ErrorCode, func() *groupDescription { return parseStreams(d) })
	}
	return nil
}

func (r *Reader) describeShare(ctx context.Context, node int32, groups []*group) *Error {
	found, names := byName(groups)
	req := kmsg.NewPtrShareGroupDescribeRequest()
	req.GroupIDs = names
	resp, err := requestBroker[*kmsg.ShareGroupDescribeResponse](ctx, r, node, req)
	if err != nil {
		return err
	}
	for i := range resp.Groups {
		d := &resp.Groups[i]
		found[d.GroupID].setDescription(d.ErrorCode, func() *groupDescription { return parseShare(d) })
	}
	return nil
}

// parseClassic parses the description of a classic group, whose members assign
// the partitions. The brokers do not interpret the members' metadata, which may
// be in any format: what cannot be parsed is left out.
func parseClassic(d *kmsg.DescribeGroupsResponseGroup) *groupDescription {
	out := &groupDescription{state: d.State, subscribed: map[string]bool{}}
	for _, m := range d.Members {
		member := lag.Member{ClientID: m.ClientID, Host: m.ClientHost, Partitions: map[string][]int32{}}
		var assigned kmsg.ConsumerMemberAssignment
		if d.ProtocolType == "consumer" && assigned.ReadFrom(m.MemberAssignment) == nil {
			for _, t := range assigned.Topics {
				member.Partitions[t.Topic] = t.Partitions
			}
		}
		var subscription kmsg.ConsumerMemberMetadata
		if d.ProtocolType == "consumer" && subscription.ReadFrom(m.ProtocolMetadata) == nil {
			for _, topic := range subscription.Topics {
				out.subscribed[topic] = true
			}
		} else {
			out.incomplete = true
		}
		out.members = append(out.members, member)
	}
	return out
}

// parseConsumer parses the description of a group of the consumer protocol (KIP-848).
// A pattern of a member is RE2, as Go's.
func parseConsumer(d *kmsg.ConsumerGroupDescribeResponseGroup) *groupDescription {
	out := &groupDescription{state: d.State, subscribed: map[string]bool{}}
	for _, m := range d.Members {
		member := lag.Member{ClientID: m.ClientID, Host: m.ClientHost, Partitions: map[string][]int32{}}
		for _, t := range m.Assignment.TopicPartitions {
			if t.Topic != "" { // deleted, or the user may not describe it
				member.Partitions[t.Topic] = t.Partitions
			}
		}
		for _, t := range slices.Concat(m.TargetAssignment.TopicPartitions, m.Assignment.TopicPartitions) {
			out.subscribed[t.Topic] = true
		}
		for _, topic := range m.SubscribedTopics {
			out.subscribed[topic] = true
		}
		if p := m.SubscribedTopicRegex; p != nil && *p != "" {
			if re, err := regexp.Compile("^(?:" + *p + ")$"); err == nil {
				out.patterns = append(out.patterns, re)
			} else {
				out.incomplete = true
			}
		}
		out.members = append(out.members, member)
	}
	return out
}

// parseStreams parses the description of a group of the streams protocol (KIP-1071).
// Its members are assigned tasks, which read a partition of each source topic of their
// part of the topology.
func parseStreams(d *kmsg.StreamsGroupDescribeResponseGroup) *groupDescription {
	out := &groupDescription{state: d.State, subscribed: map[string]bool{}, incomplete: d.Topology == nil}
	sources := map[string][]string{} // topics by part of the topology
	if d.Topology != nil {
		for _, s := range d.Topology.Subtopologies {
			topics := slices.Clone(s.SourceTopics)
			for _, t := range s.RepartitionSourceTopics {
				topics = append(topics, t.Topic)
			}
			sources[s.SubtopologyID] = topics
			for _, topic := range topics {
				out.subscribed[topic] = true
			}
		}
	}
	for _, m := range d.Members {
		member := lag.Member{ClientID: m.ClientID, Host: m.ClientHost, Partitions: map[string][]int32{}}
		for _, task := range m.Assignment.ActiveTasks {
			for _, topic := range sources[task.SubtopologyID] {
				member.Partitions[topic] = append(member.Partitions[topic], task.Partitions...)
			}
		}
		out.members = append(out.members, member)
	}
	return out
}

// parseShare parses the description of a share group (KIP-932).
func parseShare(d *kmsg.ShareGroupDescribeResponseGroup) *groupDescription {
	out := &groupDescription{state: d.GroupState, subscribed: map[string]bool{}}
	for _, m := range d.Members {
		member := lag.Member{ClientID: m.ClientID, Host: m.ClientHost, Partitions: map[string][]int32{}}
		for _, t := range m.Assignment.TopicPartitions {
			member.Partitions[t.Topic] = t.Partitions
			out.subscribed[t.Topic] = true
		}
		for _, topic := range m.SubscribedTopicNames {
			out.subscribed[topic] = true
		}
		out.members = append(out.members, member)
	}
	return out
}

// addTo adds the description to a group. It sets Unsubscribed only for a stable
// group with members whose subscriptions are all known: without members, a consumer may
// read that assigns its partitions itself, and during a rebalance a topic subscribed by
// a pattern may be assigned to no member.
func (d *groupDescription) addTo(g *lag.Group) {
	g.State, g.Members = d.state, d.members
	if d.state != "Stable" || len(d.members) == 0 || d.incomplete || len(d.subscribed)+len(d.patterns) == 0 {
		return
	}
	for i := range g.Topics {
		topic := g.Topics[i].Name
		matches := func(re *regexp.Regexp) bool { return re.MatchString(topic) }
		g.Topics[i].Unsubscribed = !d.subscribed[topic] && !slices.ContainsFunc(d.patterns, matches)
	}
}

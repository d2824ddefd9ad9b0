package kafka

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
)

// Describe adds to groups, which Read returned, what only some need to know:
// their State, their Members, and which topics are Unsubscribed. It changes
// nothing else, and leaves a group as it is that cannot be described. It takes
// one request, one for each coordinator, and one more for each that has groups
// of KIP-848. Its error, of type *Error, is the first of those that happened.
func (r *Reader) Describe(ctx context.Context, groups []lag.Group) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	found := make([]*group, len(groups))
	byName := make(map[string]*lag.Group, len(groups))
	for i := range groups {
		found[i] = &group{name: groups[i].Name}
		byName[groups[i].Name] = &groups[i]
	}
	if len(found) == 0 {
		return nil
	}
	half, done := share(ctx, 2)
	r.coordinate(half, found)
	done()
	byNode := map[int32][]*group{}
	for _, g := range found {
		if g.err == nil {
			byNode[g.node] = append(byNode[g.node], g)
		}
	}
	var mu sync.Mutex
	each(byNode, func(node int32, groups []*group) {
		for _, d := range r.describe(ctx, node, groups) {
			mu.Lock()
			d.decorate(byName[d.name])
			mu.Unlock()
		}
	})
	for _, g := range found {
		if g.err != nil {
			return g.err
		}
	}
	return nil
}

// described is what a broker says of a group.
type described struct {
	name, state string
	members     []lag.Member
	subscribed  map[string]bool
}

// describe asks about groups of one coordinator, as classic ones first: brokers
// since Kafka 4 say of those of KIP-848 that they do not exist, or are dead, and
// older ones know no others.
func (r *Reader) describe(ctx context.Context, node int32, groups []*group) (all []described) {
	byName := make(map[string]*group, len(groups))
	req := kmsg.NewPtrDescribeGroupsRequest()
	for _, g := range groups {
		byName[g.name] = g
		req.Groups = append(req.Groups, g.name)
	}
	resp, err := ask[*kmsg.DescribeGroupsResponse](ctx, r, node, req)
	if err != nil {
		fail(groups, err)
		return nil
	}
	next := kmsg.NewPtrConsumerGroupDescribeRequest()
	for _, d := range resp.Groups {
		g := byName[d.Group]
		switch {
		case g == nil:
		case d.ErrorCode == kerr.GroupIDNotFound.Code || d.ErrorCode == 0 && d.State == "Dead":
			next.Groups = append(next.Groups, d.Group)
		case d.ErrorCode != 0:
			g.err = refused(d.ErrorCode, theGroup(d.Group))
		default:
			all = append(all, classic(&d))
		}
	}
	if len(next.Groups) == 0 {
		return all
	}
	answer, err := ask[*kmsg.ConsumerGroupDescribeResponse](ctx, r, node, next)
	if err != nil {
		return all // the broker is too old to have such groups: these are gone
	}
	for _, d := range answer.Groups {
		g := byName[d.Group]
		switch {
		case g == nil || d.ErrorCode == kerr.GroupIDNotFound.Code:
		case d.ErrorCode != 0:
			g.err = refused(d.ErrorCode, theGroup(d.Group))
		default:
			all = append(all, nextGen(&d))
		}
	}
	return all
}

// classic reads the description of a group whose members share out the
// partitions. What they say to each other is Kafka's to see only by custom: what
// cannot be read is left out.
func classic(d *kmsg.DescribeGroupsResponseGroup) described {
	out := described{name: d.Group, state: d.State, subscribed: map[string]bool{}}
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
		}
		out.members = append(out.members, member)
	}
	return out
}

// nextGen reads the description of a group of KIP-848.
func nextGen(d *kmsg.ConsumerGroupDescribeResponseGroup) described {
	out := described{name: d.Group, state: d.State, subscribed: map[string]bool{}}
	for _, m := range d.Members {
		member := lag.Member{ClientID: m.ClientID, Host: m.ClientHost, Partitions: map[string][]int32{}}
		for _, t := range m.Assignment.TopicPartitions {
			if t.Topic != "" { // deleted, or not for the user to see
				member.Partitions[t.Topic] = t.Partitions
			}
		}
		for _, t := range slices.Concat(m.TargetAssignment.TopicPartitions, m.Assignment.TopicPartitions) {
			out.subscribed[t.Topic] = true
		}
		for _, topic := range m.SubscribedTopics {
			out.subscribed[topic] = true
		}
		out.members = append(out.members, member)
	}
	return out
}

// decorate adds the description to a group. Only of a group at rest it is known
// which topics nobody reads: in one that has no members somebody may read who
// chooses partitions by itself, and while partitions are shared out a topic that
// is subscribed by a pattern may be with nobody.
func (d *described) decorate(g *lag.Group) {
	g.State, g.Members = d.state, d.members
	if d.state != "Stable" || len(d.members) == 0 || len(d.subscribed) == 0 {
		return
	}
	for i := range g.Topics {
		g.Topics[i].Unsubscribed = !d.subscribed[g.Topics[i].Name]
	}
}

package kafka

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag"
)

// Describe sets the State and Members of groups that Read returned, and which
// of their topics are Unsubscribed. Groups that cannot be described stay as
// they are. It makes one request to find the coordinators, one to each of them,
// and another one to each that has KIP-848 groups. It returns the first error,
// of type *Error.
func (r *Reader) Describe(ctx context.Context, groups []lag.Group) error {
	ctx, cancel := context.WithTimeout(ctx, maxReadTime)
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
	coordinatorCtx, cancelCoordinator := splitDeadline(ctx, 2)
	r.findCoordinators(coordinatorCtx, found)
	cancelCoordinator()
	byNode := map[int32][]*group{}
	for _, g := range found {
		if g.err == nil {
			byNode[g.node] = append(byNode[g.node], g)
		}
	}
	var mu sync.Mutex
	forEach(byNode, func(node int32, groups []*group) {
		for _, d := range r.describe(ctx, node, groups) {
			mu.Lock()
			d.addTo(byName[d.name])
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

// groupDescription is the description of a group by its coordinator.
type groupDescription struct {
	name, state string
	members     []lag.Member
	subscribed  map[string]bool
}

// describe requests the descriptions of groups of one coordinator, first as
// classic groups. For KIP-848 groups, brokers since Kafka 4 then report that
// the group does not exist or is dead; older brokers have no such groups.
func (r *Reader) describe(ctx context.Context, node int32, groups []*group) (all []groupDescription) {
	byName := make(map[string]*group, len(groups))
	req := kmsg.NewPtrDescribeGroupsRequest()
	for _, g := range groups {
		byName[g.name] = g
		req.Groups = append(req.Groups, g.name)
	}
	resp, err := requestBroker[*kmsg.DescribeGroupsResponse](ctx, r, node, req)
	if err != nil {
		setErrors(groups, err)
		return nil
	}
	kip848 := kmsg.NewPtrConsumerGroupDescribeRequest()
	for _, d := range resp.Groups {
		g := byName[d.Group]
		switch {
		case g == nil:
		case d.ErrorCode == kerr.GroupIDNotFound.Code || d.ErrorCode == 0 && d.State == "Dead":
			kip848.Groups = append(kip848.Groups, d.Group)
		case d.ErrorCode != 0:
			g.err = codeError(d.ErrorCode, groupSubject(d.Group))
		default:
			all = append(all, parseClassic(&d))
		}
	}
	if len(kip848.Groups) == 0 {
		return all
	}
	kip848Resp, err := requestBroker[*kmsg.ConsumerGroupDescribeResponse](ctx, r, node, kip848)
	if err != nil {
		return all // the broker is too old for KIP-848, so the groups are gone
	}
	for _, d := range kip848Resp.Groups {
		g := byName[d.Group]
		switch {
		case g == nil || d.ErrorCode == kerr.GroupIDNotFound.Code:
		case d.ErrorCode != 0:
			g.err = codeError(d.ErrorCode, groupSubject(d.Group))
		default:
			all = append(all, parseKIP848(&d))
		}
	}
	return all
}

// parseClassic parses the description of a classic group, whose members assign
// the partitions. The brokers do not interpret the members' metadata, which may
// be in any format: what cannot be parsed is left out.
func parseClassic(d *kmsg.DescribeGroupsResponseGroup) groupDescription {
	out := groupDescription{name: d.Group, state: d.State, subscribed: map[string]bool{}}
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

// parseKIP848 parses the description of a KIP-848 group.
func parseKIP848(d *kmsg.ConsumerGroupDescribeResponseGroup) groupDescription {
	out := groupDescription{name: d.Group, state: d.State, subscribed: map[string]bool{}}
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
		out.members = append(out.members, member)
	}
	return out
}

// addTo adds the description to a group. It sets Unsubscribed only for a stable
// group with members: without members, a consumer may read that assigns its
// partitions itself, and during a rebalance a topic subscribed by a pattern may
// be assigned to no member.
func (d *groupDescription) addTo(g *lag.Group) {
	g.State, g.Members = d.state, d.members
	if d.state != "Stable" || len(d.members) == 0 || len(d.subscribed) == 0 {
		return
	}
	for i := range g.Topics {
		g.Topics[i].Unsubscribed = !d.subscribed[g.Topics[i].Name]
	}
}

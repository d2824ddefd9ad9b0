package kafka

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

// maxParallelFetches is how many groups are requested in parallel from a broker
// that takes one group per request.
const maxParallelFetches = 16

// readCommits finds the selected groups and reads their commits. The broker
// that lists a group also stores its offsets, so they can be requested from it
// at once, without waiting for other brokers.
func (r *Reader) readCommits(ctx context.Context) (*groupList, *Error) {
	metadataCtx, cancel := splitDeadline(ctx, 2)
	m, err := r.metadata(metadataCtx, nil)
	cancel()
	if err != nil {
		return nil, err
	}
	ctx, cancel = splitDeadline(ctx, 2)
	defer cancel()
	var found *groupList
	if names, ok := r.cluster.Groups.Literals(); ok {
		found = &groupList{complete: true, groups: make([]*group, len(names))}
		for i, name := range names {
			found.groups[i] = &group{name: name}
		}
		r.fetchFromCoordinators(ctx, found.groups)
	} else if found, err = r.listGroups(ctx, m.Brokers); err != nil {
		return nil, err
	}
	r.fetchFromCoordinators(ctx, slices.DeleteFunc(slices.Clone(found.groups), func(g *group) bool { return g.err == nil || !g.err.refresh }))
	slices.SortFunc(found.groups, func(a, b *group) int { return cmp.Compare(a.name, b.name) })
	return found, nil
}

// listGroups lists the groups of all brokers and reads their commits.
func (r *Reader) listGroups(ctx context.Context, brokers []kmsg.MetadataResponseBroker) (*groupList, *Error) {
	var mu sync.Mutex
	found, seen, failed := &groupList{}, map[string]bool{}, 0
	var lists sync.WaitGroup
	for _, b := range brokers {
		lists.Go(func() {
			groups, err := r.listBrokerGroups(ctx, b.NodeID)
			r.fetchPositions(ctx, b.NodeID, groups)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				found.err = err
			}
			for _, g := range groups {
				// While a group moves, two brokers list it.
				if !seen[g.name] {
					found.groups = append(found.groups, g)
				}
				seen[g.name] = true
			}
		})
	}
	lists.Wait()
	if failed == len(brokers) {
		if found.err == nil {
			found.err = missingError(clusterSubject)
		}
		return nil, found.err
	}
	found.complete = failed == 0
	return found, nil
}

// listBrokerGroups lists the selected groups of a broker. The broker leaves out
// groups that the user may not describe, without an error.
func (r *Reader) listBrokerGroups(ctx context.Context, node int32) ([]*group, *Error) {
	resp, err := requestBroker[*kmsg.ListGroupsResponse](ctx, r, node, kmsg.NewPtrListGroupsRequest())
	if err == nil {
		err = codeError(resp.ErrorCode, clusterSubject)
	}
	if err != nil {
		return nil, err
	}
	var groups []*group
	for _, g := range resp.Groups {
		if r.cluster.Groups.Match(g.Group) {
			groups = append(groups, &group{name: g.Group, typ: strings.ToLower(g.GroupType), node: node})
		}
	}
	return groups, nil
}

// fetchFromCoordinators reads the commits of groups whose coordinator is not
// known.
func (r *Reader) fetchFromCoordinators(ctx context.Context, groups []*group) {
	if len(groups) == 0 {
		return
	}
	r.findCoordinators(ctx, groups)
	byNode := map[int32][]*group{}
	for _, g := range groups {
		if g.err == nil {
			byNode[g.node] = append(byNode[g.node], g)
		}
	}
	forEach(byNode, func(node int32, groups []*group) { r.fetchPositions(ctx, node, groups) })
}

// fetchPositions reads the positions of groups from their coordinator: the commits, and
// those of share groups, which commit nothing. A group of unknown type may be a share
// group if it has no commits.
func (r *Reader) fetchPositions(ctx context.Context, node int32, groups []*group) {
	isShare := func(g *group) bool { return g.typ == typeShare }
	committing := slices.DeleteFunc(slices.Clone(groups), isShare)
	var requests sync.WaitGroup
	requests.Go(func() { r.fetchCommits(ctx, node, committing) })
	if len(committing) < len(groups) {
		share := slices.DeleteFunc(slices.Clone(groups), func(g *group) bool { return !isShare(g) })
		requests.Go(func() {
			if err := r.fetchShareOffsets(ctx, node, share); err != nil {
				setErrors(share, err)
			}
		})
	}
	requests.Wait()
	unknown := slices.DeleteFunc(committing, func(g *group) bool { return g.typ != "" || g.err != nil || len(g.commits) > 0 })
	if len(unknown) > 0 {
		if err := r.fetchShareOffsets(ctx, node, unknown); err != nil && !err.unsupported() {
			setErrors(unknown, err)
		}
	}
}

// fetchShareOffsets reads where share groups (KIP-932) are: the first message of each
// partition that is not acknowledged, and the number of those that are not, which brokers
// report since Kafka 4.2.
func (r *Reader) fetchShareOffsets(ctx context.Context, node int32, groups []*group) *Error {
	found, names := byName(groups)
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	for _, g := range groups {
		if g.typ == typeShare {
			g.err = missingError(groupSubject(g.name))
		}
	}
	for _, name := range names {
		one := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
		one.GroupID = name // all topics
		req.Groups = append(req.Groups, one)
	}
	resp, err := requestBroker[*kmsg.DescribeShareGroupOffsetsResponse](ctx, r, node, req)
	if err != nil {
		return err
	}
	for _, one := range resp.Groups {
		g := found[one.GroupID]
		if g == nil || g.typ == "" && one.ErrorCode == kerr.UnsupportedVersion.Code {
			continue
		}
		g.setGroupError(one.ErrorCode)
		for _, t := range one.Topics {
			for _, p := range t.Partitions {
				unread := int64(-1)
				if resp.Version >= 1 {
					unread = p.Lag
				}
				g.addShareOffset(topicPartition{t.Topic, p.Partition}, p.StartOffset, unread, p.ErrorCode)
			}
		}
		g.sortCommits()
	}
	return nil
}

// fetchCommits reads the commits of groups from their coordinator: in one
// request, or before Kafka 3.0 (OffsetFetch 8) in one per group.
func (r *Reader) fetchCommits(ctx context.Context, node int32, groups []*group) {
	if len(groups) == 0 {
		return
	}
	resp, err := requestBroker[*kmsg.OffsetFetchResponse](ctx, r, node, fetchRequest(groups))
	if err != nil {
		setErrors(groups, err)
		return
	}
	if resp.Version >= 8 {
		parseGroups(groups, resp)
		return
	}
	groups[0].parseSingleGroup(resp)
	var others errgroup.Group
	others.SetLimit(maxParallelFetches)
	for _, g := range groups[1:] {
		others.Go(func() error {
			resp, err := requestBroker[*kmsg.OffsetFetchResponse](ctx, r, node, fetchRequest([]*group{g}))
			if g.err = err; err == nil {
				g.parseSingleGroup(resp)
			}
			return nil
		})
	}
	others.Wait()
}

// fetchRequest requests all commits of groups. A broker that takes one group
// per request uses the first.
func fetchRequest(groups []*group) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = groups[0].name
	for _, g := range groups {
		one := kmsg.NewOffsetFetchRequestGroup()
		one.Group = g.name
		req.Groups = append(req.Groups, one)
	}
	return req
}

// parseGroups sets the commits of groups from a response for several groups.
func parseGroups(groups []*group, resp *kmsg.OffsetFetchResponse) {
	byName := make(map[string]*group, len(groups))
	for _, g := range groups {
		byName[g.name] = g
		g.err = missingError(groupSubject(g.name))
	}
	for _, one := range resp.Groups {
		g := byName[one.Group]
		if g == nil {
			continue
		}
		delete(byName, one.Group) // of duplicates, the first counts
		g.setGroupError(one.ErrorCode)
		for _, t := range one.Topics {
			for _, p := range t.Partitions {
				g.addCommit(topicPartition{t.Topic, p.Partition}, p.Offset, p.ErrorCode)
			}
		}
		g.sortCommits()
	}
}

// parseSingleGroup sets the commits of a group from a response for one group.
func (g *group) parseSingleGroup(resp *kmsg.OffsetFetchResponse) {
	if resp.Version < 2 {
		g.err = versionError() // the response would have no commits
		return
	}
	g.setGroupError(resp.ErrorCode)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			g.addCommit(topicPartition{t.Topic, p.Partition}, p.Offset, p.ErrorCode)
		}
	}
	g.sortCommits()
}

// setGroupError sets the error of the group and removes its commits. A group
// that does not exist is one without commits.
func (g *group) setGroupError(code int16) {
	g.commits, g.err = nil, nil
	if code != kerr.GroupIDNotFound.Code {
		g.err = codeError(code, groupSubject(g.name))
	}
}

func (g *group) addCommit(tp topicPartition, offset int64, code int16) {
	g.addShareOffset(tp, offset, -1, code)
}

func (g *group) addShareOffset(tp topicPartition, offset, unread int64, code int16) {
	if tp.topic != "" && tp.partition >= 0 {
		g.commits = append(g.commits, commit{topicPartition: tp, offset: offset, unread: unread, err: codeError(code, tp.subject())})
	}
}

// sortCommits sorts the commits and removes duplicates.
func (g *group) sortCommits() {
	slices.SortFunc(g.commits, func(a, b commit) int { return a.compare(b.topicPartition) })
	g.commits = slices.CompactFunc(g.commits, func(a, b commit) bool { return a.topicPartition == b.topicPartition })
}

package kafka

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

// parallel is how many groups a broker is asked about at a time that takes one
// in a request.
const parallel = 16

// commits finds the chosen groups and what they have committed. A broker that
// lists a group is the one that keeps its offsets, so that it can be asked for
// them at once, while others are still waited for.
func (r *Reader) commits(ctx context.Context) (*list, *Error) {
	known, cancel := share(ctx, 2)
	m, err := r.metadata(known, nil)
	cancel()
	if err != nil {
		return nil, err
	}
	ctx, cancel = share(ctx, 2)
	defer cancel()
	var found *list
	if names, ok := r.cluster.Groups.Literals(); ok {
		found = &list{complete: true, groups: make([]*group, len(names))}
		for i, name := range names {
			found.groups[i] = &group{name: name}
		}
		r.locate(ctx, found.groups)
	} else if found, err = r.listed(ctx, m.Brokers); err != nil {
		return nil, err
	}
	r.locate(ctx, slices.DeleteFunc(slices.Clone(found.groups), func(g *group) bool { return g.err == nil || !g.err.moved }))
	slices.SortFunc(found.groups, func(a, b *group) int { return cmp.Compare(a.name, b.name) })
	return found, nil
}

// listed lists the groups of every broker and reads their commits.
func (r *Reader) listed(ctx context.Context, brokers []kmsg.MetadataResponseBroker) (*list, *Error) {
	var mu sync.Mutex
	found, seen, failed := &list{}, map[string]bool{}, 0
	var all sync.WaitGroup
	for _, b := range brokers {
		all.Go(func() {
			groups, err := r.groupsOf(ctx, b.NodeID)
			r.fetch(ctx, b.NodeID, groups)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				found.err = err
			}
			for _, g := range groups {
				// A group that moves is with two brokers for a moment.
				if !seen[g.name] {
					found.groups = append(found.groups, g)
				}
				seen[g.name] = true
			}
		})
	}
	all.Wait()
	if failed == len(brokers) {
		if found.err == nil {
			found.err = senseless(theCluster)
		}
		return nil, found.err
	}
	found.complete = failed == 0
	return found, nil
}

// groupsOf lists the chosen groups of a broker. It shows those that the user may
// see, and tells nothing of the others.
func (r *Reader) groupsOf(ctx context.Context, node int32) ([]*group, *Error) {
	resp, err := ask[*kmsg.ListGroupsResponse](ctx, r, node, kmsg.NewPtrListGroupsRequest())
	if err == nil {
		err = refused(resp.ErrorCode, theCluster)
	}
	if err != nil {
		return nil, err
	}
	var groups []*group
	for _, g := range resp.Groups {
		// A share group (KIP-932) commits no offsets.
		if g.GroupType != "share" && r.cluster.Groups.Match(g.Group) {
			groups = append(groups, &group{name: g.Group, node: node})
		}
	}
	return groups, nil
}

// locate reads the commits of groups of which it is not known who has them.
func (r *Reader) locate(ctx context.Context, groups []*group) {
	if len(groups) == 0 {
		return
	}
	r.coordinate(ctx, groups)
	byNode := map[int32][]*group{}
	for _, g := range groups {
		if g.err == nil {
			byNode[g.node] = append(byNode[g.node], g)
		}
	}
	each(byNode, func(node int32, groups []*group) { r.fetch(ctx, node, groups) })
}

// fetch reads the commits of groups from their coordinator: in one request, or
// before Kafka 3.0 (OffsetFetch 8) in one for each.
func (r *Reader) fetch(ctx context.Context, node int32, groups []*group) {
	if len(groups) == 0 {
		return
	}
	resp, err := ask[*kmsg.OffsetFetchResponse](ctx, r, node, fetchRequest(groups))
	if err != nil {
		fail(groups, err)
		return
	}
	if resp.Version >= 8 {
		takeAll(groups, resp)
		return
	}
	groups[0].takeAlone(resp)
	var others errgroup.Group
	others.SetLimit(parallel)
	for _, g := range groups[1:] {
		others.Go(func() error {
			resp, err := ask[*kmsg.OffsetFetchResponse](ctx, r, node, fetchRequest([]*group{g}))
			if g.err = err; err == nil {
				g.takeAlone(resp)
			}
			return nil
		})
	}
	others.Wait()
}

// fetchRequest asks for all commits of groups. A broker that takes one group in
// a request finds the first.
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

// takeAll takes the answer about several groups.
func takeAll(groups []*group, resp *kmsg.OffsetFetchResponse) {
	byName := make(map[string]*group, len(groups))
	for _, g := range groups {
		byName[g.name] = g
		g.err = senseless(theGroup(g.name))
	}
	for _, one := range resp.Groups {
		g := byName[one.Group]
		if g == nil {
			continue
		}
		delete(byName, one.Group) // said twice, the first holds
		g.begin(one.ErrorCode)
		for _, t := range one.Topics {
			for _, p := range t.Partitions {
				g.take(place{t.Topic, p.Partition}, p.Offset, p.ErrorCode)
			}
		}
		g.end()
	}
}

// takeAlone takes the answer about one group.
func (g *group) takeAlone(resp *kmsg.OffsetFetchResponse) {
	if resp.Version < 2 {
		g.err = tooOld() // it would say that nothing was committed
		return
	}
	g.begin(resp.ErrorCode)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			g.take(place{t.Topic, p.Partition}, p.Offset, p.ErrorCode)
		}
	}
	g.end()
}

// begin takes the answer about the group itself. One that does not exist is one
// without commits.
func (g *group) begin(code int16) {
	g.commits, g.err = nil, nil
	if code != kerr.GroupIDNotFound.Code {
		g.err = refused(code, theGroup(g.name))
	}
}

func (g *group) take(p place, at int64, code int16) {
	if p.topic != "" && p.partition >= 0 {
		g.commits = append(g.commits, commit{place: p, at: at, err: refused(code, p.subject())})
	}
}

// end puts the commits in order.
func (g *group) end() {
	slices.SortFunc(g.commits, func(a, b commit) int { return a.compare(b.place) })
	g.commits = slices.CompactFunc(g.commits, func(a, b commit) bool { return a.place == b.place })
}

package ckafka

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/lag"
)

// groupsPerDescribe is how many groups one DescribeGroupInfo names. The vendor
// documents no limit.
const groupsPerDescribe = 20

// Describe implements lag.Describer. It makes one request for every 20 groups,
// which needs the permission ckafka:DescribeGroupInfo.
func (r *Reader) Describe(ctx context.Context, groups []lag.Group) {
	var reads errgroup.Group
	reads.SetLimit(concurrency)
	for page := range slices.Chunk(groups, groupsPerDescribe) {
		reads.Go(func() error {
			r.describePage(ctx, page)
			return nil
		})
	}
	reads.Wait()
}

// describePage describes groups with one request.
func (r *Reader) describePage(ctx context.Context, groups []lag.Group) {
	byName := make(map[string]*lag.Group, len(groups))
	names := make([]string, len(groups))
	for i := range groups {
		names[i] = groups[i].Name
		byName[names[i]] = &groups[i]
	}
	response, err := call[infoResponse](ctx, r, describeGroupInfo, params{GroupList: names})
	for i := range groups {
		if groups[i].PartialErr = err; err == nil {
			groups[i].State = "Dead" // unless it is in the response
		}
	}
	if err != nil {
		return
	}
	for _, info := range response.Result {
		g := byName[info.Group]
		switch code := info.ErrorCode; {
		case g == nil:
		case code != "0" && code != "":
			g.State, g.PartialErr = "", fmt.Errorf("group %s: error %s", g.Name, code)
		default:
			info.apply(g)
		}
	}
}

// apply adds the state and members to a group. The API does not report what
// members subscribe to; but in a group at rest every partition of a subscribed
// topic is assigned to a member.
func (info *groupInfo) apply(g *lag.Group) {
	g.State, g.Members = info.State, nil
	assigned := map[string]bool{}
	for _, m := range info.Members {
		member := lag.Member{ClientID: m.ClientId, Host: m.ClientHost, Partitions: map[string][]int32{}}
		for _, t := range m.Assignment.Topics {
			member.Partitions[t.Topic] = t.Partitions
			assigned[t.Topic] = true
		}
		g.Members = append(g.Members, member)
	}
	if g.State != "Stable" || len(assigned) == 0 {
		return
	}
	for i := range g.Topics {
		g.Topics[i].Unsubscribed = !assigned[g.Topics[i].Name]
	}
}

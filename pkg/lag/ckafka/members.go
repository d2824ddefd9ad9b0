package ckafka

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"tocsin/pkg/lag"
)

// described is how many groups are asked about in one request. The vendor
// documents no limit.
const described = 20

// The Result of DescribeGroupInfo, as far as it is read.
type (
	infoList  []groupInfo
	groupInfo struct {
		Group, State, ErrorCode string
		Members                 []struct {
			ClientId, ClientHost string
			Assignment           struct {
				Topics []struct {
					Topic      string
					Partitions []int32
				}
			}
		}
	}
)

func (l infoList) length() *int64 {
	if l == nil {
		return nil
	}
	n := int64(len(l))
	return &n
}

// Describe implements lag.Describer: one request for every 20 groups, with the
// permission ckafka:DescribeGroupInfo.
func (r *Reader) Describe(ctx context.Context, groups []lag.Group) error {
	byName := make(map[string]*lag.Group, len(groups))
	names := make([]string, len(groups))
	for i := range groups {
		names[i] = groups[i].Name
		byName[names[i]] = &groups[i]
	}
	var mu sync.Mutex
	var first error
	var asks sync.WaitGroup
	turns := make(chan struct{}, concurrency)
	for page := range slices.Chunk(names, described) {
		turns <- struct{}{}
		asks.Go(func() {
			defer func() { <-turns }()
			list, err := ask[infoList](ctx, r, "ckafka:DescribeGroupInfo", params{GroupList: page})
			mu.Lock()
			defer mu.Unlock()
			for i := range list {
				g := byName[list[i].Group]
				switch code := list[i].ErrorCode; {
				case g == nil:
				case code != "0" && code != "":
					err = fmt.Errorf("group %s: error %s", g.Name, code)
				default:
					list[i].decorate(g)
				}
			}
			if first == nil {
				first = err
			}
		})
	}
	asks.Wait()
	return first
}

// decorate adds what the API tells to a group. The API does not say what members
// subscribe to; but in a group at rest all partitions of those topics are with
// somebody.
func (info *groupInfo) decorate(g *lag.Group) {
	g.State, g.Members = info.State, nil
	read := map[string]bool{}
	for _, m := range info.Members {
		member := lag.Member{ClientID: m.ClientId, Host: m.ClientHost, Partitions: map[string][]int32{}}
		for _, t := range m.Assignment.Topics {
			member.Partitions[t.Topic] = t.Partitions
			read[t.Topic] = true
		}
		g.Members = append(g.Members, member)
	}
	if g.State != "Stable" || len(read) == 0 {
		return
	}
	for i := range g.Topics {
		g.Topics[i].Unsubscribed = !read[g.Topics[i].Name]
	}
}

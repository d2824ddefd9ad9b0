package ckafka

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"tocsin/pkg/lag"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/tencent"
)

// describedGroups are groups with members.
type describedGroups struct {
	tencentcloud.StaticGroups
	described map[string]tencentcloud.Description
}

func (m describedGroups) Describe(_ context.Context, group string) (tencentcloud.Description, error) {
	if d, ok := m.described[group]; ok {
		return d, nil
	}
	return tencentcloud.Description{State: "Dead"}, nil
}

func TestDescribe(t *testing.T) {
	member := func(topics ...string) tencentcloud.Member {
		m := tencentcloud.Member{ID: "a-1", ClientID: "a", Host: "/10.0.0.7", Partitions: map[string][]int32{}}
		for _, topic := range topics {
			m.Partitions[topic] = []int32{0, 1}
		}
		return m
	}
	cloud := newCloud(describedGroups{newGroups(0, 0, 0), map[string]tencentcloud.Description{
		"stable":      {State: "Stable", Members: []tencentcloud.Member{member("topic-000")}},
		"empty":       {State: "Empty"},
		"rebalancing": {State: "PreparingRebalance", Members: []tencentcloud.Member{member()}},
	}})
	var groups []lag.Group
	for _, name := range []string{"stable", "empty", "rebalancing", "gone"} {
		groups = append(groups, lag.Group{Name: name, Topics: []lag.Topic{{Name: "topic-000"}, {Name: "topic-001"}}})
	}
	newTLSReader(t, cloud, tencent.Credential{}, newCluster()).Describe(t.Context(), groups)
	for _, g := range groups {
		if g.PartialErr != nil {
			t.Fatalf("describe %s: %v", g.Name, g.PartialErr)
		}
	}
	wantMember := func(partitions map[string][]int32) []lag.Member {
		return []lag.Member{{ClientID: "a", Host: "/10.0.0.7", Partitions: partitions}}
	}
	for i, want := range []struct {
		state        string
		members      []lag.Member
		unsubscribed [2]bool
	}{
		{"Stable", wantMember(map[string][]int32{"topic-000": {0, 1}}), [2]bool{false, true}},
		{"Empty", nil, [2]bool{}},
		{"PreparingRebalance", wantMember(map[string][]int32{}), [2]bool{}},
		{"Dead", nil, [2]bool{}},
	} {
		g := groups[i]
		got := [2]bool{g.Topics[0].Unsubscribed, g.Topics[1].Unsubscribed}
		if g.State != want.state || !reflect.DeepEqual(g.Members, want.members) || got != want.unsubscribed {
			t.Errorf("%s = %+v, want %+v", g.Name, g, want)
		}
	}
	if n := cloud.Count("DescribeGroupInfo"); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestDescribeReadsPagesOfTwenty(t *testing.T) {
	cloud := newCloud(newGroups(0, 0, 0)) // answers Empty for every group
	var groups []lag.Group
	for i := range 41 {
		groups = append(groups, lag.Group{Name: fmt.Sprintf("group-%02d", i)})
	}
	newReader(t, cloud, newCluster()).Describe(t.Context(), groups)
	for _, g := range groups {
		if g.PartialErr != nil {
			t.Fatalf("describe %s: %v", g.Name, g.PartialErr)
		}
	}
	for _, g := range groups {
		if g.State != "Empty" {
			t.Errorf("state of %s = %q, want Empty", g.Name, g.State)
		}
	}
	if n := cloud.Count("DescribeGroupInfo"); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestDescribeErrorOfOneGroup(t *testing.T) {
	cloud := newCloud(newGroups(0, 0, 0))
	cloud.Inject(tencentcloud.Fault{Action: "DescribeGroupInfo", Do: fault.Respond(200, "application/json",
		`{"Response":{"RequestId":"1","Result":[{"Group":"group-00","State":"Stable","ErrorCode":"15","Members":[]},{"Group":"other","State":"Stable"},null,{"Group":"group-01","State":"Empty"}]}}`)})
	groups := []lag.Group{{Name: "group-00"}, {Name: "group-01"}}
	newReader(t, cloud, newCluster()).Describe(t.Context(), groups)
	err := groups[0].PartialErr
	if want := "group group-00: error 15"; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
	if groups[0].State != "" || groups[1].State != "Empty" {
		t.Errorf("states = %q and %q, want none and Empty", groups[0].State, groups[1].State)
	}
}

func TestDescribeWithoutPermission(t *testing.T) {
	cloud := newCloud(newGroups(1, 1, 1))
	cloud.SetKey(testID, tencentcloud.Key{Secret: testKey, Deny: []string{"ckafka:DescribeGroupInfo"}})
	groups := []lag.Group{{Name: "group-000"}}
	newReader(t, cloud, newCluster()).Describe(t.Context(), groups)
	err := groups[0].PartialErr
	if e, ok := errors.AsType[*tencent.Error](err); !ok || e.Kind != tencent.Permission || groups[0].State != "" {
		t.Errorf("error = %v, group = %+v; want a permission error and no state", err, groups[0])
	}
}

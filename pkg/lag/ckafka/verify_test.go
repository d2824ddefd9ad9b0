package ckafka

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"tocsin/pkg/lag"
	"tocsin/pkg/localcloud/tencentcloud"
)

// Groups that the list leaves out are looked up one by one.
func TestVerify(t *testing.T) {
	alive := map[string]tencentcloud.Description{"group-000": {State: "Stable"}, "group-001": {State: "Empty"}}
	names := []string{"group-000", "group-001", "group-002", "gone"}
	refuse := func(code string) *tencentcloud.Fault {
		return &tencentcloud.Fault{Action: "DescribeGroupInfo", Times: 99, Do: tencentcloud.Reject(code, "no")}
	}
	for name, tt := range map[string]struct {
		fault *tencentcloud.Fault
		want  string // the groups that are not gone, with "!" if they are not known
	}{
		"the API answers":                {nil, "[group-000 group-001]"},
		"too many requests":              {refuse("RequestLimitExceeded"), "[gone! group-000! group-001! group-002!]"},
		"the permission is missing":      {refuse("AuthFailure.UnauthorizedOperation"), "[]"},
		"the API knows no such groups":   {refuse("ResourceNotFound"), "[]"},
		"the offsets cannot be read now": {&tencentcloud.Fault{Action: "DescribeGroupOffsets", Times: 99, Do: tencentcloud.Reject("RequestLimitExceeded", "no")}, "[group-000! group-001!]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := newCloud(describedGroups{newGroups(3, 1, 1), alive})
				if tt.fault != nil {
					cloud.Inject(*tt.fault)
				}
				var missing []lag.Group
				for _, name := range names {
					missing = append(missing, lag.Group{Name: name})
				}
				missing = append(missing, lag.Group{Name: "left-a-topic", Topics: []lag.Topic{{Name: "topic-000"}}})
				got := []string{}
				for _, g := range newReader(t, cloud, newCluster()).Verify(t.Context(), missing) {
					text := g.Name
					if g.Err != nil {
						text += "!"
					} else if len(g.Topics) != 1 || g.Topics[0].Partitions[0].Lag != 3 {
						t.Errorf("group %s: got topics %+v, want one with a lag of 3", g.Name, g.Topics)
					}
					got = append(got, text)
				}
				if slices.Sort(got); fmt.Sprint(got) != tt.want {
					t.Errorf("got %v, want %s", got, tt.want)
				}
			})
		})
	}
}

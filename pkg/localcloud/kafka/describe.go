package kafka

import (
	"context"
	"fmt"

	"tocsin/pkg/localcloud/tencentcloud"
)

var _ tencentcloud.GroupDescriber = (*Kafka)(nil)

// Describe returns what a group does and who reads for it.
func (k *Kafka) Describe(ctx context.Context, group string) (tencentcloud.Description, error) {
	all, err := k.admin.DescribeGroups(ctx, group)
	if err == nil {
		err = all[group].Err
	}
	if err != nil {
		return tencentcloud.Description{}, fmt.Errorf("describe group %s: %w", group, err)
	}
	d := tencentcloud.Description{State: all[group].State}
	for _, m := range all[group].Members {
		member := tencentcloud.Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, Partitions: map[string][]int32{}}
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				member.Partitions[t.Topic] = t.Partitions
			}
		}
		d.Members = append(d.Members, member)
	}
	return d, nil
}

package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/localcloud/tencentcloud"
)

var (
	_ tencentcloud.GroupSource    = (*Kafka)(nil)
	_ tencentcloud.GroupDescriber = (*Kafka)(nil)
)

// Groups returns the names of all groups, sorted.
func (k *Kafka) Groups(ctx context.Context) ([]string, error) {
	groups, err := k.admin.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return groups.Groups(), nil
}

// Offsets returns the topics in which a group has committed, with all their
// partitions. It returns none for a group that does not exist.
func (k *Kafka) Offsets(ctx context.Context, group string) ([]tencentcloud.Topic, error) {
	committed, err := k.committed(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("read offsets of group %s: %w", group, err)
	}
	names := slices.Sorted(maps.Keys(committed))
	if len(names) == 0 {
		return nil, nil
	}
	ends, err := k.admin.ListEndOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("read offsets of group %s: %w", group, err)
	}
	topics := make([]tencentcloud.Topic, len(names))
	for i, name := range names {
		topics[i] = tencentcloud.Topic{Name: name, Partitions: newPartitions(committed[name], ends[name])}
	}
	return topics, nil
}

// committed returns the commits of a group, none if it does not exist.
func (k *Kafka) committed(ctx context.Context, group string) (kadm.OffsetResponses, error) {
	offsets, err := k.admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	return offsets, err
}

// Commit sets the offset of a group in a partition, like a consumer that uses assign
// instead of subscribe. The group must have no members.
func (k *Kafka) Commit(ctx context.Context, group, topic string, partition int32, offset int64) error {
	// The topic may have been created again, with a new id.
	if _, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, k.client); err != nil {
		return fmt.Errorf("commit as %s: %w", group, err)
	}
	var at kadm.Offsets
	at.AddOffset(topic, partition, offset, -1)
	if err := k.admin.CommitAllOffsets(ctx, group, at); err != nil {
		return fmt.Errorf("commit as %s: %w", group, err)
	}
	return nil
}

func newPartitions(committed map[int32]kadm.OffsetResponse, ends map[int32]kadm.ListedOffset) []tencentcloud.Partition {
	var out []tencentcloud.Partition
	for id, end := range ends {
		p := tencentcloud.Partition{ID: id, Committed: -1, End: end.Offset, ErrorCode: errorCode(end.Err)}
		if c, ok := committed[id]; ok {
			p.Committed, p.ErrorCode = c.At, cmp.Or(p.ErrorCode, errorCode(c.Err))
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b tencentcloud.Partition) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// errorCode returns Kafka's code for an error.
func errorCode(err error) int16 {
	var e *kerr.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Code
	default:
		return kerr.UnknownServerError.Code
	}
}

// Describe returns the state and members of a group.
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

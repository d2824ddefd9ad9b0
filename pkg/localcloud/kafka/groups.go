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

var _ tencentcloud.GroupSource = (*Kafka)(nil)

// Groups returns the names of the groups in order.
func (k *Kafka) Groups(ctx context.Context) ([]string, error) {
	groups, err := k.admin.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return groups.Groups(), nil
}

// Offsets returns the topics in which a group has committed, with all their
// partitions; none for a group that does not exist.
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
		topics[i] = tencentcloud.Topic{Name: name, Partitions: partitions(committed[name], ends[name])}
	}
	return topics, nil
}

// committed returns what a group has committed, nothing for one that does not
// exist.
func (k *Kafka) committed(ctx context.Context, group string) (kadm.OffsetResponses, error) {
	offsets, err := k.admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	return offsets, err
}

// Commit sets where a group is in one partition, as a consumer does that chooses
// its partitions by itself. The group must have no member.
func (k *Kafka) Commit(ctx context.Context, group, topic string, partition int32, offset int64) error {
	// The topic may be another than the last of its name, with another id.
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

func partitions(committed map[int32]kadm.OffsetResponse, ends map[int32]kadm.ListedOffset) []tencentcloud.Partition {
	var out []tencentcloud.Partition
	for id, end := range ends {
		p := tencentcloud.Partition{ID: id, Committed: -1, End: end.Offset, ErrorCode: code(end.Err)}
		if c, ok := committed[id]; ok {
			p.Committed, p.ErrorCode = c.At, cmp.Or(p.ErrorCode, code(c.Err))
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b tencentcloud.Partition) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// code is Kafka's number for an error.
func code(err error) int16 {
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

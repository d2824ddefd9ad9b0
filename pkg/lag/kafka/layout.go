package kafka

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// layout is which partitions a topic has and who leads them. A nil layout is a
// topic that does not exist.
type layout struct {
	partitions []partition // by id
	err        *Error      // why it is not known
}

type partition struct {
	id, leader int32
	err        *Error // why no leader is known
}

// layouts asks where topics are. Its error is one that keeps all of them from
// being known. What a broker does not know is asked once more: just after a
// topic was created, or the broker was started, not every broker knows it.
func (r *Reader) layouts(ctx context.Context, topics []string) (map[string]*layout, *Error) {
	own, cancel := share(ctx, 2)
	defer cancel()
	all := make(map[string]*layout, len(topics))
	if err := r.lay(own, topics, all); err != nil {
		return nil, err
	}
	unknown := slices.DeleteFunc(slices.Clone(topics), func(topic string) bool { return all[topic] != nil })
	if len(unknown) > 0 {
		if err := r.lay(own, unknown, all); err != nil {
			for _, topic := range unknown {
				all[topic] = &layout{err: err}
			}
		}
	}
	maps.DeleteFunc(all, func(_ string, l *layout) bool { return l == nil })
	return all, nil
}

// lay asks for the layouts of topics and puts them into all.
func (r *Reader) lay(ctx context.Context, topics []string, all map[string]*layout) *Error {
	m, err := r.metadata(ctx, topics)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		all[topic] = &layout{err: senseless(theTopic(topic))}
	}
	for _, t := range m.Topics {
		if t.Topic == nil || all[*t.Topic] == nil {
			continue
		}
		if t.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			all[*t.Topic] = nil
			continue
		}
		all[*t.Topic] = newLayout(t)
	}
	return nil
}

func newLayout(t kmsg.MetadataResponseTopic) *layout {
	l := &layout{err: refused(t.ErrorCode, theTopic(*t.Topic))}
	for _, p := range t.Partitions {
		if p.Partition < 0 {
			continue
		}
		one := partition{id: p.Partition, leader: p.Leader}
		switch where := (place{*t.Topic, p.Partition}); {
		case p.ErrorCode == kerr.LeaderNotAvailable.Code:
			one.err = leaderless(where)
		case p.ErrorCode == kerr.ReplicaNotAvailable.Code && p.Leader >= 0:
			// A follower is missing, which is no concern of the offsets.
		case p.ErrorCode != 0:
			one.err = refused(p.ErrorCode, where.subject())
		case p.Leader < 0:
			one.err = leaderless(where)
		}
		l.partitions = append(l.partitions, one)
	}
	slices.SortFunc(l.partitions, func(a, b partition) int { return cmp.Compare(a.id, b.id) })
	l.partitions = slices.CompactFunc(l.partitions, func(a, b partition) bool { return a.id == b.id })
	return l
}

// leader returns who leads a partition.
func (l *layout) leader(p place) (int32, *Error) {
	switch {
	case l == nil:
		return -1, refused(kerr.UnknownTopicOrPartition.Code, theTopic(p.topic))
	case l.err != nil:
		return -1, l.err
	}
	i, ok := slices.BinarySearchFunc(l.partitions, p.partition, func(one partition, id int32) int { return cmp.Compare(one.id, id) })
	if !ok {
		return -1, refused(kerr.UnknownTopicOrPartition.Code, p.subject())
	}
	return l.partitions[i].leader, l.partitions[i].err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

package ckafka

import (
	"context"
	"slices"

	"tocsin/pkg/lag"
)

// groups returns the names of the chosen groups, and whether none is missing.
func (r *Reader) groups(ctx context.Context) (names []string, complete bool, err error) {
	if names, ok := r.cluster.Groups.Literals(); ok {
		return names, true, nil
	}
	names, complete, err = pages(func(offset int64) (total int64, names []string, err error) {
		list, err := ask[groupList](ctx, r, "ckafka:DescribeGroup", params{Offset: offset, Limit: pageSize})
		if err != nil {
			return 0, nil, err
		}
		for _, g := range list.GroupList {
			names = append(names, g.Group)
		}
		return *list.TotalCount, names, nil
	}, func(name string) string { return name })
	if err != nil {
		return nil, false, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return !r.cluster.Groups.Match(name) }), complete, nil
}

// group reads one group.
func (r *Reader) group(ctx context.Context, name string) lag.Group {
	topics, complete, err := pages(func(offset int64) (total int64, topics []lag.Topic, err error) {
		list, err := ask[offsetList](ctx, r, "ckafka:DescribeGroupOffsets", params{Group: name, Offset: offset, Limit: pageSize})
		if err != nil {
			return 0, nil, err
		}
		topics = make([]lag.Topic, len(list.TopicList))
		for i := range list.TopicList {
			topics[i] = list.TopicList[i].topic()
		}
		return *list.TotalCount, topics, nil
	}, func(t lag.Topic) string { return t.Name })
	topics = slices.DeleteFunc(topics, func(t lag.Topic) bool { return !r.cluster.Topics.Match(t.Name) })
	return lag.Group{Name: name, Topics: topics, Complete: complete, Err: err}
}

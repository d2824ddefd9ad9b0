package ckafka

import (
	"context"
	"errors"
	"slices"

	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/ckafka/v20190819"

	"tocsin/pkg/lag"
)

// errNoList is an answer without the list that was asked for.
var errNoList = errors.New("the answer holds no list")

// groups returns the names of the chosen groups, and whether none is missing.
func (r *Reader) groups(ctx context.Context) (names []string, complete bool, err error) {
	if names, ok := r.cluster.Groups.Literals(); ok {
		return names, true, nil
	}
	names, complete, err = pages(func(offset int64) (total int64, names []string, err error) {
		request := sdk.NewDescribeGroupRequest()
		request.InstanceId, request.Offset, request.Limit = &r.cluster.CKafka.InstanceID, &offset, new(int64(pageSize))
		err = r.ask(ctx, "ckafka:DescribeGroup", func(ctx context.Context) error {
			answer, err := r.client.DescribeGroupWithContext(ctx, request)
			if err != nil {
				return err
			}
			if answer.Response == nil || answer.Response.Result == nil || answer.Response.Result.TotalCount == nil {
				return errNoList
			}
			total, names = *answer.Response.Result.TotalCount, nil
			for _, g := range answer.Response.Result.GroupList {
				names = append(names, nameOf(g))
			}
			return nil
		})
		return total, names, err
	}, func(name string) string { return name })
	if err != nil {
		return nil, false, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return !r.cluster.Groups.Match(name) }), complete, nil
}

func nameOf(g *sdk.DescribeGroup) string {
	if g == nil || g.Group == nil {
		return ""
	}
	return *g.Group
}

// group reads one group.
func (r *Reader) group(ctx context.Context, name string) lag.Group {
	topics, complete, err := pages(func(offset int64) (total int64, topics []lag.Topic, err error) {
		request := sdk.NewDescribeGroupOffsetsRequest()
		request.InstanceId, request.Group = &r.cluster.CKafka.InstanceID, &name
		request.Offset, request.Limit = &offset, new(int64(pageSize))
		err = r.ask(ctx, "ckafka:DescribeGroupOffsets", func(ctx context.Context) error {
			answer, err := r.client.DescribeGroupOffsetsWithContext(ctx, request)
			if err != nil {
				return err
			}
			if answer.Response == nil || answer.Response.Result == nil || answer.Response.Result.TotalCount == nil {
				return errNoList
			}
			total, topics = *answer.Response.Result.TotalCount, make([]lag.Topic, len(answer.Response.Result.TopicList))
			for i, t := range answer.Response.Result.TopicList {
				topics[i] = topicOf(t)
			}
			return nil
		})
		return total, topics, err
	}, func(t lag.Topic) string { return t.Name })
	topics = slices.DeleteFunc(topics, func(t lag.Topic) bool { return !r.cluster.Topics.Match(t.Name) })
	return lag.Group{Name: name, Topics: topics, Complete: complete, Err: err}
}

package tencentcloud

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// pageLimit is the maximum number of groups or topics in one response.
const pageLimit = 50

// Instance is a CKafka instance.
type Instance struct {
	ID, Region string
	Groups     GroupSource
}

// GroupSource provides the consumer groups of an instance: StaticGroups, or a Kafka.
type GroupSource interface {
	// Groups returns the names of the groups.
	Groups(ctx context.Context) ([]string, error)
	// Offsets returns the topics in which a group has committed, none for an
	// unknown group.
	Offsets(ctx context.Context, group string) ([]Topic, error)
}

// Topic is one topic with the offsets of a group.
type Topic struct {
	Name       string
	Partitions []Partition
}

// Partition is one partition of a topic with the offsets of a group.
type Partition struct {
	ID int32
	// Committed is -1 if nothing was committed.
	Committed, End int64
	// ErrorCode is the error code of Kafka's protocol, 0 for none.
	ErrorCode int16
}

// AddInstance adds a CKafka instance, or replaces it.
func (c *Cloud) AddInstance(i Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instances[i.ID] = i
}

// StaticGroups is a GroupSource that never changes: topics by group.
type StaticGroups map[string][]Topic

// Groups returns the names of the groups, sorted.
func (t StaticGroups) Groups(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(t)), nil
}

// Offsets returns the topics of a group.
func (t StaticGroups) Offsets(_ context.Context, group string) ([]Topic, error) { return t[group], nil }

// instance returns the instance with an id in the region of the request.
func (c *Cloud) instance(call *call, id *string) (Instance, error) {
	if err := required("InstanceId", id); err != nil {
		return Instance{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i, known := c.instances[*id]
	if !known || i.Region != call.region {
		return Instance{}, errorf("InvalidParameterValue.InstanceNotExist", "The instance %s does not exist.", *id)
	}
	return i, nil
}

func (c *Cloud) describeGroup(call *call) (any, error) {
	var p struct {
		InstanceId, SearchWord *string
		Offset, Limit          *int64
	}
	if err := call.params(&p); err != nil {
		return nil, err
	}
	instance, err := c.instance(call, p.InstanceId)
	if err != nil {
		return nil, err
	}
	names, err := instance.Groups.Groups(call.Context())
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(slices.Sorted(slices.Values(names)), func(name string) bool { return !contains(name, p.SearchWord) })
	shown, err := page(names, p.Offset, p.Limit, 20)
	if err != nil {
		return nil, err
	}
	type group struct{ Group, Protocol string }
	list := make([]group, len(shown))
	for i, name := range shown {
		list[i] = group{name, "range"}
	}
	type result struct {
		TotalCount int
		GroupList  []group
	}
	return struct{ Result result }{result{len(names), list}}, nil
}

func (c *Cloud) describeGroupOffsets(call *call) (any, error) {
	var p struct {
		InstanceId, Group, SearchWord *string
		Topics                        []string
		Offset, Limit                 *int64
	}
	if err := call.params(&p); err != nil {
		return nil, err
	}
	if err := required("Group", p.Group); err != nil {
		return nil, err
	}
	instance, err := c.instance(call, p.InstanceId)
	if err != nil {
		return nil, err
	}
	topics, err := instance.Groups.Offsets(call.Context(), *p.Group)
	if err != nil {
		return nil, err
	}
	topics = slices.DeleteFunc(slices.Clone(topics), func(t Topic) bool {
		return !contains(t.Name, p.SearchWord) || len(p.Topics) > 0 && !slices.Contains(p.Topics, t.Name)
	})
	slices.SortFunc(topics, func(a, b Topic) int { return strings.Compare(a.Name, b.Name) })
	shown, err := page(topics, p.Offset, p.Limit, pageLimit)
	if err != nil {
		return nil, err
	}
	return encodeOffsets(len(topics), shown), nil
}

// encodeOffsets encodes topics in the vendor's form. It does so by hand because
// encoding/json takes ten times as long for a large page, and would dominate a
// benchmark of polling.
//
// The vendor does not document Lag for a partition without a commit. Here it is the end
// of the log, so that the tests of a reader that relies on it fail.
func encodeOffsets(total int, topics []Topic) rawJSON {
	size := 1 << 10
	for _, t := range topics {
		size += 512 + 128*len(t.Partitions)
	}
	b := fmt.Appendf(make([]byte, 0, size), `{"Result":{"TotalCount":%d,"TopicList":[`, total)
	for i, t := range topics {
		name, _ := json.Marshal(t.Name) // a string always marshals
		b = append(b, comma(i)...)
		b = append(append(append(b, `{"Topic":`...), name...), `,"Partitions":[`...)
		for i, p := range t.Partitions {
			b = append(b, comma(i)...)
			b = strconv.AppendInt(append(b, `{"Partition":`...), int64(p.ID), 10)
			b = strconv.AppendInt(append(b, `,"Offset":`...), p.Committed, 10)
			b = strconv.AppendInt(append(b, `,"Metadata":"","ErrorCode":`...), int64(p.ErrorCode), 10)
			b = strconv.AppendInt(append(b, `,"LogEndOffset":`...), p.End, 10)
			b = strconv.AppendInt(append(b, `,"Lag":`...), p.End-max(p.Committed, 0), 10)
			b = append(b, '}')
		}
		b = append(b, "]}"...)
	}
	return append(b, "]}}"...)
}

// comma returns the separator before item i of a list.
func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func contains(name string, word *string) bool { return word == nil || strings.Contains(name, *word) }

// page returns the requested page of a list.
func page[T any](list []T, offset, limit *int64, defaultLimit int64) ([]T, error) {
	from, n := int64(0), defaultLimit
	if offset != nil {
		from = *offset
	}
	if limit != nil {
		n = *limit
	}
	if from < 0 || n < 0 || n > pageLimit {
		return nil, errorf("InvalidParameterValue", "The parameter is not valid: Offset is 0 or more, Limit at most %d.", pageLimit)
	}
	from = min(from, int64(len(list)))
	return list[from:min(from+n, int64(len(list)))], nil
}

// GroupDescriber is a GroupSource that also knows the members of its groups. For
// any other GroupSource the API reports every group as Empty.
type GroupDescriber interface {
	// Describe returns the state and members of a group; State "Dead" for an
	// unknown one.
	Describe(ctx context.Context, group string) (Description, error)
}

// Description is the state of a group.
type Description struct {
	// State is Kafka's name of it: Dead, Empty, PreparingRebalance,
	// CompletingRebalance or Stable.
	State   string
	Members []Member
}

// Member is one consumer of a group, with its assigned partitions by topic.
type Member struct {
	ID, ClientID, Host string
	Partitions         map[string][]int32
}

// The result of DescribeGroupInfo.
type (
	groupInfo struct {
		ErrorCode, State, ProtocolType, Protocol string
		Members                                  []memberInfo
		Group                                    string
	}
	memberInfo struct {
		MemberId, ClientId, ClientHost string
		Assignment                     assignmentInfo
	}
	assignmentInfo struct {
		Version int
		Topics  []assignedTopic
	}
	assignedTopic struct {
		Topic      string
		Partitions []int32
	}
)

func (c *Cloud) describeGroupInfo(call *call) (any, error) {
	var p struct {
		InstanceId *string
		GroupList  []string
	}
	if err := call.params(&p); err != nil {
		return nil, err
	}
	if len(p.GroupList) == 0 {
		return nil, required("GroupList", nil)
	}
	instance, err := c.instance(call, p.InstanceId)
	if err != nil {
		return nil, err
	}
	list := make([]groupInfo, len(p.GroupList))
	for i, name := range p.GroupList {
		d := Description{State: "Empty"}
		if groups, ok := instance.Groups.(GroupDescriber); ok {
			if d, err = groups.Describe(call.Context(), name); err != nil {
				return nil, err
			}
		}
		list[i] = groupInfo{ErrorCode: "0", State: d.State, ProtocolType: "consumer", Protocol: "range", Group: name, Members: []memberInfo{}}
		for _, m := range d.Members {
			info := memberInfo{MemberId: m.ID, ClientId: m.ClientID, ClientHost: m.Host}
			for topic, partitions := range m.Partitions {
				info.Assignment.Topics = append(info.Assignment.Topics, assignedTopic{topic, partitions})
			}
			list[i].Members = append(list[i].Members, info)
		}
	}
	return struct{ Result []groupInfo }{list}, nil
}

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

// pageLimit is the most groups or topics that one answer holds.
const pageLimit = 50

// Instance is a CKafka instance.
type Instance struct {
	ID, Region string
	Groups     GroupSource
}

// Groups is what an instance knows of its consumer groups: a Table, or a Kafka.
type GroupSource interface {
	// Groups returns the names of the groups.
	Groups(ctx context.Context) ([]string, error)
	// Offsets returns the topics in which a group has committed, none for a
	// group that is not known.
	Offsets(ctx context.Context, group string) ([]Topic, error)
}

// Topic is one topic as a group sees it.
type Topic struct {
	Name       string
	Partitions []Partition
}

// Partition is one partition of a topic as a group sees it.
type Partition struct {
	ID int32
	// Committed is -1 where nothing was committed.
	Committed, End int64
	// ErrorCode is Kafka's, 0 for none.
	ErrorCode int16
}

// AddInstance adds a CKafka instance, or replaces it.
func (c *Cloud) AddInstance(i Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instances[i.ID] = i
}

// Table is Groups that never change.
type StaticGroups map[string][]Topic

// Groups returns the table's groups in order.
func (t StaticGroups) Groups(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(t)), nil
}

// Offsets returns the topics of a group.
func (t StaticGroups) Offsets(_ context.Context, group string) ([]Topic, error) { return t[group], nil }

// instance finds the instance that a request is about, in the request's region.
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
	names = slices.DeleteFunc(slices.Sorted(slices.Values(names)), func(name string) bool { return !found(name, p.SearchWord) })
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
		return !found(t.Name, p.SearchWord) || len(p.Topics) > 0 && !slices.Contains(p.Topics, t.Name)
	})
	slices.SortFunc(topics, func(a, b Topic) int { return strings.Compare(a.Name, b.Name) })
	shown, err := page(topics, p.Offset, p.Limit, pageLimit)
	if err != nil {
		return nil, err
	}
	return encodeOffsets(len(topics), shown), nil
}

// encodeOffsets puts topics in the vendor's form. A large page takes
// encoding/json ten times as long, and who measures a poll would measure that.
//
// What the vendor says for Lag where nothing was committed is not known; here it
// is the whole log, which a reader must not take at its word.
func encodeOffsets(total int, topics []Topic) rawJSON {
	size := 1 << 10
	for _, t := range topics {
		size += 512 + 128*len(t.Partitions)
	}
	b := fmt.Appendf(make([]byte, 0, size), `{"Result":{"TotalCount":%d,"TopicList":[`, total)
	for i, t := range topics {
		name, _ := json.Marshal(t.Name) // text always marshals
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

// comma is what stands before the ith item of a list.
func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func found(name string, word *string) bool { return word == nil || strings.Contains(name, *word) }

// page returns the part of a list that a request asks for.
func page[T any](list []T, offset, limit *int64, usual int64) ([]T, error) {
	from, n := int64(0), usual
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

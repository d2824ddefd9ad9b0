package tencentcloud

import (
	"context"
	"fmt"
	"testing"
)

// table has 51 groups; the first has 51 topics.
func table() StaticGroups {
	t := StaticGroups{}
	for i := range 51 {
		t[fmt.Sprintf("group-%02d", i)] = nil
	}
	for i := 50; i >= 0; i-- {
		t["group-00"] = append(t["group-00"], Topic{Name: fmt.Sprintf("topic-%02d", i), Partitions: []Partition{{ID: 0, Committed: 7, End: 10}}})
	}
	return t
}

func TestDescribeGroup(t *testing.T) {
	tests := []struct {
		name, body  string
		total       float64
		length      int
		first, last string
	}{
		{"twenty unless asked", `{"InstanceId":"ckafka-1"}`, 51, 20, "group-00", "group-19"},
		{"fifty at most", `{"InstanceId":"ckafka-1","Limit":50}`, 51, 50, "group-00", "group-49"},
		{"the rest", `{"InstanceId":"ckafka-1","Limit":50,"Offset":50}`, 51, 1, "group-50", "group-50"},
		{"beyond the end", `{"InstanceId":"ckafka-1","Limit":50,"Offset":100}`, 51, 0, "", ""},
		{"a part of the name", `{"InstanceId":"ckafka-1","SearchWord":"-3"}`, 10, 10, "group-30", "group-39"},
	}
	c := newClient(t)
	c.AddInstance(Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: table()})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer, code, message := c.call(t, "ckafka", "DescribeGroup", tt.body)
			if code != "" {
				t.Fatal(code, message)
			}
			result := answer["Result"].(map[string]any)
			list := result["GroupList"].([]any)
			equal(t, "TotalCount", result["TotalCount"], tt.total)
			equal(t, "length", len(list), tt.length)
			if len(list) > 0 {
				equal(t, "first", list[0].(map[string]any)["Group"], tt.first)
				equal(t, "last", list[len(list)-1].(map[string]any)["Group"], tt.last)
			}
		})
	}
}

func TestDescribeGroupOffsets(t *testing.T) {
	tests := []struct {
		name, body  string
		total       float64
		length      int
		first, last string
	}{
		{"fifty unless asked", `{"InstanceId":"ckafka-1","Group":"group-00"}`, 51, 50, "topic-00", "topic-49"},
		{"the rest", `{"InstanceId":"ckafka-1","Group":"group-00","Offset":50}`, 51, 1, "topic-50", "topic-50"},
		{"named topics", `{"InstanceId":"ckafka-1","Group":"group-00","Topics":["topic-07","topic-50","other"]}`, 2, 2, "topic-07", "topic-50"},
		{"a part of the name", `{"InstanceId":"ckafka-1","Group":"group-00","SearchWord":"c-4"}`, 10, 10, "topic-40", "topic-49"},
		{"unknown group", `{"InstanceId":"ckafka-1","Group":"other"}`, 0, 0, "", ""},
	}
	c := newClient(t)
	c.AddInstance(Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: table()})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer, code, message := c.call(t, "ckafka", "DescribeGroupOffsets", tt.body)
			if code != "" {
				t.Fatal(code, message)
			}
			result := answer["Result"].(map[string]any)
			list := result["TopicList"].([]any)
			equal(t, "TotalCount", result["TotalCount"], tt.total)
			equal(t, "length", len(list), tt.length)
			if len(list) > 0 {
				equal(t, "first", list[0].(map[string]any)["Topic"], tt.first)
				equal(t, "last", list[len(list)-1].(map[string]any)["Topic"], tt.last)
			}
		})
	}
}

func TestOffsets(t *testing.T) {
	c := newClient(t)
	c.AddInstance(Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: StaticGroups{"g": {{Name: "t", Partitions: []Partition{
		{ID: 0, Committed: 7, End: 10}, {ID: 1, Committed: -1, End: 5}, {ID: 2, Committed: 3, End: -1, ErrorCode: 3},
	}}}}})
	answer, _, _ := c.call(t, "ckafka", "DescribeGroupOffsets", `{"InstanceId":"ckafka-1","Group":"g"}`)
	topic := answer["Result"].(map[string]any)["TopicList"].([]any)[0].(map[string]any)
	number := func(partition, offset, code, end, lag float64) map[string]any {
		return map[string]any{"Partition": partition, "Offset": offset, "Metadata": "", "ErrorCode": code, "LogEndOffset": end, "Lag": lag}
	}
	equal(t, "Partitions", topic["Partitions"], []any{number(0, 7, 0, 10, 3), number(1, -1, 0, 5, 5), number(2, 3, 3, -1, -4)})
}

// manned is a table of groups of which one has a member.
type manned struct{ StaticGroups }

func (manned) Describe(_ context.Context, group string) (Description, error) {
	if group != "group-00" {
		return Description{State: "Dead"}, nil
	}
	return Description{State: "Stable", Members: []Member{{ID: "m", ClientID: "c", Host: "/h", Partitions: map[string][]int32{"topic-00": {0, 3}}}}}, nil
}

func TestDescribeGroupInfo(t *testing.T) {
	c := newClient(t)
	c.AddInstance(Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: manned{table()}})
	c.AddInstance(Instance{ID: "ckafka-2", Region: "ap-guangzhou", Groups: table()})
	info := func(group, state string, members ...any) map[string]any {
		return map[string]any{"ErrorCode": "0", "State": state, "ProtocolType": "consumer", "Protocol": "range", "Group": group, "Members": append([]any{}, members...)}
	}
	member := map[string]any{"MemberId": "m", "ClientId": "c", "ClientHost": "/h", "Assignment": map[string]any{
		"Version": 0., "Topics": []any{map[string]any{"Topic": "topic-00", "Partitions": []any{0., 3.}}},
	}}
	answer, code, _ := c.call(t, "ckafka", "DescribeGroupInfo", `{"InstanceId":"ckafka-1","GroupList":["group-00","other"]}`)
	equal(t, "code", code, "")
	equal(t, "Result", answer["Result"], []any{info("group-00", "Stable", member), info("other", "Dead")})
	answer, _, _ = c.call(t, "ckafka", "DescribeGroupInfo", `{"InstanceId":"ckafka-2","GroupList":["group-00"]}`)
	equal(t, "Result", answer["Result"], []any{info("group-00", "Empty")})
	_, code, _ = c.call(t, "ckafka", "DescribeGroupInfo", `{"InstanceId":"ckafka-1","GroupList":[]}`)
	equal(t, "code without groups", code, "MissingParameter")
}

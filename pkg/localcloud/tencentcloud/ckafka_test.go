package tencentcloud

import (
	"context"
	"fmt"
	"testing"
)

// testGroups returns 51 groups, of which the first has 51 topics.
func testGroups() StaticGroups {
	t := StaticGroups{}
	for i := range 51 {
		t[fmt.Sprintf("group-%02d", i)] = nil
	}
	for i := 50; i >= 0; i-- {
		t["group-00"] = append(t["group-00"], Topic{Name: fmt.Sprintf("topic-%02d", i), Partitions: []Partition{{ID: 0, Committed: 7, End: 10}}})
	}
	return t
}

func TestPages(t *testing.T) {
	tests := []struct {
		name, action, params string
		total                float64
		length               int
		first, last          string
	}{
		{"20 groups by default", "DescribeGroup", ``, 51, 20, "group-00", "group-19"},
		{"50 groups at most", "DescribeGroup", `,"Limit":50`, 51, 50, "group-00", "group-49"},
		{"the remaining groups", "DescribeGroup", `,"Limit":50,"Offset":50`, 51, 1, "group-50", "group-50"},
		{"an offset beyond the last group", "DescribeGroup", `,"Limit":50,"Offset":100`, 51, 0, "", ""},
		{"groups by a part of the name", "DescribeGroup", `,"SearchWord":"-3"`, 10, 10, "group-30", "group-39"},
		{"50 topics by default", "DescribeGroupOffsets", `,"Group":"group-00"`, 51, 50, "topic-00", "topic-49"},
		{"the remaining topics", "DescribeGroupOffsets", `,"Group":"group-00","Offset":50`, 51, 1, "topic-50", "topic-50"},
		{"topics by name", "DescribeGroupOffsets", `,"Group":"group-00","Topics":["topic-07","topic-50","other"]`, 2, 2, "topic-07", "topic-50"},
		{"topics by a part of the name", "DescribeGroupOffsets", `,"Group":"group-00","SearchWord":"c-4"`, 10, 10, "topic-40", "topic-49"},
		{"an unknown group", "DescribeGroupOffsets", `,"Group":"other"`, 0, 0, "", ""},
	}
	c := newClient(t)
	c.addInstance(testGroups())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, code, message := c.call(t, "ckafka", tt.action, `{"InstanceId":"ckafka-1"`+tt.params+`}`)
			if code != "" {
				t.Fatalf("error = %s, %s; want none", code, message)
			}
			result := response["Result"].(map[string]any)
			list, key := result["GroupList"], "Group"
			if tt.action == "DescribeGroupOffsets" {
				list, key = result["TopicList"], "Topic"
			}
			items := list.([]any)
			equal(t, "TotalCount", result["TotalCount"], tt.total)
			equal(t, "length", len(items), tt.length)
			if len(items) > 0 {
				equal(t, "first", items[0].(map[string]any)[key], tt.first)
				equal(t, "last", items[len(items)-1].(map[string]any)[key], tt.last)
			}
		})
	}
}

func TestDescribeGroupOffsets(t *testing.T) {
	c := newClient(t)
	c.addInstance(StaticGroups{"g": {{Name: "t", Partitions: []Partition{
		{ID: 0, Committed: 7, End: 10}, {ID: 1, Committed: -1, End: 5}, {ID: 2, Committed: 3, End: -1, ErrorCode: 3},
	}}}})
	response, _, _ := c.call(t, "ckafka", "DescribeGroupOffsets", `{"InstanceId":"ckafka-1","Group":"g"}`)
	topic := response["Result"].(map[string]any)["TopicList"].([]any)[0].(map[string]any)
	number := func(partition, offset, code, end, lag float64) map[string]any {
		return map[string]any{"Partition": partition, "Offset": offset, "Metadata": "", "ErrorCode": code, "LogEndOffset": end, "Lag": lag}
	}
	equal(t, "Partitions", topic["Partitions"], []any{number(0, 7, 0, 10, 3), number(1, -1, 0, 5, 5), number(2, 3, 3, -1, -4)})
}

// groupsWithMember are groups of which the first has a member.
type groupsWithMember struct{ StaticGroups }

func (groupsWithMember) Describe(_ context.Context, group string) (Description, error) {
	if group != "group-00" {
		return Description{State: "Dead"}, nil
	}
	return Description{State: "Stable", Members: []Member{{ID: "m", ClientID: "c", Host: "/h", Partitions: map[string][]int32{"topic-00": {0, 3}}}}}, nil
}

func TestDescribeGroupInfo(t *testing.T) {
	c := newClient(t)
	c.addInstance(groupsWithMember{testGroups()})
	c.AddInstance(Instance{ID: "ckafka-2", Region: "ap-guangzhou", Groups: testGroups()})
	info := func(group, state string, members ...any) map[string]any {
		return map[string]any{"ErrorCode": "0", "State": state, "ProtocolType": "consumer", "Protocol": "range", "Group": group, "Members": append([]any{}, members...)}
	}
	member := map[string]any{"MemberId": "m", "ClientId": "c", "ClientHost": "/h", "Assignment": map[string]any{
		"Version": 0., "Topics": []any{map[string]any{"Topic": "topic-00", "Partitions": []any{0., 3.}}},
	}}
	response, code, _ := c.call(t, "ckafka", "DescribeGroupInfo", `{"InstanceId":"ckafka-1","GroupList":["group-00","other"]}`)
	equal(t, "code", code, "")
	equal(t, "Result", response["Result"], []any{info("group-00", "Stable", member), info("other", "Dead")})
	response, _, _ = c.call(t, "ckafka", "DescribeGroupInfo", `{"InstanceId":"ckafka-2","GroupList":["group-00"]}`)
	equal(t, "Result", response["Result"], []any{info("group-00", "Empty")})
	_, code, _ = c.call(t, "ckafka", "DescribeGroupInfo", `{"InstanceId":"ckafka-1","GroupList":[]}`)
	equal(t, "code without groups", code, "MissingParameter")
}

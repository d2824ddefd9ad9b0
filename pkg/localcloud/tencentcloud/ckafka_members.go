package tencentcloud

import "context"

// Describer is Groups that also know who reads for them. Of other Groups the API
// says that all are Empty.
type GroupDescriber interface {
	// Describe returns what a group does; State "Dead" for one that is not known.
	Describe(ctx context.Context, group string) (Description, error)
}

// Description is what a group does, in Kafka's words.
type Description struct {
	// State is Dead, Empty, PreparingRebalance, CompletingRebalance or Stable.
	State   string
	Members []Member
}

// Member is one consumer of a group, with the partitions that it reads by topic.
type Member struct {
	ID, ClientID, Host string
	Partitions         map[string][]int32
}

// The answer to DescribeGroupInfo.
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

package kafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/lag/trend"
)

// TestMigration has a classic group whose consumers are replaced, one by one, by those of
// KIP-848 and back, while nothing is committed. The broker converts the group.
func TestMigration(t *testing.T) {
	s := on(t, kafka4)
	topic, group := s.createTopic("orders", 2), s.name("billing")
	m := s.monitor()
	s.produce(topic, 0, 30)
	classic := s.join(group, []string{topic})
	classic.consume(5)
	m.poll(9)
	m.wantAlerts(stalled)
	wantKind := func(kind string) {
		t.Helper()
		s.waitUntil("the group is "+kind, func() bool {
			groups, err := s.admin.ListGroupsByType(s.ctx, []string{kind})
			return err == nil && groups[group].State == "Stable"
		})
		m.poll(2)
		m.wantRow(group, topic, 25, trend.Stalled)
		m.wantAlerts(stalled)
	}
	wantKind("classic")
	next := s.join(group, []string{topic}, kip848())
	wantKind("consumer") // with a member of each protocol
	m.wantStarted(-12 * time.Minute)
	classic.leave()
	wantKind("consumer")
	classic = s.join(group, []string{topic})
	next.leave()
	wantKind("classic")
	m.wantStarted(-16 * time.Minute)
	classic.consume(25)
	m.poll(1)
	m.wantAlerts()
}

// TestShareGroup has a consumer of a share group (KIP-932) that stalls.
func TestShareGroup(t *testing.T) {
	s := on(t, kafka4)
	topic, group := s.createTopic("jobs", 1), s.name("workers")
	s.setGroupConfig(group, "share.auto.offset.reset", "earliest")
	m := s.monitor()
	s.produce(topic, 0, 30)
	client := s.newClient(kgo.ShareGroup(group), kgo.ConsumeTopics(topic), kgo.ShareMaxRecords(5), kgo.ShareMaxRecordsStrict())
	for left := 30; left > 0; {
		fetches := client.PollRecords(s.ctx, left)
		must(t, fetches.Err())
		client.MarkAcks(kgo.AckAccept, fetches.Records()...)
		must(t, client.FlushAcks(s.ctx))
		left -= len(fetches.Records())
	}
	m.poll(2)
	s.produce(topic, 0, 25)
	m.poll(9)
	m.wantRow(group, topic, 25, trend.Stalled)
	m.wantAlerts(stalled)
}

// setGroupConfig changes a configuration of a group.
func (s *scenario) setGroupConfig(group, key, value string) {
	s.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = key, &value
	resource.Configs = append(resource.Configs, config)
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(s.ctx, s.client)
	must(s, err)
	must(s, kerr.ErrorForCode(resp.Resources[0].ErrorCode))
}

// TestStreamsGroup has an instance of a Streams application (KIP-1071) that stalls, and
// stops.
func TestStreamsGroup(t *testing.T) {
	s := on(t, kafka4)
	topic, group := s.createTopic("clicks", 1), s.name("counter")
	m := s.monitor()
	s.produce(topic, 0, 30)
	member := s.joinStreams(group, topic)
	member.commit(topic, 30)
	m.poll(2)
	m.wantRow(group, topic, 0, trend.OK)
	s.produce(topic, 0, 25)
	m.poll(9)
	m.wantRow(group, topic, 25, trend.Stalled)
	m.wantAlerts(stalled)
	member.leave()
	m.poll(3)
	m.wantRow(group, topic, 25, trend.Stopped)
	m.wantAlerts(stopped)
}

// streamsMember is an instance of a Streams application, as far as a broker can see. It
// sends the requests of KIP-1071 that the Java client sends.
type streamsMember struct {
	*scenario
	coordinator *kgo.Broker
	request     *kmsg.StreamsGroupHeartbeatRequest
}

// joinStreams joins a group whose topology reads a topic, and waits until it is stable.
func (s *scenario) joinStreams(group, topic string) *streamsMember {
	s.Helper()
	id, process := s.name("member"), s.name("process")
	sub := kmsg.NewStreamsGroupHeartbeatRequestTopologySubtopology()
	sub.SubtopologyID, sub.SourceTopics = "0", []string{topic}
	topology := kmsg.NewStreamsGroupHeartbeatRequestTopology()
	topology.Subtopologies = append(topology.Subtopologies, sub)
	req := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	req.Group, req.MemberID, req.ProcessID, req.Topology, req.RebalanceTimeoutMillis = group, id, &process, &topology, 60_000
	req.ActiveTasks, req.StandbyTasks, req.WarmupTasks, req.ClientTags = []kmsg.TaskIDs{}, []kmsg.TaskIDs{}, []kmsg.TaskIDs{}, []kmsg.StreamsGroupHeartbeatRequestClientTag{}
	m := &streamsMember{s, s.client.Broker(int(s.coordinator(group))), req}
	s.waitUntil("the streams group is stable", func() bool {
		if m.heartbeat() != nil {
			return false // the coordinator is not ready
		}
		groups, err := s.admin.ListGroups(s.ctx)
		return err == nil && groups[group].State == "Stable" && len(req.ActiveTasks) > 0
	})
	return m
}

// heartbeat sends a heartbeat and takes the tasks that the broker assigns. The session
// lasts for 45 seconds, which is longer than the test.
func (m *streamsMember) heartbeat() error {
	resp, err := m.request.RequestWith(m.ctx, m.coordinator)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return err
	}
	m.request.MemberEpoch, m.request.Topology = resp.MemberEpoch, nil
	if resp.ActiveTasks != nil {
		m.request.ActiveTasks = resp.ActiveTasks
	}
	return nil
}

// commit commits an offset in partition 0 of a topic as the member.
func (m *streamsMember) commit(topic string, offset int64) {
	m.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = m.request.Group, m.request.MemberID, m.request.MemberEpoch
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	t := kmsg.NewOffsetCommitRequestTopic()
	topics, err := m.admin.ListTopics(m.ctx, topic)
	must(m, err)
	t.Topic, t.TopicID, t.Partitions = topic, topics[topic].ID, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(m.ctx, m.coordinator)
	must(m, err)
	must(m, kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
}

// leave leaves the group.
func (m *streamsMember) leave() {
	m.Helper()
	m.request.MemberEpoch = -1
	must(m, m.heartbeat())
}

package kafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/test/kafka/broker"
)

// offsetsTopic is the topic in which the coordinators store the offsets of groups.
const offsetsTopic = "__consumer_offsets"

// TestFailuresOfBrokers kills one broker of three at a time, while a consumer has stopped.
// Its alert fires all the time, from the same start on.
func TestFailuresOfBrokers(t *testing.T) {
	s := onOwn(t, broker.Config{Version: broker.V4, Brokers: 3})
	topic, single, group, audit := s.createTopic("orders", 3), s.createTopic("single", 2), s.name("billing"), s.name("audit")
	s.produce(single, 0, 10)
	s.commit(group, single, 0, 10)
	s.commit(group, single, 1, 0)
	s.commit(audit, single, 0, 5)
	s.commit(audit, single, 1, 0)
	coordinator := s.coordinator(group)
	for p := range int32(3) {
		if s.leader(topic, p) == coordinator {
			s.produce(topic, p, 25)
		}
		s.commit(group, topic, p, 0)
	}
	m := s.monitor()
	m.poll(9)
	m.wantAlerts(stopped, stopped)
	start := m.now.Add(-8 * time.Minute)

	// kill kills a broker. Tocsin polls before the others notice, and when another one
	// has taken over, or cannot. Then the broker comes back.
	kill := func(name string, id int32, takenOver func() bool, check func()) {
		t.Run(name, func(t *testing.T) {
			defer func(parent *testing.T) { s.T = parent }(s.T)
			s.T = t
			s.cluster.Kill(id)
			defer func() {
				must(t, s.cluster.Restart(s.ctx, id))
				s.waitForReplicas(topic)
				s.waitForReplicas(offsetsTopic)
				m.poll(1)
				m.wantRow(group, topic, 25, trend.Stopped)
				m.wantRow(group, single, 0, trend.OK)
				m.wantAlerts(stopped, stopped)
				m.wantStarted(start.Sub(s.now))
			}()
			m.poll(1)
			m.wantStarted(start.Sub(s.now))
			must(t, s.cluster.WaitReady(s.ctx))
			s.waitUntil("another broker has taken over", takenOver)
			m.poll(5)
			check()
			m.wantStarted(start.Sub(s.now))
		})
	}
	readable := func(dead int32) func() bool {
		return func() bool {
			offsets, err := s.admin.FetchOffsets(s.ctx, group)
			ends, endsErr := s.admin.ListEndOffsets(s.ctx, topic)
			return err == nil && offsets.Error() == nil && endsErr == nil && ends.Error() == nil && s.coordinator(group) != dead
		}
	}

	kill("leader of the lagging partition and coordinator of the group", coordinator, readable(coordinator), func() {
		m.wantRow(group, topic, 25, trend.Stopped)
		m.wantRow(group, single, 0, trend.OK)
		m.wantAlerts(stopped, stopped)
	})

	controller := s.controller()
	s.assign(single, 0, controller)
	kill("controller, with the only replica of a partition", controller, readable(controller), func() {
		m.wantRow(group, topic, 25, trend.Stopped)
		if row := m.row(group, single); row.UnknownPartitions != 1 {
			s.Errorf("got %+v, want one partition unknown", row)
		}
		// Whether the audit's partition stands still is not known, and its alert stays.
		a := m.firing[alert.ConsumerStuckAlert+" "+audit+" "+single]
		if a == nil || a.Name()+" "+a.Annotations[alert.StatusAnnotation] != stopped {
			s.Errorf("got alert %v of group %s, want %s", a, audit, stopped)
		}
	})

	coordinator = s.coordinator(group)
	for p := range int32(4) {
		if s.leader(offsetsTopic, p) == coordinator {
			s.assign(offsetsTopic, p, coordinator)
		}
	}
	kill("only replica of the group's offsets", coordinator, func() bool { return s.leader(topic, 0) != coordinator }, func() {
		if a := m.firing[alert.PollFailedAlert+" "+group+" "]; a == nil {
			s.Errorf("got alerts %q, want that group %s cannot be read", m.summaries(), group)
		}
	})
}

// leader returns the broker that leads a partition.
func (s *scenario) leader(topic string, partition int32) int32 {
	s.Helper()
	topics, err := s.admin.ListTopics(s.ctx, topic)
	must(s, err)
	return topics[topic].Partitions[partition].Leader
}

// coordinator returns the broker that stores the offsets of a group.
func (s *scenario) coordinator(group string) int32 {
	s.Helper()
	var id int32
	s.waitUntil("group "+group+" has a coordinator", func() bool {
		c := s.admin.FindGroupCoordinators(s.ctx, group)[group]
		id = c.NodeID
		return c.Err == nil
	})
	return id
}

// controller returns the broker that is the active controller.
func (s *scenario) controller() int32 {
	s.Helper()
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = []kmsg.DescribeQuorumRequestTopicPartition{kmsg.NewDescribeQuorumRequestTopicPartition()}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(s.ctx, s.client)
	must(s, err)
	return resp.Topics[0].Partitions[0].LeaderID
}

// assign makes a broker the only replica of a partition.
func (s *scenario) assign(topic string, partition, id int32) {
	s.Helper()
	var req kadm.AlterPartitionAssignmentsReq
	req.Assign(topic, partition, []int32{id})
	responses, err := s.admin.AlterPartitionAssignments(s.ctx, req)
	must(s, err)
	must(s, responses.Error())
	s.waitUntil("the partition has one replica", func() bool {
		topics, err := s.admin.ListTopics(s.ctx, topic)
		return err == nil && len(topics[topic].Partitions[partition].Replicas) == 1
	})
}

// waitForReplicas waits until all replicas of a topic are in sync.
func (s *scenario) waitForReplicas(topic string) {
	s.Helper()
	s.waitUntil("all replicas of "+topic+" are in sync", func() bool {
		topics, err := s.admin.ListTopics(s.ctx, topic)
		if err != nil {
			return false
		}
		for _, p := range topics[topic].Partitions {
			if p.Err != nil || len(p.ISR) != len(p.Replicas) {
				return false
			}
		}
		return true
	})
}

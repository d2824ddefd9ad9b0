package kafka

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/test/kafka/broker"
)

// forEachRelease runs a scenario with each release.
func forEachRelease(t *testing.T, run func(*scenario)) {
	for name, cluster := range map[string]*sharedCluster{"Kafka 4": kafka4, "Kafka 3": kafka3, "Kafka 2": kafka2} {
		t.Run(name, func(t *testing.T) { run(on(t, cluster)) })
	}
}

// expire makes retention delete all messages of a topic, and waits until the log of
// partition 0 starts at an offset.
func (s *scenario) expire(topic string, start int64) {
	s.Helper()
	if s.cluster.Version == broker.V2 { // checks for the first time half a minute after its start
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, start, -1)
		_, err := s.admin.DeleteRecords(s.ctx, offsets)
		must(s, err)
		return
	}
	s.alterTopic(topic, "retention.ms", "10")
	s.waitUntil(fmt.Sprintf("the log starts at %d", start), func() bool {
		starts, err := s.admin.ListStartOffsets(s.ctx, topic)
		return err == nil && starts[topic][0].Offset == start
	})
	s.alterTopic(topic, "retention.ms", "-1")
}

// TestRetentionDeletesUnread has a consumer that was away for longer than its messages
// are kept.
func TestRetentionDeletesUnread(t *testing.T) {
	forEachRelease(t, func(s *scenario) {
		topic, group, m, c := s.consumed(1, 30, 10)
		c.leave()
		m.poll(1)
		m.wantRow(group, topic, 20, "")
		s.expire(topic, 30)
		m.poll(1)
		if row := m.row(group, topic); row.Lag == nil || *row.Lag != 0 || row.Lost != 20 {
			s.Errorf("got %+v, want lag 0 and 20 lost", row)
		}
		m.wantAlerts(lost)
		for _, text := range m.summaries() {
			if !strings.Contains(text, "20 messages") {
				s.Errorf("got summary %q, want 20 messages in it", text)
			}
		}

		c = s.join(group, []string{topic}) // its offset is out of range: it continues at the start
		s.produce(topic, 0, 5)
		c.consume(5)
		m.poll(5)
		m.wantRow(group, topic, 0, trend.OK)
		m.poll(70)
		m.wantAlerts()
	})
}

// TestRecreatedTopic has a topic that is deleted while the alert of its consumer fires,
// and created again with fewer messages. With the topic, Kafka deletes the offsets.
func TestRecreatedTopic(t *testing.T) {
	forEachRelease(t, func(s *scenario) {
		s.commit(s.name("another"), s.createTopic("another", 1), 0, 0)
		topic, group, m, c := s.consumed(1, 30, 10)
		c.leave()
		m.poll(9)
		m.wantAlerts(stopped)

		_, err := s.admin.DeleteTopic(s.ctx, topic)
		must(s, err)
		s.waitUntil("the topic is gone", func() bool {
			topics, err := s.admin.ListTopics(s.ctx, topic)
			return err == nil && !topics.Has(topic)
		})
		m.poll(2)
		m.wantAlerts()

		s.waitUntil("the topic is created again", func() bool {
			_, err := s.admin.CreateTopic(s.ctx, 1, 1, nil, topic)
			return err == nil
		})
		s.client.PurgeTopicsFromClient(topic)
		s.produce(topic, 0, 5)
		m.poll(9)
		m.wantAlerts()
		s.join(group, []string{topic}).consume(5)
		m.poll(2)
		m.wantRow(group, topic, 0, trend.OK)
		m.wantAlerts()
	})
}

// TestCommitBeyondEnd has a group whose offset is beyond the end of the log, as after a
// restored backup or the election of an unclean leader. It reads nothing any more.
func TestCommitBeyondEnd(t *testing.T) {
	forEachRelease(t, func(s *scenario) {
		topic, group := s.createTopic("orders", 1), s.name("billing")
		m := s.monitor()
		s.produce(topic, 0, 10)
		s.commit(group, topic, 0, 30)
		m.poll(10)
		m.wantRow(group, topic, 0, trend.Ahead)
		m.wantAlerts(alert.ConsumerStuckAlert + " " + string(alert.StatusAhead))
	})
}

// TestAddedPartitions has a topic that gets more partitions, which its consumer finds
// after a while.
func TestAddedPartitions(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group, m, c := s.consumed(1, 30, 30)
		m.poll(2)
		_, err := s.admin.UpdatePartitions(s.ctx, 3, topic)
		must(s, err)
		s.waitUntil("there are three partitions", func() bool {
			topics, err := s.admin.ListTopics(s.ctx, topic)
			return err == nil && len(topics[topic].Partitions) == 3
		})
		s.client.PurgeTopicsFromClient(topic)
		s.produce(topic, 1, 10)
		s.produce(topic, 2, 5)
		m.poll(2)
		if row := m.row(group, topic); row.Lag == nil || *row.Lag != 0 || row.UnknownPartitions != 2 || row.Reason != "no commit" {
			s.Errorf("before the consumer has the partitions: got %+v, want lag 0 and 2 partitions without a commit", row)
		}
		c.consume(15)
		m.poll(3)
		m.wantRow(group, topic, 0, trend.OK)
		if row := m.row(group, topic); row.UnknownPartitions != 0 {
			s.Errorf("after it: got %+v, want no partition unknown", row)
		}
		m.wantAlerts()
	})
}

// TestCompaction has a consumer of a topic in which only the last message of each key is
// kept: after a while, most of the offsets that it is behind have no message.
func TestCompaction(t *testing.T) {
	forEachRelease(t, func(s *scenario) {
		topic := s.createTopic("prices", 1, "cleanup.policy", "compact", "segment.ms", "1000", "min.cleanable.dirty.ratio", "0.01")
		group := s.name("billing")
		m := s.monitor()
		produce := func(n int) {
			records := s.records(topic, 0, n)
			for _, r := range records {
				r.Key = []byte("gold")
			}
			must(s, s.client.ProduceSync(s.ctx, records...).FirstErr())
		}
		c := s.join(group, []string{topic})
		produce(100)
		c.consume(50)
		c.leave()
		m.poll(3)
		produce(2) // rolls the segment, which can then be compacted
		m.poll(3)
		produce(1)
		s.waitUntil("the log is compacted", func() bool {
			offset := kgo.NewOffset().At(0)
			reader := s.newClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: offset}}))
			defer reader.Close()
			records := reader.PollRecords(s.ctx, 1).Records()
			return len(records) > 0 && records[0].Offset == 101
		})
		m.poll(4)
		m.wantRow(group, topic, 53, trend.Stopped) // offsets, as everything counts them that asks Kafka
		m.wantAlerts(stopped)
		delay := m.row(group, topic).Delay

		c = s.join(group, []string{topic})
		c.consumeUntil(102)
		m.poll(2)
		m.wantRow(group, topic, 0, trend.OK)
		m.wantAlerts()
		if want := int64(7 * 60); delay == nil || *delay > want+2 { // of message 101, the first that is left
			s.Skip("the delay is that of an unread message that compaction has deleted")
		}
	})
}

// consumeUntil reads until the message at an offset, and commits.
func (c *consumer) consumeUntil(offset int64) {
	c.Helper()
	for {
		fetches := c.client.PollFetches(c.ctx)
		must(c, fetches.Err())
		records := fetches.Records()
		must(c, c.client.CommitRecords(c.ctx, records...))
		if len(records) > 0 && records[len(records)-1].Offset >= offset {
			return
		}
	}
}

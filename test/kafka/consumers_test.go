package kafka

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/pkg/lag/trend"
)

// TestSteady has a consumer that keeps up, five messages behind at every poll.
func TestSteady(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group := s.createTopic("orders", 1), s.name("billing")
		m := s.monitor()
		c := s.join(group, []string{topic})
		s.produce(topic, 0, 5)
		for range 15 {
			s.produce(topic, 0, 60)
			c.consume(60)
			m.poll(1)
			m.wantAlerts()
		}
		m.wantRow(group, topic, 5, trend.OK)
		row := m.row(group, topic)
		for name, rate := range map[string]*float64{"produced": row.RateIn, "consumed": row.RateOut} {
			if rate == nil || math.Abs(*rate-1) > 0.02 {
				t.Errorf("%s per second: got %v, want 1", name, rate)
			}
		}
	})
}

// TestBurst has a consumer that works off ten thousand messages in ten minutes.
func TestBurst(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group, m, c := s.consumed(1, 10, 10)
		m.poll(3)
		s.produce(topic, 0, 10_000)
		for minute := range int64(10) {
			c.consume(1000)
			m.poll(1)
			m.wantAlerts()
			left := 9000 - 1000*minute
			m.wantRow(group, topic, left, trend.OK)
			if left > 0 {
				m.wantDelay(group, topic, time.Duration(minute+1)*time.Minute)
			}
		}
	})
}

// TestStall has a consumer that stays in its group and commits no more.
func TestStall(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group, m, c := s.consumed(2, 30, 30)
		s.produce(topic, 1, 10)
		c.consume(10)
		m.poll(2)
		m.wantRow(group, topic, 0, trend.OK)

		s.produce(topic, 0, 25)
		m.poll(5)
		m.wantRow(group, topic, 25, trend.Stalled)
		m.wantAlerts()
		m.poll(4)
		m.wantRow(group, topic, 25, trend.Stalled)
		m.wantDelay(group, topic, 9*time.Minute)
		m.wantAlerts(stalled)

		c.consume(25)
		m.wantRecovered(group, topic)
	})
}

// TestStop has a consumer that leaves, and comes back.
func TestStop(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group, m, c := s.consumed(1, 30, 30)
		m.poll(2)
		c.leave()
		m.poll(10)
		m.wantRow(group, topic, 0, trend.OK)
		m.wantAlerts() // nothing is unread

		s.produce(topic, 0, 25)
		m.poll(9)
		m.wantRow(group, topic, 25, trend.Stopped)
		m.wantAlerts(stopped)

		s.join(group, []string{topic}).consume(25)
		m.wantRecovered(group, topic)
	})
}

// TestCrashLoop has a consumer that joins, fails on a message and leaves, for ever. Its
// group is empty at every other poll.
func TestCrashLoop(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group, m, c := s.consumed(1, 30, 30)
		m.poll(1)
		s.produce(topic, 0, 25)
		for poll := 1; poll < 14; poll += 2 {
			m.poll(1)
			if poll == 7 {
				m.wantAlerts(stalled)
			}
			c.leave()
			s.waitForState(group, "Empty")
			m.poll(1)
			c = s.join(group, []string{topic})
		}
		m.wantAlerts(stopped)
		m.wantStarted(-13 * time.Minute) // at the first of 14 polls
		m.poll(1)
		m.wantAlerts(stalled)
		m.wantStarted(-14 * time.Minute)
		c.consume(25)
		m.poll(1)
		m.wantAlerts()
	})
}

// TestRebalanceStorm has a member that takes part in no rebalance, so that the group is
// never stable again and nobody consumes.
func TestRebalanceStorm(t *testing.T) {
	for name, cluster := range map[string]*sharedCluster{"Kafka 4": kafka4, "Kafka 3": kafka3, "Kafka 2": kafka2} {
		t.Run(name, func(t *testing.T) {
			s := on(t, cluster)
			topic, group := s.createTopic("orders", 2), s.name("billing")
			m := s.monitor()
			release := make(chan struct{})
			defer close(release)
			c := s.join(group, []string{topic}, kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) { <-release }))
			s.produce(topic, 0, 30)
			c.consume(30)
			m.poll(2)
			s.produce(topic, 0, 25)
			s.newClient(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic))
			s.waitForState(group, "PreparingRebalance")
			m.poll(9)
			s.waitForState(group, "PreparingRebalance")
			m.wantRow(group, topic, 25, trend.Stalled)
			m.wantAlerts(stalled)
		})
	}
}

// TestRewind has a group whose offset is set back, for reading messages again.
func TestRewind(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group, m, c := s.consumed(1, 500, 500)
		m.poll(3)
		c.leave()
		s.waitForState(group, "Empty")
		s.commit(group, topic, 0, 100)
		c = s.join(group, []string{topic})
		for left := int64(300); left > 0; left -= 100 {
			c.consume(100)
			m.poll(1)
			m.wantRow(group, topic, left, trend.Rewind)
		}
		c.consume(100)
		m.wantRecovered(group, topic)
	})
}

// TestUnsubscribe has a group that has turned to another topic. Its commits in the old
// one stay for a week.
func TestUnsubscribe(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		old, topic, group := s.createTopic("orders-v1", 1), s.createTopic("orders-v2", 1), s.name("billing")
		m := s.monitor()
		c := s.join(group, []string{old})
		s.produce(old, 0, 30)
		c.consume(30)
		m.poll(2)
		c.leave()
		c = s.join(group, []string{topic})
		s.produce(old, 0, 25)
		s.produce(topic, 0, 10)
		c.consume(10)
		m.poll(10)
		m.wantRow(group, topic, 0, trend.OK)
		if row := m.row(group, old); !row.Unsubscribed {
			t.Errorf("topic %s: got %+v, want it unsubscribed", old, row)
		}
		m.wantAlerts()
	})
}

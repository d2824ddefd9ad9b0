package kafka

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/trend"
	"tocsin/test/kafka/broker"
)

// transaction writes n messages to partition 0 of a topic in a transaction and leaves it
// open. end commits or aborts it.
func (s *scenario) transaction(topic string, n int) (end func(commit bool)) {
	s.Helper()
	client := s.newClient(kgo.TransactionalID(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(s, client.BeginTransaction())
	must(s, client.ProduceSync(s.ctx, s.records(topic, 0, n)...).FirstErr())
	return func(commit bool) {
		s.Helper()
		must(s, client.EndTransaction(s.ctx, kgo.TransactionEndTry(commit)))
		client.Close()
	}
}

func readCommitted() kgo.Opt { return kgo.FetchIsolationLevel(kgo.ReadCommitted()) }

// TestCommittedTransaction has a consumer that has read everything: the marker of the
// transaction at the end of the log is no message. Retention deletes it some day.
func TestCommittedTransaction(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group := s.createTopic("orders", 1), s.name("billing")
		m := s.monitor()
		s.transaction(topic, 10)(true)
		c := s.join(group, []string{topic}, readCommitted())
		c.consume(10)
		m.poll(10)
		m.wantRow(group, topic, 1, trend.OK)
		m.wantAlerts()
		s.expire(topic, 11)
		m.poll(2)
		m.wantAlerts()
		c.leave()
		m.poll(10)
		m.wantAlerts()
	})
}

// TestAbortedTransaction has a consumer that has read everything but the messages of an
// aborted transaction, which it never gets.
func TestAbortedTransaction(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group := s.createTopic("orders", 1), s.name("billing")
		m := s.monitor()
		s.produce(topic, 0, 10)
		c := s.join(group, []string{topic}, readCommitted())
		c.consume(10)
		m.poll(2)
		s.transaction(topic, 5)(false)
		m.poll(10)
		m.wantAlerts()
		s.expire(topic, 16)
		m.poll(2)
		m.wantAlerts()
	})
}

// hang makes a transaction hang: its producer has died, and consumers that read committed
// messages only get none of those behind it. 25 messages are unread.
func (s *scenario) hang(topic, group string) (c *consumer, end func(commit bool)) {
	s.Helper()
	s.produce(topic, 0, 10)
	c = s.join(group, []string{topic}, readCommitted())
	c.consume(10)
	end = s.transaction(topic, 5)
	s.produce(topic, 0, 20)
	return c, end
}

func TestHangingTransaction(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group := s.createTopic("orders", 1), s.name("billing")
		m := s.monitor()
		c, end := s.hang(topic, group)
		m.poll(9)
		m.wantRow(group, topic, 25, trend.Stalled)
		m.wantAlerts(stalled)
		end(true)
		c.consume(25)
		m.poll(1)
		m.wantRow(group, topic, 1, trend.OK) // the marker
		m.wantAlerts()
	})
}

// TestHangingTransactionReadCommitted counts up to the last stable offset, which the
// transaction holds back: nothing is readable, and nothing ever will be.
func TestHangingTransactionReadCommitted(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		topic, group := s.createTopic("orders", 1), s.name("billing")
		m := s.monitor(func(c *lag.Config) { c.Clusters[0].Kafka.Isolation = lag.ReadCommitted })
		c, end := s.hang(topic, group)
		m.poll(15)
		m.wantRow(group, topic, 0, trend.HungTransaction)
		m.wantAlerts() // brokers abort transactions after a quarter of an hour at most
		m.poll(5)
		m.wantRow(group, topic, 0, trend.HungTransaction)
		m.wantAlerts(alert.TransactionHungAlert + " " + string(trend.HungTransaction))
		if s.cluster.Version != broker.V2 { // which has no DescribeProducers
			producers, err := s.admin.DescribeProducers(s.ctx, kadm.TopicsSet{topic: {0: {}}})
			must(s, err)
			for id, p := range producers[topic].Partitions[0].ActiveProducers {
				if p.CurrentTxnStartOffset >= 0 {
					m.wantText(alert.TransactionHungAlert, group, fmt.Sprint(id))
				}
			}
		}
		end(true)
		c.consume(25)
		m.poll(2)
		m.wantRow(group, topic, 1, trend.OK) // the marker
		m.wantAlerts()
	})
}

// TestOneUnreadMessage has a consumer that dies before the only message of an hour, which
// is within the allowed lag, as the marker of a transaction would be.
func TestOneUnreadMessage(t *testing.T) {
	for name, size := range map[string]int{"small": 1, "large": 10_000} {
		t.Run(name, func(t *testing.T) {
			forEachRelease(t, func(s *scenario) {
				topic, group := s.createTopic("orders", 1), s.name("billing")
				m := s.monitor()
				c := s.join(group, []string{topic})
				s.produce(topic, 0, 10)
				c.consume(10)
				c.leave()
				m.poll(1)
				records := s.records(topic, 0, 1)
				records[0].Value = make([]byte, size)
				must(s, s.client.ProduceSync(s.ctx, records...).FirstErr())
				m.poll(8)
				m.wantRow(group, topic, 1, trend.Stopped)
				m.wantAlerts(stopped)
			})
		})
	}
}

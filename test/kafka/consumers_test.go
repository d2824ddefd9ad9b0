package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/pkg/lag/trend"
)

// TestStall has a consumer that stays in its group and commits no more. Every release
// and every protocol of groups must give the same answers.
func TestStall(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cluster *sharedCluster
		opts    []kgo.Opt
	}{
		{"classic group of Kafka 4", kafka4, nil},
		{"KIP-848 group of Kafka 4", kafka4, []kgo.Opt{kip848()}},
		{"classic group of Kafka 3", kafka3, nil},
		{"classic group of Kafka 2 with ZooKeeper", kafka2, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := on(t, tt.cluster)
			topic, group := s.createTopic("orders", 2), s.name("billing")
			m := s.monitor()
			c := s.join(group, []string{topic}, tt.opts...)
			s.produce(topic, 0, 30)
			s.produce(topic, 1, 10)
			c.consume(40)
			m.poll(2)
			m.wantRow(group, topic, 0, trend.OK)

			s.produce(topic, 0, 25)
			m.poll(5)
			m.wantRow(group, topic, 25, trend.Stalled)
			m.wantAlerts()
			m.poll(4)
			m.wantRow(group, topic, 25, trend.Stalled)
			m.wantAlerts(stalled)

			c.consume(25)
			m.poll(1)
			m.wantRow(group, topic, 0, trend.OK)
			m.wantAlerts()
		})
	}
}

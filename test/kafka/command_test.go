package kafka

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/test/kafka/broker"
)

// TestAgreesWithKafkasCommand compares offsets, lag and members with those that Kafka's
// own kafka-consumer-groups prints.
func TestAgreesWithKafkasCommand(t *testing.T) {
	forEachProtocol(t, func(s *scenario) {
		orders, clicks, group := s.createTopic("orders", 3), s.createTopic("clicks", 1), s.name("billing")
		m := s.monitor()
		for p := range int32(3) {
			s.produce(orders, p, 100)
		}
		s.produce(clicks, 0, 7)
		s.commit(group, clicks, 0, 3)
		s.commit(group, orders, 0, 40)
		s.commit(group, orders, 1, 100)
		s.join(group, []string{orders}, kgo.ClientID("worker-1"))

		class := "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
		if s.cluster.Version == broker.V2 {
			class = "kafka.admin.ConsumerGroupCommand"
		}
		out, err := s.cluster.Tool(s.ctx, class, "--bootstrap-server", s.cluster.Addrs()[0], "--describe", "--group", group)
		must(t, err)
		want := parseGroup(out)

		snap, err := m.reader.Read(s.ctx)
		must(t, err)
		m.reader.Describe(s.ctx, snap.Groups)
		var got []string
		for _, topic := range snap.Groups[0].Topics {
			for _, p := range topic.Partitions {
				committed, lag, client := fmt.Sprint(p.Committed), fmt.Sprint(p.Lag), "-"
				if p.Committed < 0 {
					committed, lag = "-", "-"
				}
				for _, member := range snap.Groups[0].Members {
					if slices.Contains(member.Partitions[topic.Name], p.ID) {
						client = member.ClientID
					}
				}
				got = append(got, fmt.Sprint(topic.Name, " ", p.ID, " ", committed, " ", p.End, " ", lag, " ", client))
			}
		}
		slices.Sort(got)
		if len(want) != 4 || !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), out)
		}
	})
}

// parseGroup returns the lines of a table by kafka-consumer-groups, sorted: topic,
// partition, commit, log end, lag and client. "-" is nothing.
func parseGroup(out string) []string {
	var lines []string
	columns := map[string]int{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 1 && fields[0] == "GROUP":
			for i, name := range fields {
				columns[name] = i
			}
		case len(columns) > 0 && len(fields) == len(columns):
			var values []string
			for _, name := range []string{"TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CLIENT-ID"} {
				values = append(values, fields[columns[name]])
			}
			lines = append(lines, strings.Join(values, " "))
		}
	}
	slices.Sort(lines)
	return lines
}

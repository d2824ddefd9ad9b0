// Package kafka tests what Tocsin reports of consumers on real brokers of Apache Kafka.
// Each test knows the truth, because it produces, consumes and breaks things itself.
//
// The brokers, producers and consumers work in real time; Tocsin's time is an argument,
// and passes a minute with each poll.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag"
	lagkafka "tocsin/pkg/lag/kafka"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
	"tocsin/test/kafka/broker"
)

// testTimeout bounds every wait of a test.
const testTimeout = 5 * time.Minute

// sharedCluster is a cluster that is started when the first test needs it, and stopped
// after the last.
type sharedCluster struct {
	broker.Config
	once    sync.Once
	cluster *broker.Cluster
	err     error
}

// The clusters that tests share. A test uses topics and groups with its own names.
var (
	kafka4 = &sharedCluster{Config: broker.Config{Version: broker.V4, Secure: true}}
	kafka3 = &sharedCluster{Config: broker.Config{Version: broker.V3}}
	kafka2 = &sharedCluster{Config: broker.Config{Version: broker.V2}}
)

func TestMain(m *testing.M) {
	status := m.Run()
	for _, s := range []*sharedCluster{kafka4, kafka3, kafka2} {
		if s.cluster != nil {
			if err := s.cluster.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				status = 1
			}
		}
	}
	os.Exit(status)
}

// scenario is a test on a cluster.
type scenario struct {
	*testing.T
	ctx     context.Context
	cluster *broker.Cluster
	client  *kgo.Client
	admin   *kadm.Client
	// protocol are the options of consumers that join a group.
	protocol []kgo.Opt
	// now is Tocsin's time. It begins an hour ago, so that messages at that time are
	// not in the future of the brokers.
	now time.Time
}

// on starts a scenario on a shared cluster. It skips the test on a machine that cannot
// run the release.
func on(t *testing.T, s *sharedCluster) *scenario {
	t.Helper()
	t.Parallel()
	s.once.Do(func() { s.cluster, s.err = s.Start(context.Background()) })
	return newScenario(t, s.cluster, s.err)
}

// onOwn starts a scenario on a cluster of its own.
func onOwn(t *testing.T, c broker.Config) *scenario {
	t.Helper()
	t.Parallel()
	cluster, err := c.Start(t.Context())
	if err == nil {
		t.Cleanup(func() {
			if err := cluster.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return newScenario(t, cluster, err)
}

func newScenario(t *testing.T, cluster *broker.Cluster, err error) *scenario {
	t.Helper()
	if _, ok := errors.AsType[*broker.UnavailableError](err); ok {
		t.Skip(err)
	}
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	s := &scenario{T: t, ctx: ctx, cluster: cluster, now: time.Now().Add(-time.Hour).Truncate(time.Second)}
	s.client = s.newClient(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	s.admin = kadm.NewClient(s.client)
	return s
}

// must ends the test if a step that only prepares fails.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// waitUntil polls done until it returns true. what completes the sentence "want that".
func (s *scenario) waitUntil(what string, done func() bool) {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-s.ctx.Done():
			s.Fatalf("got a timeout, want that %s", what)
		case <-tick.C:
		}
	}
}

// name returns the name of a topic or group that belongs to this test only.
func (s *scenario) name(text string) string {
	return strings.ReplaceAll(s.Name(), "/", "-") + "-" + text
}

// newClient returns a client that is closed at the end of the test.
func (s *scenario) newClient(opts ...kgo.Opt) *kgo.Client {
	s.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(s.cluster.Addrs()...), kgo.MetadataMinAge(50 * time.Millisecond), kgo.MetadataMaxAge(time.Second),
	}, opts...)...)
	must(s, err)
	s.Cleanup(client.Close)
	return client
}

// createTopic creates a topic and returns its name. configs are pairs of key and value.
func (s *scenario) createTopic(name string, partitions int32, configs ...string) string {
	s.Helper()
	values := map[string]*string{}
	for i := 0; i < len(configs); i += 2 {
		values[configs[i]] = &configs[i+1]
	}
	topic := s.name(name)
	_, err := s.admin.CreateTopic(s.ctx, partitions, int16(min(s.cluster.Brokers, 3)), values, topic)
	must(s, err)
	for id := range s.cluster.Brokers {
		s.waitUntil(fmt.Sprintf("broker %d knows topic %s", id+1, topic), func() bool {
			req := kmsg.NewPtrMetadataRequest()
			one := kmsg.NewMetadataRequestTopic()
			one.Topic = &topic
			req.Topics = append(req.Topics, one)
			resp, err := req.RequestWith(s.ctx, s.client.Broker(id+1))
			return err == nil && resp.Topics[0].ErrorCode == 0
		})
	}
	return topic
}

// alterTopic changes a configuration of a topic.
func (s *scenario) alterTopic(topic, key, value string) {
	s.Helper()
	responses, err := s.admin.AlterTopicConfigs(s.ctx, []kadm.AlterConfig{{Name: key, Value: &value}}, topic)
	must(s, err)
	for _, r := range responses {
		must(s, r.Err)
	}
}

// produce writes n messages at Tocsin's time to a partition.
func (s *scenario) produce(topic string, partition int32, n int) {
	s.Helper()
	must(s, s.client.ProduceSync(s.ctx, s.records(topic, partition, n)...).FirstErr())
}

func (s *scenario) records(topic string, partition int32, n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Timestamp: s.now, Value: []byte("message")}
	}
	return records
}

// consumer is a member of a group. It consumes only in consume.
type consumer struct {
	*scenario
	group  string
	client *kgo.Client
}

// join joins a group that consumes topics from their beginning, and waits until it is
// stable.
func (s *scenario) join(group string, topics []string, opts ...kgo.Opt) *consumer {
	s.Helper()
	c := &consumer{scenario: s, group: group, client: s.newClient(slices.Concat([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.HeartbeatInterval(200 * time.Millisecond), kgo.FetchMaxWait(200 * time.Millisecond),
	}, s.protocol, opts)...)}
	s.waitForState(group, "Stable")
	return c
}

// kip848 makes a consumer use the protocol of KIP-848.
func kip848() kgo.Opt { return kgo.ServerSideBalancer() }

// consumed creates a topic with n messages in its first partition, of which a consumer of
// a group has read some.
func (s *scenario) consumed(partitions int32, n, read int) (topic, group string, m *monitor, c *consumer) {
	s.Helper()
	topic, group = s.createTopic("orders", partitions), s.name("billing")
	m = s.monitor()
	c = s.join(group, []string{topic})
	s.produce(topic, 0, n)
	c.consume(read)
	return topic, group, m, c
}

// forEachProtocol runs a scenario with each release and protocol of consumer groups:
// Tocsin must report the same of all.
func forEachProtocol(t *testing.T, run func(*scenario)) {
	for _, tt := range []struct {
		name     string
		cluster  *sharedCluster
		protocol []kgo.Opt
	}{
		{"classic group of Kafka 4", kafka4, nil},
		{"KIP-848 group of Kafka 4", kafka4, []kgo.Opt{kip848()}},
		{"classic group of Kafka 3", kafka3, nil},
		{"classic group of Kafka 2", kafka2, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := on(t, tt.cluster)
			s.protocol = tt.protocol
			run(s)
		})
	}
}

// waitForState waits until a group has a state, by Kafka's name.
func (s *scenario) waitForState(group, state string) {
	s.Helper()
	s.waitUntil(fmt.Sprintf("group %s is %s", group, state), func() bool {
		groups, err := s.admin.ListGroups(s.ctx)
		return err == nil && groups[group].State == state
	})
}

// consume reads n messages and commits them.
func (c *consumer) consume(n int) {
	c.Helper()
	for left := n; left > 0; {
		fetches := c.client.PollRecords(c.ctx, left)
		must(c, fetches.Err())
		must(c, c.client.CommitRecords(c.ctx, fetches.Records()...))
		left -= len(fetches.Records())
	}
}

// leave leaves the group.
func (c *consumer) leave() { c.client.Close() }

// commit sets the offset of a group without members in a partition.
func (s *scenario) commit(group, topic string, partition int32, offset int64) {
	s.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, partition, offset, -1)
	must(s, s.admin.CommitAllOffsets(s.ctx, group, offsets))
}

// monitor is Tocsin, which polls the groups of one test.
type monitor struct {
	*scenario
	watcher *lag.Watcher
	reader  *lagkafka.Reader
	store   store.Store
	firing  map[string]*alert.Alert // by name, group and topic
	ended   []*alert.Alert          // those of the last poll
}

const clusterName = "production"

// monitor returns a monitor with the default rules. change, if given, changes its
// configuration.
func (s *scenario) monitor(change ...func(*lag.Config)) *monitor {
	s.Helper()
	own, err := setting.NewPattern(regexp.QuoteMeta(s.name("")) + ".*")
	must(s, err)
	cfg := &lag.Config{Clusters: []lag.Cluster{{
		Name: clusterName, Kafka: &lag.Kafka{Brokers: s.cluster.Addrs()}, Groups: lag.Filter{Include: []setting.Pattern{own}},
	}}}
	for _, change := range change {
		change(cfg)
	}
	var faults setting.Faults
	cfg.Validate(&faults)
	for _, f := range faults.List() {
		s.Fatalf("configuration: %v", f)
	}
	m := &monitor{scenario: s, store: memory.New(), firing: map[string]*alert.Alert{}}
	m.reader, err = lagkafka.New(cfg.Clusters[0], os.LookupEnv, nil)
	must(s, err)
	s.Cleanup(m.reader.Close)
	m.watcher = &lag.Watcher{
		Config: cfg, Readers: map[string]lag.Reader{clusterName: m.reader}, Store: m.store, Ingest: m.ingest,
		Language: "en", Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	return m
}

func (m *monitor) ingest(_ context.Context, _ time.Time, alerts []*alert.Alert) error {
	for _, a := range alerts {
		key := a.Name() + " " + a.Labels[alert.GroupLabel] + " " + a.Labels[alert.TopicLabel]
		delete(m.firing, key)
		if a.EndsAt.IsZero() {
			m.firing[key] = a
		} else {
			m.ended = append(m.ended, a)
		}
	}
	return nil
}

// poll polls once for each of n minutes.
func (m *monitor) poll(n int) {
	m.Helper()
	for range n {
		m.now = m.now.Add(time.Minute)
		m.ended = nil
		_, err := m.watcher.Poll(m.ctx, m.now)
		must(m, err)
	}
}

// row returns the row that `tocsin lag` prints for a topic of a group now.
func (m *monitor) row(group, topic string) lag.TableRow {
	m.Helper()
	state, err := lag.LoadState(m.ctx, m.store, clusterName)
	must(m, err)
	window, err := lag.LoadWindow(m.ctx, m.store, clusterName)
	must(m, err)
	if window == nil {
		window = &trend.Window{}
	}
	view := lag.Poller{Config: m.watcher.Config, Cluster: clusterName, Reader: m.reader, State: state, Window: window, AllAges: true}
	now := m.now.Add(time.Second)
	snap, err := view.Poll(m.ctx, now)
	must(m, err)
	rows := lag.Table(m.watcher.Config, clusterName, snap, state, now)
	i := slices.IndexFunc(rows, func(r lag.TableRow) bool { return r.Group == group && r.Topic == topic })
	if i < 0 {
		m.Fatalf("group %s, topic %q: got no row, want one", group, topic)
	}
	return rows[i]
}

// wantRow checks the lag and the status of a topic. A lag of -1 is an unknown one, and so
// is the status "".
func (m *monitor) wantRow(group, topic string, lag int64, status trend.State) {
	m.Helper()
	row := m.row(group, topic)
	got := int64(-1)
	if row.Lag != nil {
		got = *row.Lag
	}
	if got != lag || row.Status != status {
		m.Errorf("group %s, topic %s: got lag %d, status %q (reason %q); want lag %d, status %q", group, topic, got, row.Status, row.Reason, lag, status)
	}
}

// wantRecovered polls and checks that the group has read everything and no alert fires.
func (m *monitor) wantRecovered(group, topic string) {
	m.Helper()
	m.poll(1)
	m.wantRow(group, topic, 0, trend.OK)
	m.wantAlerts()
}

// wantText checks that an alert of the group, or of the cluster for group "", fires with a
// text in its summary or description.
func (m *monitor) wantText(name, group, text string) {
	m.Helper()
	for _, a := range m.firing {
		if a.Name() == name && a.Labels[alert.GroupLabel] == group && strings.Contains(a.Annotations[alert.SummaryAnnotation]+"\n"+a.Annotations[alert.DescriptionAnnotation], text) {
			return
		}
	}
	for _, a := range m.firing {
		m.Logf("%s: %s", a.Name(), a.Annotations[alert.DescriptionAnnotation])
	}
	m.Errorf("got alerts %q, want %s with %q", m.summaries(), name, text)
}

// wantDelay checks the delay of a topic, to a second or a hundredth. It is a lower bound.
func (m *monitor) wantDelay(group, topic string, want time.Duration) {
	m.Helper()
	row := m.row(group, topic)
	if row.Delay == nil {
		m.Errorf("group %s, topic %s: got no delay, want %v", group, topic, want)
		return
	}
	got := time.Duration(*row.Delay) * time.Second
	if tolerance := max(want/100, 2*time.Second); got < want-tolerance || got > want+tolerance {
		m.Errorf("group %s, topic %s: got delay %v, want %v", group, topic, got, want)
	}
}

// wantAlerts checks which alerts fire. Each is a name, and the status of the consumer
// unless that is ok.
func (m *monitor) wantAlerts(want ...string) {
	m.Helper()
	var got []string
	for _, a := range m.firing {
		status := strings.TrimPrefix(a.Annotations[alert.StatusAnnotation], string(alert.StatusOK))
		got = append(got, strings.TrimSpace(a.Name()+" "+status))
	}
	slices.Sort(got)
	if !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		m.Errorf("got alerts %q (%q), want %q", got, m.summaries(), want)
	}
}

// wantStarted checks when the alerts of stuck consumers started, before Tocsin's time.
// There must be one at least.
func (m *monitor) wantStarted(want time.Duration) {
	m.Helper()
	stuck := 0
	for _, a := range m.firing {
		if a.Name() != alert.ConsumerStuckAlert {
			continue
		}
		stuck++
		if got := a.StartsAt.Sub(m.now); got != want {
			m.Errorf("alert of %s: got a start at %v, want %v", a.Labels[alert.GroupLabel], got, want)
		}
	}
	if stuck == 0 {
		m.Errorf("got alerts %q, want %s", m.summaries(), alert.ConsumerStuckAlert)
	}
}

// summaries returns the summaries of the firing alerts.
func (m *monitor) summaries() []string {
	var out []string
	for _, a := range m.firing {
		out = append(out, a.Annotations[alert.SummaryAnnotation])
	}
	return out
}

// Alerts of the default rules.
const (
	lost    = alert.MessagesLostAlert
	stalled = alert.ConsumerStuckAlert + " " + string(alert.StatusStalled)
	stopped = alert.ConsumerStuckAlert + " " + string(alert.StatusStopped)
)

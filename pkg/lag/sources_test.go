package lag_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/ckafka"
	"tocsin/pkg/lag/kafka"
	"tocsin/pkg/lag/trend"
	kafkacluster "tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/tencent"
)

var (
	_ lag.AgeReader = (*kafka.Reader)(nil)
	_ lag.Describer = (*kafka.Reader)(nil)
)

// testSources are a cluster and its readers, by Kafka's protocol and by the API of a
// CKafka instance on the same Kafka.
type testSources struct {
	cluster       lag.Cluster
	protocol, api lag.Reader
}

// newTestSources starts a Kafka with consumers at a time: "live" has a member that
// stopped after 10 of 15 messages, "left" has no member and read 3, "done" read all.
// The 10 first messages are 20 minutes old, the others 12.
func newTestSources(ctx context.Context, t *testing.T, now time.Time) *testSources {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	k, err := kafkacluster.Start(ctx, map[string]int32{"orders": 1})
	must(err)
	t.Cleanup(k.Close)
	produce := func(minutesAgo, n int) {
		must(k.ProduceAt(ctx, "orders", 0, slices.Repeat([]time.Time{now.Add(-time.Duration(minutesAgo) * time.Minute)}, n)...))
	}
	produce(20, 10)
	live, err := k.Consumer(ctx, "live", "orders")
	must(err)
	t.Cleanup(live.Close)
	_, err = live.Consume(ctx, 10)
	must(err)
	produce(12, 5)
	must(k.Commit(ctx, "left", "orders", 0, 3))
	must(k.Commit(ctx, "done", "orders", 0, 15))

	cloud := tencentcloud.New(time.Now)
	cloud.SetKey("id", tencentcloud.Key{Secret: "key"})
	cloud.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: k})
	server := httptest.NewTLSServer(cloud)
	t.Cleanup(server.Close)
	s := &testSources{cluster: lag.Cluster{
		Name: "c", Kafka: &lag.Kafka{Brokers: k.Brokers()},
		CKafka: &lag.CKafka{InstanceID: "ckafka-1", Region: "ap-guangzhou", Endpoint: server.URL, SecretID: "id", SecretKey: "key"},
	}}
	protocol, err := kafka.New(s.cluster, os.LookupEnv, nil)
	must(err)
	t.Cleanup(protocol.Close)
	s.protocol = protocol
	s.api, err = ckafka.New(s.cluster, tencent.Credential{}, server.Client().Transport)
	must(err)
	return s
}

// Both readers of a cluster read the same offsets and raise the same alerts. By the
// protocol the age of messages is known at the first poll; through the API it takes
// as many polls as it lasts.
func TestBothSources(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	sources := newTestSources(ctx, t, start)

	want := []string{"done orders #0 15/15 0 true", "left orders #0 3/15 12 true", "live orders #0 10/15 5 true"}
	for name, r := range map[string]lag.Reader{"protocol": sources.protocol, "API": sources.api} {
		t.Run("offsets by "+name, func(t *testing.T) {
			snap, err := r.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if got := partitions(snap); !slices.Equal(got, want) {
				t.Errorf("partitions =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}

	const (
		atFirst   = "left Late 1200, live Late 720"
		atLast    = "left Late 1320, left Stopped, live Late 840, live Stalled"
		atLastAPI = "left Stopped, live Stalled"
	)
	for name, tt := range map[string]struct {
		reader      lag.Reader
		first, last string
	}{
		"protocol":               {sources.protocol, atFirst, atLast},
		"protocol before API":    {lag.NewFailoverReader(sources.protocol, sources.api), atFirst, atLast},
		"API":                    {sources.api, "", atLastAPI},
		"API after the protocol": {lag.NewFailoverReader(unreachableReader{}, sources.api), "", atLastAPI},
	} {
		t.Run("alerts by "+name, func(t *testing.T) {
			var got string
			w := &lag.Watcher{
				Config: &lag.Config{Clusters: []lag.Cluster{sources.cluster}, Rules: []lag.Rule{
					{Alert: "Stalled", Status: []trend.State{trend.Stalled}}, {Alert: "Stopped", Status: []trend.State{trend.Stopped}},
					{Alert: "Late", MaxDelay: setting.Duration(10 * time.Minute)},
				}},
				Readers: map[string]lag.Reader{"c": tt.reader}, Store: memory.New(), Language: "en",
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
				Ingest: func(_ context.Context, _ time.Time, alerts []*alert.Alert) error {
					var all []string
					for _, a := range alerts {
						all = append(all, strings.TrimSpace(fmt.Sprint(a.Labels["consumer_group"], " ", a.Name(), " ", roundedDelay(a))))
					}
					slices.Sort(all)
					got = strings.Join(all, ", ")
					return nil
				},
			}
			for m := range 3 {
				got = ""
				if _, err := w.Poll(ctx, start.Add(time.Duration(m)*time.Minute)); err != nil {
					t.Fatal(err)
				}
				if m == 0 && got != tt.first {
					t.Errorf("alerts of the first poll = %s, want %s", got, tt.first)
				}
			}
			if got != tt.last {
				t.Errorf("alerts of the last poll = %s, want %s", got, tt.last)
			}
		})
	}
}

// partitions returns the partitions of a snapshot, with their offsets and lag.
func partitions(snap *lag.Snapshot) (all []string) {
	for _, g := range snap.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				all = append(all, fmt.Sprintf("%s %s #%d %d/%d %d %v", g.Name, t.Name, p.ID, p.Committed, p.End, p.Lag, p.Known))
			}
		}
	}
	slices.Sort(all)
	return all
}

// roundedDelay returns the delay of an alert Late to ten seconds; its precision is
// one second.
func roundedDelay(a *alert.Alert) string {
	var seconds int
	if _, err := fmt.Sscan(a.Annotations["delay"], &seconds); a.Name() != "Late" || err != nil {
		return ""
	}
	return fmt.Sprint((seconds + 5) / 10 * 10)
}

// unreachableReader fails as a reader of an unreachable cluster does.
type unreachableReader struct{ lag.Reader }

func (unreachableReader) Read(context.Context) (*lag.Snapshot, error) {
	return nil, fmt.Errorf("dial tcp 10.0.0.1:9092: connect: connection refused")
}

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
	world "tocsin/pkg/localcloud/kafka"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/setting"
	"tocsin/pkg/store/memory"
	"tocsin/pkg/tencent"
)

var (
	_ lag.AgeReader = (*kafka.Reader)(nil)
	_ lag.Describer = (*kafka.Reader)(nil)
)

// One cluster by both ways: its consumers are judged alike. By the protocol it is
// known how old messages are from the first poll on; through the API it takes the
// time itself.
func TestOneClusterBothWays(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	k, err := world.Start(ctx, map[string]int32{"orders": 1})
	must(err)
	defer k.Close()
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	produce := func(minutesAgo int, n int) {
		must(k.ProduceAt(ctx, "orders", 0, slices.Repeat([]time.Time{start.Add(-time.Duration(minutesAgo) * time.Minute)}, n)...))
	}
	produce(20, 10)
	live, err := k.Consumer(ctx, "live", "orders")
	must(err)
	defer live.Close()
	_, err = live.Consume(ctx, 10)
	must(err)
	produce(12, 5) // which it does not read
	must(k.Commit(ctx, "left", "orders", 0, 3))
	must(k.Commit(ctx, "done", "orders", 0, 15))

	cloud := tencentcloud.New(time.Now)
	cloud.SetKey("id", tencentcloud.Key{Secret: "key"})
	cloud.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: k})
	server := httptest.NewTLSServer(cloud)
	defer server.Close()
	cluster := lag.Cluster{
		Name: "c", Kafka: &lag.Kafka{Brokers: k.Brokers()},
		CKafka: &lag.CKafka{InstanceID: "ckafka-1", Region: "ap-guangzhou", Endpoint: server.URL, SecretID: "id", SecretKey: "key"},
	}
	protocol, err := kafka.New(cluster, os.LookupEnv)
	must(err)
	defer protocol.Close()
	api, err := ckafka.New(cluster, tencent.Credential{}, server.Client().Transport)
	must(err)

	// Row by row they read the same.
	want := []string{"done orders #0 15/15 0 true", "left orders #0 3/15 12 true", "live orders #0 10/15 5 true"}
	for name, r := range map[string]lag.Reader{"protocol": protocol, "API": api} {
		snap, err := r.Read(ctx)
		must(err)
		if got := rows(snap); !slices.Equal(got, want) {
			t.Errorf("by the %s the rows are\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}

	rules := []lag.Rule{
		{Alert: "Stalled", Status: []trend.State{trend.Stalled}}, {Alert: "Stopped", Status: []trend.State{trend.Stopped}},
		{Alert: "Late", MaxDelay: setting.Duration(10 * time.Minute)},
	}
	const inTheEnd = "left Late 1320, left Stopped, live Late 840, live Stalled"
	for name, tt := range map[string]struct {
		reader      lag.Reader
		first, last string
	}{
		"protocol":             {protocol, "left Late 1200, live Late 720", inTheEnd},
		"protocol before API":  {lag.NewFailoverReader(protocol, api), "left Late 1200, live Late 720", inTheEnd},
		"API":                  {api, "", "left Stopped, live Stalled"},
		"API for the protocol": {lag.NewFailoverReader(down{}, api), "", "left Stopped, live Stalled"},
	} {
		t.Run(name, func(t *testing.T) {
			var said string
			w := &lag.Watcher{
				Config:  &lag.Config{Clusters: []lag.Cluster{cluster}, Rules: rules},
				Readers: map[string]lag.Reader{"c": tt.reader}, Store: memory.New(), Language: "en",
				Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
				Ingest: func(_ context.Context, _ time.Time, alerts []*alert.Alert) error {
					var all []string
					for _, a := range alerts {
						all = append(all, strings.TrimSpace(fmt.Sprint(a.Labels["consumer_group"], " ", a.Name(), " ", late(a))))
					}
					slices.Sort(all)
					said = strings.Join(all, ", ")
					return nil
				},
			}
			for m := range 3 {
				said = ""
				if _, err := w.Poll(ctx, start.Add(time.Duration(m)*time.Minute)); err != nil {
					t.Fatal(err)
				}
				if m == 0 && said != tt.first {
					t.Errorf("at first %s, want %s", said, tt.first)
				}
			}
			if said != tt.last {
				t.Errorf("in the end %s, want %s", said, tt.last)
			}
		})
	}
}

// rows are the partitions of a snapshot: who reads what, how far of how much, and
// what is left.
func rows(snap *lag.Snapshot) (all []string) {
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

// late is the delay that an alert about it tells, to the nearest ten seconds: it
// is known within one.
func late(a *alert.Alert) string {
	var seconds int
	if _, err := fmt.Sscan(a.Annotations["delay"], &seconds); a.Name() != "Late" || err != nil {
		return ""
	}
	return fmt.Sprint((seconds + 5) / 10 * 10)
}

// down is a way into a cluster that is shut.
type down struct{ lag.Reader }

func (down) Read(context.Context) (*lag.Snapshot, error) {
	return nil, fmt.Errorf("dial tcp 10.0.0.1:9092: connect: connection refused")
}

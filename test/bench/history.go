package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag"
	"tocsin/pkg/store/memory"
)

// windowPolls is how many polls fill the window from which a consumer is
// evaluated.
const windowPolls = 15

// traffic is a cluster whose consumers keep up: each partition has its own rate
// of messages, and the groups are a little behind.
type traffic struct {
	snap *lag.Snapshot
	rand *rand.Rand
}

// newTraffic returns 100 groups that read so many of 200 topics of 12
// partitions.
func newTraffic(topics int) *traffic {
	t := &traffic{snap: &lag.Snapshot{Complete: true}, rand: rand.New(rand.NewPCG(1, 2))}
	for g := range kafkaGroups {
		group := lag.Group{Name: fmt.Sprintf("group-%03d", g), State: "Stable", Complete: true}
		for i := range topics {
			topic := lag.Topic{Name: fmt.Sprintf("topic-%03d", (g*topics+i)%kafkaTopics)}
			for p := range int32(kafkaPartitions) {
				topic.Partitions = append(topic.Partitions, lag.Partition{ID: p, Committed: 1_000_000, End: 1_000_000, Known: true})
			}
			group.Topics = append(group.Topics, topic)
		}
		t.snap.Groups = append(t.snap.Groups, group)
	}
	return t
}

// Read returns the groups a minute later.
func (t *traffic) Read(context.Context) (*lag.Snapshot, error) {
	ends := map[string][]int64{}
	for g := range t.snap.Groups {
		for _, topic := range t.snap.Groups[g].Topics {
			if ends[topic.Name] == nil {
				for i, p := range topic.Partitions {
					rate := 100 * (1 + (i*7919+len(ends)*104729)%200)
					ends[topic.Name] = append(ends[topic.Name], p.End+int64(rate+t.rand.IntN(rate)))
				}
			}
			for i := range topic.Partitions {
				p := &topic.Partitions[i]
				p.End = ends[topic.Name][i]
				p.Lag = int64(t.rand.IntN(1000))
				p.Committed = p.End - p.Lag
			}
		}
	}
	return t.snap, nil
}

// history measures the cost of the default rules in a poll of 2,400 and of
// 24,000 group-partitions with a full window, and the size of the stored
// window.
func (b *bench) history(ctx context.Context) ([]row, error) {
	var rows []row
	var few time.Duration
	for _, topics := range []int{2, 20} {
		partitions := kafkaGroups * topics * kafkaPartitions
		st := memory.New()
		defer st.Close()
		w := &lag.Watcher{
			Config: &lag.Config{Clusters: []lag.Cluster{{Name: "c"}}}, Readers: map[string]lag.Reader{"c": newTraffic(topics)}, Store: st,
			Ingest:   func(context.Context, time.Time, []*alert.Alert) error { return nil },
			Language: "zh", Log: slog.New(slog.DiscardHandler),
		}
		now := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
		var took sample
		for i := range 2 * windowPolls {
			begin := time.Now()
			sum, err := w.Poll(ctx, now.Add(time.Duration(i)*time.Minute))
			if err != nil || sum.Polled != kafkaGroups || sum.Firing != 0 {
				return nil, fmt.Errorf("poll %d: %+v, %w", i, sum, err)
			}
			if i >= windowPolls {
				took = append(took, time.Since(begin))
			}
		}
		stored := 0
		items, err := st.List(ctx, "lagtrend/", "", 1000)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			stored += len(it.Value)
		}
		name := fmt.Sprintf("poll of %d group-partitions with the default rules", partitions)
		if few == 0 {
			few = took.median()
		}
		rows = append(rows,
			row{name + ": load the window, evaluate, store", took.String(), "2400 group-partitions: " + millis(few), ratio(took.median(), few), ""},
			row{name + ": stored window", fmt.Sprintf("%.2f MB, %.0f bytes per partition", float64(stored)/(1<<20), float64(stored)/float64(partitions)), "",
				"", map[int]string{20: "2 MB"}[topics]})
	}
	return rows, nil
}

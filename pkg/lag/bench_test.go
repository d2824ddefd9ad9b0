package lag

import (
	"context"
	"testing"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/memory"
)

// 5,000 topics of 24 partitions with a lag of 2,400 each.
func BenchmarkEvaluate(b *testing.B) {
	for name, maxLag := range map[string]int64{"quiet": 2400, "firing": 2399} {
		b.Run(name, func(b *testing.B) {
			snap := manyPartitions(500, 10)
			rule := lagRule(maxLag)
			rule.Match = Match{ConsumerGroup: mustPattern(b, "group-.*"), Topic: mustPattern(b, ".*")}
			rule.Labels = mustTemplates(b, "severity", "warning")
			e := NewEvaluator([]Rule{rule}, "c", "zh")
			state, _ := e.Evaluate(nil, snap, at(0))
			b.ReportAllocs()
			for b.Loop() {
				e.Evaluate(state, snap, at(1))
			}
		})
	}
}

// The cost of the history for a poll of 50 topics of 24 partitions whose rules do
// not need the window: decode it, add the poll and encode it.
func BenchmarkHistory(b *testing.B) {
	snap := manyPartitions(1, 50)
	w := &trend.Window{}
	for m := range 180 {
		w.Add(at(float64(m)), trendGroups(snap), true, false)
	}
	changes, _ := chunks(nil).changes("c", w, at(180))
	stored := chunks{{Key: changes[0].Key, Value: changes[0].Value, Version: 1}}
	b.ReportAllocs()
	for b.Loop() {
		w, err := stored.window()
		if err != nil {
			b.Fatal(err)
		}
		w.Add(at(181), trendGroups(snap), true, false)
		if _, err := stored.changes("c", w, at(181)); err != nil {
			b.Fatal(err)
		}
	}
}

// A whole poll of 100 groups, 10 topics and 24 partitions with lag, by the default
// rules.
func BenchmarkPollWithDefaultRules(b *testing.B) {
	snap := manyPartitions(100, 10)
	w := newRuleWatcher(memory.New(), &ingestRecorder{}, readerFunc(func(context.Context) (*Snapshot, error) {
		for g := range snap.Groups {
			for t := range snap.Groups[g].Topics {
				partitions := snap.Groups[g].Topics[t].Partitions
				for i := range partitions {
					partitions[i].Committed, partitions[i].End = partitions[i].Committed+137, partitions[i].End+137
				}
			}
		}
		return snap, nil
	}))
	minute := 0.0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Poll(b.Context(), at(minute)); err != nil {
			b.Fatal(err)
		}
		minute++
	}
}

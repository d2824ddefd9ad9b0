package lag

import (
	"context"
	"fmt"
	"testing"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/memory"
)

func benchmarkJudge(b *testing.B, maxLag int64) {
	const groups, topics, partitions = 500, 10, 24
	snap := &Snapshot{Complete: true}
	for g := range groups {
		group := Group{Name: fmt.Sprintf("group-%03d", g), Complete: true}
		for t := range topics {
			tp := Topic{Name: fmt.Sprintf("topic-%02d", t)}
			for p := range partitions {
				tp.Partitions = append(tp.Partitions, Partition{ID: int32(p), Committed: 1000, End: 1100, Lag: 100, Known: true})
			}
			group.Topics = append(group.Topics, tp)
		}
		snap.Groups = append(snap.Groups, group)
	}
	rule := lagRule(maxLag)
	rule.Match = Match{ConsumerGroup: pattern(b, "group-.*"), Topic: pattern(b, ".*")}
	rule.Labels = texts(b, "severity", "warning")
	j := NewEvaluator([]Rule{rule}, "c", "zh")
	state, _ := j.Evaluate(nil, snap, at(0))
	b.ReportAllocs()
	for b.Loop() {
		j.Evaluate(state, snap, at(1))
	}
}

// 5,000 topics of 24 partitions each, which lag by 2,400.
func BenchmarkJudgeQuiet(b *testing.B) { benchmarkJudge(b, 2400) }

func BenchmarkJudgeFiring(b *testing.B) { benchmarkJudge(b, 2399) }

// What the picture costs a poll of 50 topics of 24 partitions whose rules need no
// more: to read the window, take the poll in and store it.
func BenchmarkPicture(b *testing.B) {
	snap := all(whole("g"))
	for t := range 50 {
		tp := Topic{Name: fmt.Sprintf("topic-%02d", t)}
		for p := range int32(24) {
			tp.Partitions = append(tp.Partitions, part(p, 1_000_000, 1_000_100))
		}
		snap.Groups[0].Topics = append(snap.Groups[0].Topics, tp)
	}
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

// A whole poll of 100 groups × 10 topics × 24 partitions that all lag, by the
// default rules: read, remember, judge, store.
func BenchmarkPollByDefaultRules(b *testing.B) {
	snap := &Snapshot{Complete: true}
	for g := range 100 {
		group := whole(fmt.Sprintf("group-%03d", g))
		for t := range 10 {
			tp := Topic{Name: fmt.Sprintf("topic-%02d", t)}
			for p := range int32(24) {
				tp.Partitions = append(tp.Partitions, part(p, 1_000_000, 1_000_100))
			}
			group.Topics = append(group.Topics, tp)
		}
		snap.Groups = append(snap.Groups, group)
	}
	minute := 0.0
	w := watcher(memory.New(), &ear{}, map[string]Reader{"c": read(func(context.Context) (*Snapshot, error) {
		for g := range snap.Groups {
			for t := range snap.Groups[g].Topics {
				for p := range snap.Groups[g].Topics[t].Partitions {
					at := &snap.Groups[g].Topics[t].Partitions[p]
					at.Committed, at.End = at.Committed+137, at.End+137
				}
			}
		}
		return snap, nil
	})})
	w.Config.Rules = nil
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Poll(b.Context(), at(minute)); err != nil {
			b.Fatal(err)
		}
		minute++
	}
}

package lag

import (
	"fmt"
	"testing"
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
	j := NewJudge([]Rule{rule}, "c", "zh")
	state, _ := j.Seen(nil, snap, at(0))
	b.ReportAllocs()
	for b.Loop() {
		j.Seen(state, snap, at(1))
	}
}

// 5,000 topics of 24 partitions each, which lag by 2,400.
func BenchmarkJudgeQuiet(b *testing.B) { benchmarkJudge(b, 2400) }

func BenchmarkJudgeFiring(b *testing.B) { benchmarkJudge(b, 2399) }

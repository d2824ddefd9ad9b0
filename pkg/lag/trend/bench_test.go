package trend

import (
	"bytes"
	"testing"
	"time"
)

// BenchmarkWindow measures what a poll costs in addition to reading the
// cluster: loading and storing the window, adding the poll, and evaluating each
// topic with all its partitions. After a day, a window holds log ends of a day
// and lags of three hours.
func BenchmarkWindow(b *testing.B) {
	for _, bb := range []struct {
		name                           string
		groups, topicsPerGroup, topics int
		polls                          int
	}{
		{"1200", 5, 20, 20, windowSize},
		{"1200_after_a_day", 5, 20, 20, 24 * 60},
		{"24000", 100, 20, 200, windowSize},
		{"24000_after_a_day", 100, 20, 200, 24 * 60},
		{"24000_of_own_topics", 100, 20, 2000, windowSize},
		{"24000_of_own_topics_after_a_day", 100, 20, 2000, 24 * 60},
		{"240000", 100, 200, 200, windowSize},
	} {
		b.Run(bb.name, func(b *testing.B) {
			traffic := newTraffic(bb.groups, bb.topicsPerGroup, bb.topics)
			w, now := &Window{}, t0
			for range bb.polls {
				now = now.Add(time.Minute)
				w.Add(now, traffic.poll(), true, true)
			}
			chunks, err := w.Encode()
			if err != nil {
				b.Fatal(err)
			}
			b.Run("decode+encode", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					w, err := Decode(chunks)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := w.Encode(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(bytes.Join(chunks, nil)))/float64(12*bb.groups*bb.topicsPerGroup), "B/partition")
			})
			groups := traffic.poll()
			b.Run("add", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					now = now.Add(time.Minute)
					w.Add(now, groups, true, true)
				}
			})
			b.Run("evaluate", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for g := range groups {
						for i := range groups[g].Topics {
							w.Topic(groups[g].Name, groups[g].Topics[i].Name, 1)
						}
					}
				}
			})
		})
	}
}

package trend

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// cluster is traffic in which each partition has its own rate, and each group
// commits a little behind the end, with noise; one in fifty has stopped.
type cluster struct {
	random *rand.Rand
	groups []Group
	rates  map[string][]int64
	ends   map[string][]int64
}

// newCluster has topics of 12 partitions. Every group reads so many of them.
func newCluster(groups, reads, topics int) *cluster {
	c := &cluster{random: rand.New(rand.NewPCG(1, 2)), rates: map[string][]int64{}, ends: map[string][]int64{}}
	for g := range groups {
		group := Group{Name: fmt.Sprintf("group-%04d", g), Members: HasMembers, Complete: true}
		for i := range reads {
			name := fmt.Sprintf("some-topic-%05d", (g*reads+i)%topics)
			group.Topics = append(group.Topics, Topic{Name: name, Partitions: make([]Partition, 12)})
			if c.ends[name] == nil {
				c.ends[name], c.rates[name] = make([]int64, 12), make([]int64, 12)
				for p := range 12 {
					c.ends[name][p] = c.random.Int64N(1 << 30)
					c.rates[name][p] = 1 + int64(c.random.ExpFloat64()*3000) // a minute
				}
			}
		}
		c.groups = append(c.groups, group)
	}
	return c
}

// poll lets a minute pass.
func (c *cluster) poll() []Group {
	for _, name := range slices.Sorted(maps.Keys(c.ends)) {
		for p, rate := range c.rates[name] {
			c.ends[name][p] += rate/2 + c.random.Int64N(rate+1)
		}
	}
	for g := range c.groups {
		for i := range c.groups[g].Topics {
			t := &c.groups[g].Topics[i]
			for p := range t.Partitions {
				row, end, rate := &t.Partitions[p], c.ends[t.Name][p], c.rates[t.Name][p]
				commit := max(row.Committed, end-c.random.Int64N(rate/10+2))
				if (g+i+p)%50 == 0 && row.Known {
					commit = row.Committed
				}
				*row = Partition{ID: int32(p), Committed: commit, End: end, Lag: end - commit, Known: true}
			}
		}
	}
	return c.groups
}

// What a poll costs beside reading the cluster: reading the window and storing
// it, taking the poll in, and telling the state of each topic with all of its
// partitions. After a day the ends of a day and the lags of three hours are there.
func BenchmarkWindow(b *testing.B) {
	for _, bb := range []struct {
		name                  string
		groups, reads, topics int
		polls                 int
	}{
		{"1200", 5, 20, 20, size},
		{"1200_after_a_day", 5, 20, 20, 24 * 60},
		{"24000", 100, 20, 200, size},
		{"24000_after_a_day", 100, 20, 200, 24 * 60},
		{"24000_of_own_topics", 100, 20, 2000, size},
		{"24000_of_own_topics_after_a_day", 100, 20, 2000, 24 * 60},
		{"240000", 100, 200, 200, size},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := newCluster(bb.groups, bb.reads, bb.topics)
			w, now := &Window{}, t0
			for range bb.polls {
				now = now.Add(time.Minute)
				w.Add(now, c.poll(), true, true)
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
				b.ReportMetric(float64(len(bytes.Join(chunks, nil)))/float64(12*bb.groups*bb.reads), "B/partition")
			})
			seen := c.poll()
			b.Run("add", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					now = now.Add(time.Minute)
					w.Add(now, seen, true, true)
				}
			})
			b.Run("judge", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for g := range seen {
						for i := range seen[g].Topics {
							w.Topic(seen[g].Name, seen[g].Topics[i].Name, 1)
						}
					}
				}
			})
		})
	}
}

package trend

import (
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
		group := Group{Name: fmt.Sprintf("group-%04d", g), Members: SomeMembers, Complete: true}
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

func sizeOf(tb testing.TB, w *Window) (n int) {
	chunks, err := w.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range chunks {
		n += len(c)
	}
	return n
}

func sizes() map[string]func() *cluster {
	return map[string]func() *cluster{
		"1,200":            func() *cluster { return newCluster(5, 20, 20) },
		"24,000":           func() *cluster { return newCluster(100, 20, 200) },
		"24,000 own topic": func() *cluster { return newCluster(100, 20, 2000) },
		"240,000":          func() *cluster { return newCluster(100, 200, 200) },
	}
}

var benchSizes = []string{"1,200", "24,000", "24,000 own topic", "240,000"}

func BenchmarkWindow(b *testing.B) {
	for _, name := range benchSizes {
		for _, polls := range []int{15, 24 * 60} {
			if polls > 15 && name == "240,000" {
				polls = 180
			}
			c := sizes()[name]()
			w := &Window{}
			now := time.UnixMilli(1_700_000_000_000)
			for range polls {
				now = now.Add(time.Minute)
				w.Add(now, c.poll(), true, true)
			}
			chunks, err := w.Encode()
			if err != nil {
				b.Fatal(err)
			}
			run := func(what string, f func(b *testing.B)) {
				b.Run(fmt.Sprintf("%s/%d polls/%s", name, polls, what), f)
			}
			run("decode+encode", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					w, err := Decode(chunks)
					if err != nil {
						b.Fatal(err)
					}
					if chunks, err = w.Encode(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(sizeOf(b, w)), "B-stored")
				b.ReportMetric(float64(w.weight()), "B-raw")
			})
			seen := c.poll()
			run("add", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					now = now.Add(time.Minute)
					w.Add(now, seen, true, true)
				}
			})
			run("judge", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for g := range seen {
						for i := range seen[g].Topics {
							w.Topic(seen[g].Name, seen[g].Topics[i].Name, 1)
						}
					}
				}
			})
		}
	}
}

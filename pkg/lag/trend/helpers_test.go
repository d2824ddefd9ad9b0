package trend

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)

func atMinute(n float64) time.Time { return t0.Add(time.Duration(n * float64(time.Minute))) }

func atSecond(n float64) time.Time { return t0.Add(time.Duration(n * float64(time.Second))) }

// parsePartition parses "committed/end" or "committed/end/start"; "?" is
// unknown.
func parsePartition(id int32, text string) Partition {
	p := Partition{ID: id}
	if text == "?" {
		return p
	}
	n, err := fmt.Sscanf(text, "%d/%d/%d", &p.Committed, &p.End, &p.Start)
	if n < 2 {
		panic(fmt.Sprintf("partition %q: %v", text, err))
	}
	p.Lag, p.Known = max(0, p.End-max(p.Committed, p.Start)), true
	return p
}

// newGroup returns a complete group with topic t, whose partitions are as in
// text; "-" is a partition that is missing.
func newGroup(name string, members Members, text string) Group {
	t := Topic{Name: "t"}
	for i, f := range strings.Fields(text) {
		if f != "-" {
			t.Partitions = append(t.Partitions, parsePartition(int32(i), f))
		}
	}
	return Group{Name: name, Members: members, Complete: true, Topics: []Topic{t}}
}

// newWindow returns a window with polls of partition 0 of group g, a minute
// apart; "!" is a missed poll.
func newWindow(members Members, polls string) *Window {
	w := &Window{}
	for i, f := range strings.Fields(polls) {
		if f != "!" {
			w.Add(atMinute(float64(i)), []Group{newGroup("g", members, f)}, true, true)
		}
	}
	return w
}

// roundTrip returns w after it was stored and loaded.
func roundTrip(t testing.TB, w *Window) *Window {
	t.Helper()
	chunks, err := w.Encode()
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	w, err = Decode(chunks)
	if err != nil {
		t.Fatalf("Decode: %v", err)
	}
	return w
}

// encoded returns the stored bytes of w, and checks the size of the chunks.
func encoded(t testing.TB, w *Window) []byte {
	t.Helper()
	chunks, err := w.Encode()
	if err != nil {
		t.Fatalf("Encode: %v", err)
	}
	for i, c := range chunks {
		if len(c) > 512<<10 {
			t.Errorf("chunk %d has %d bytes, want at most %d", i, len(c), 512<<10)
		}
	}
	return bytes.Join(chunks, nil)
}

func shuffled[T any](random *rand.Rand, of []T) []T {
	of = slices.Clone(of)
	random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of
}

// trafficGenerator generates polls of a cluster in which each partition has its
// own rate. Groups commit a little behind the end, with noise; in one partition
// of fifty the group has stopped.
type trafficGenerator struct {
	random *rand.Rand
	groups []Group
	rates  map[string][]int64
	ends   map[string][]int64
}

// newTraffic returns traffic of groups that read topicsPerGroup topics each, of
// 12 partitions.
func newTraffic(groups, topicsPerGroup, topics int) *trafficGenerator {
	c := &trafficGenerator{random: rand.New(rand.NewPCG(1, 2)), rates: map[string][]int64{}, ends: map[string][]int64{}}
	for g := range groups {
		group := Group{Name: fmt.Sprintf("group-%04d", g), Members: HasMembers, Complete: true}
		for i := range topicsPerGroup {
			name := fmt.Sprintf("some-topic-%05d", (g*topicsPerGroup+i)%topics)
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

// poll returns the groups a minute later.
func (c *trafficGenerator) poll() []Group {
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

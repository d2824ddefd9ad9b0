package trend

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestASecondPollAtTheSameTime(t *testing.T) {
	w := watched(HasMembers, "10/20 12/30")
	before := w.Partition("g", "t", 0, 1)
	for _, at := range []float64{1, 0.5, -7} {
		w.Add(minute(at), []Group{reads("g", NoMembers, "0/0")}, true, true)
	}
	if got := w.Partition("g", "t", 0, 1); !reflect.DeepEqual(got, before) {
		t.Errorf("%+v became %+v", before, got)
	}
}

// What is gone is forgotten at once when the poll was complete, and stays
// otherwise.
func TestGone(t *testing.T) {
	other := Group{Name: "g", Complete: true, Members: HasMembers, Topics: []Topic{{Name: "other", Partitions: []Partition{partition(0, "1/2")}}}}
	cut := other
	cut.Complete = false
	tests := []struct {
		name     string
		poll     []Group
		complete bool
		stays    bool
	}{
		{"group", nil, true, false},
		{"group, in part of a poll", nil, false, true},
		{"topic", []Group{other}, true, false},
		{"topic, in part of a poll", []Group{other}, false, false},
		{"topic, of part of a group", []Group{cut}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := watched(HasMembers, "10/20 10/20 10/20")
			w.Add(minute(3), tt.poll, tt.complete, true)
			w = stored(t, w)
			state, h := w.Partition("g", "t", 0, 1).State, w.History("g", "t")
			if tt.stays != (state == Stalled) || tt.stays != (len(h.Values) == 4) {
				t.Errorf("%v, %v", state, h)
			}
		})
	}
}

func TestAgingOut(t *testing.T) {
	stalled := "10/20 10/20"
	alone := reads("g", HasMembers, "- 10/20")
	unsubscribed := reads("g", HasMembers, stalled)
	unsubscribed.Topics[0].Unsubscribed = true
	unknowns := reads("g", HasMembers, "? 10/20")
	tests := []struct {
		name string
		poll []Group
		// what partition 0 is after so many such polls, and the topic
		states map[int][2]State
		gone   int // after so many it is forgotten
	}{
		{"a partition that is gone", []Group{alone},
			map[int][2]State{1: {Stalled, Stalled}, 3: {Unknown, Stalled}}, size},
		{"a topic that nobody subscribes to", []Group{unsubscribed},
			map[int][2]State{1: {Stalled, Stalled}, 3: {Unknown, Unknown}}, size},
		{"a partition that is not known any more", []Group{unknowns},
			map[int][2]State{1: {Stalled, Stalled}, 3: {Unknown, Stalled}, 100: {Unknown, Stalled}}, 24*60 + 1},
		{"a group that is not seen", nil,
			map[int][2]State{1: {Stalled, Stalled}, 3: {Unknown, Unknown}, 100: {Unknown, Unknown}}, 24*60 + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &Window{}
			for i := range size {
				w.Add(minute(float64(i)), []Group{reads("g", HasMembers, stalled)}, true, true)
			}
			for i := 1; i <= tt.gone; i++ {
				_, _, kept := w.find("g", "t", 0)
				if !kept {
					t.Fatalf("forgotten after %d", i-1)
				}
				w.Add(minute(float64(size-1+i)), tt.poll, tt.poll != nil, true)
				if want, ok := tt.states[i]; ok {
					if got := [2]State{w.Partition("g", "t", 0, 1).State, w.Topic("g", "t", 1).State}; got != want {
						t.Errorf("after %d: %v, want %v", i, got, want)
					}
				}
			}
			if _, _, kept := w.find("g", "t", 0); kept {
				t.Errorf("still there after %d", tt.gone)
			}
		})
	}
}

// Without partitions only histories are kept.
func TestWithoutPartitions(t *testing.T) {
	w := watched(HasMembers, "10/20 10/20 10/20")
	for i := range 3 {
		w.Add(minute(float64(3+i)), []Group{reads("g", HasMembers, "10/30")}, true, false)
	}
	w = stored(t, w)
	if got := w.Partition("g", "t", 0, 1); got.State != Unknown {
		t.Errorf("%+v", got)
	}
	if _, _, known := w.Age("t", 0, 5, minute(6)); known {
		t.Error("the ends are known")
	}
	if got := w.History("g", "t").Values; !reflect.DeepEqual(got, []int64{10, 10, 10, 20, 20, 20}) {
		t.Errorf("%v", got)
	}
	if got := w.Topic("g", "t", 1); got.State != Unknown || got.GrowingFor != 3*time.Minute {
		t.Errorf("%+v", got)
	}
	w.Add(minute(6), []Group{reads("g", HasMembers, "10/30")}, true, true)
	if got := w.Partition("g", "t", 0, 1); got.State != Unknown {
		t.Errorf("with partitions again: %+v", got)
	}
}

// Whatever is answered about one group or partition, what is told of the others
// is the same.
func TestOthersAreUnchanged(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	offset := func() int64 {
		return []int64{-1, 0, 3, 99, random.Int64N(2000), math.MaxInt64, math.MinInt64, 1 << 61}[random.IntN(8)]
	}
	garbage := func(id int32) Partition {
		return Partition{ID: id, Committed: offset(), End: offset(), Start: offset(), Lag: offset(), Known: random.IntN(4) > 0}
	}
	for round := range 200 {
		right, wrong := &Window{}, &Window{}
		end := int64(1000)
		for i := range 25 {
			end += random.Int64N(50)
			row := func(id int32, commit int64) Partition {
				return Partition{ID: id, Committed: commit, End: end, Lag: end - commit, Known: true}
			}
			group := func(name string, rows ...Partition) Group {
				return Group{Name: name, Complete: true, Members: HasMembers, Topics: []Topic{{Name: "t", Partitions: rows}}}
			}
			mine := []Partition{row(0, end), row(1, 900), row(2, end-int64(i))}
			right.Add(minute(float64(i)), []Group{group("a", mine...), group("b", mine...)}, true, true)
			spoilt := append(append([]Partition{}, mine[:1]...), garbage(1), mine[2], garbage(random.Int32N(9)-3))
			if i%3 == 0 {
				spoilt = append(spoilt, garbage(1<<31-1))
			}
			bad := group("b", spoilt...)
			bad.Members, bad.Complete = Members(random.IntN(3)), random.IntN(2) > 0
			wrong.Add(minute(float64(i)), []Group{bad, group("a", mine...)}, random.IntN(2) > 0, true)
			if random.IntN(3) == 0 {
				right, wrong = stored(t, right), stored(t, wrong)
			}
		}
		for id := range int32(3) {
			if a, b := fmt.Sprintf("%+v", right.Partition("a", "t", id, 1)), fmt.Sprintf("%+v", wrong.Partition("a", "t", id, 1)); a != b {
				t.Fatalf("round %d: group a, partition %d: %s became %s", round, id, a, b)
			}
		}
		if a, b := fmt.Sprintf("%+v", right.Topic("a", "t", 1)), fmt.Sprintf("%+v", wrong.Topic("a", "t", 1)); a != b {
			t.Fatalf("round %d: group a: %s became %s", round, a, b)
		}
		if a, b := right.History("a", "t"), wrong.History("a", "t"); !reflect.DeepEqual(a, b) {
			t.Fatalf("round %d: history of a: %v became %v", round, a, b)
		}
	}
}

// What a window says does not depend on the order of groups, topics and
// partitions.
func TestOrderIsNoMatter(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	c := newCluster(6, 5, 12)
	one, two := &Window{}, &Window{}
	for i := range 20 {
		groups := c.poll()
		one.Add(minute(float64(i)), groups, true, true)
		groups = shuffled(random, groups)
		for g := range groups {
			groups[g].Topics = shuffled(random, groups[g].Topics)
			for t := range groups[g].Topics {
				groups[g].Topics[t].Partitions = shuffled(random, groups[g].Topics[t].Partitions)
			}
		}
		two.Add(minute(float64(i)), groups, true, true)
	}
	if !bytes.Equal(joined(t, one), joined(t, two)) {
		t.Error("they differ")
	}
}

func shuffled[T any](random *rand.Rand, of []T) []T {
	of = slices.Clone(of)
	random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	return of
}

func joined(t testing.TB, w *Window) []byte {
	t.Helper()
	chunks, err := w.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		if len(c) > 512<<10 {
			t.Errorf("a chunk of %d bytes", len(c))
		}
	}
	return bytes.Join(chunks, nil)
}

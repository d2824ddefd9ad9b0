package trend

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func TestAddIgnoresEarlierPolls(t *testing.T) {
	w := newWindow(HasMembers, "10/20 12/30")
	want := w.Partition("g", "t", 0, 1)
	for _, at := range []float64{1, 0.5, -7} {
		w.Add(atMinute(at), []Group{newGroup("g", NoMembers, "0/0")}, true, true)
	}
	if got := w.Partition("g", "t", 0, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v as before", got, want)
	}
}

func TestMissingFromPoll(t *testing.T) {
	other := Group{Name: "g", Complete: true, Members: HasMembers, Topics: []Topic{{Name: "other", Partitions: []Partition{parsePartition(0, "1/2")}}}}
	incomplete := other
	incomplete.Complete = false
	tests := []struct {
		name     string
		poll     []Group
		complete bool
		want     bool // the topic is kept
	}{
		{"group missing from a complete poll is forgotten", nil, true, false},
		{"group missing from an incomplete poll is kept", nil, false, true},
		{"topic missing from a complete group is forgotten", []Group{other}, true, false},
		{"topic missing from a complete group in an incomplete poll is forgotten", []Group{other}, false, false},
		{"topic missing from an incomplete group is kept", []Group{incomplete}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWindow(HasMembers, "10/20 10/20 10/20")
			w.Add(atMinute(3), tt.poll, tt.complete, true)
			w = roundTrip(t, w)
			if got := w.Partition("g", "t", 0, 1).State; (got == Stalled) != tt.want {
				t.Errorf("got state %v, want it kept: %v", got, tt.want)
			}
			if got := w.History("g", "t"); (len(got.Values) == 4) != tt.want {
				t.Errorf("got history %v, want it kept: %v", got, tt.want)
			}
		})
	}
}

func TestAddAgesOutPartitions(t *testing.T) {
	const stalled = "10/20 10/20"
	unsubscribed := newGroup("g", HasMembers, stalled)
	unsubscribed.Topics[0].Unsubscribed = true
	tests := []struct {
		name string
		poll []Group
		// states has the states of partition 0 and of the topic after so many
		// such polls.
		states    map[int][2]State
		forgotten int // after so many polls
	}{
		{"missing partition", []Group{newGroup("g", HasMembers, "- 10/20")},
			map[int][2]State{1: {Stalled, Stalled}, 3: {Unknown, Stalled}}, windowSize},
		{"unsubscribed topic", []Group{unsubscribed},
			map[int][2]State{1: {Stalled, Stalled}, 3: {Unknown, Unknown}}, windowSize},
		{"partition that cannot be read", []Group{newGroup("g", HasMembers, "? 10/20")},
			map[int][2]State{1: {Stalled, Stalled}, 3: {Unknown, Stalled}, 100: {Unknown, Stalled}}, 24*60 + 1},
		{"group missing from incomplete polls", nil,
			map[int][2]State{1: {Stalled, Stalled}, 3: {Unknown, Unknown}, 100: {Unknown, Unknown}}, 24*60 + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := &Window{}
			for i := range windowSize {
				w.Add(atMinute(float64(i)), []Group{newGroup("g", HasMembers, stalled)}, true, true)
			}
			for i := 1; i <= tt.forgotten; i++ {
				if _, _, kept := w.findRow("g", "t", 0); !kept {
					t.Fatalf("forgotten after %d polls, want %d", i-1, tt.forgotten)
				}
				w.Add(atMinute(float64(windowSize-1+i)), tt.poll, tt.poll != nil, true)
				if want, ok := tt.states[i]; ok {
					if got := [2]State{w.Partition("g", "t", 0, 1).State, w.Topic("g", "t", 1).State}; got != want {
						t.Errorf("after %d polls: got states %v, want %v", i, got, want)
					}
				}
			}
			if _, _, kept := w.findRow("g", "t", 0); kept {
				t.Errorf("kept after %d polls, want it forgotten", tt.forgotten)
			}
		})
	}
}

func TestAddWithoutPartitions(t *testing.T) {
	w := newWindow(HasMembers, "10/20 10/20 10/20")
	for i := range 3 {
		w.Add(atMinute(float64(3+i)), []Group{newGroup("g", HasMembers, "10/30")}, true, false)
	}
	w = roundTrip(t, w)
	if got := w.Partition("g", "t", 0, 1); got.State != Unknown {
		t.Errorf("partition: got %+v, want %v", got, Unknown)
	}
	if _, _, known := w.Age("t", 0, 5, atMinute(6)); known {
		t.Error("age: got a known one, want unknown")
	}
	if got, want := w.History("g", "t").Values, []int64{10, 10, 10, 20, 20, 20}; !reflect.DeepEqual(got, want) {
		t.Errorf("history: got %v, want %v", got, want)
	}
	if got := w.Topic("g", "t", 1); got.State != Unknown || got.GrowingFor != 3*time.Minute {
		t.Errorf("topic: got %+v, want %v, growing for 3m", got, Unknown)
	}
	w.Add(atMinute(6), []Group{newGroup("g", HasMembers, "10/30")}, true, true)
	if got := w.Partition("g", "t", 0, 1); got.State != Unknown {
		t.Errorf("first poll with partitions again: got %+v, want %v", got, Unknown)
	}
}

// TestInvalidOffsetsAffectOnlyTheirPartition adds invalid partitions to one
// group and checks that the results for another do not change.
func TestInvalidOffsetsAffectOnlyTheirPartition(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	offset := func() int64 {
		return []int64{-1, 0, 3, 99, random.Int64N(2000), math.MaxInt64, math.MinInt64, 1 << 61}[random.IntN(8)]
	}
	invalid := func(id int32) Partition {
		return Partition{ID: id, Committed: offset(), End: offset(), Start: offset(), Lag: offset(), Known: random.IntN(4) > 0}
	}
	group := func(name string, partitions ...Partition) Group {
		return Group{Name: name, Complete: true, Members: HasMembers, Topics: []Topic{{Name: "t", Partitions: partitions}}}
	}
	for round := range 200 {
		valid, spoilt := &Window{}, &Window{}
		end := int64(1000)
		for i := range 25 {
			end += random.Int64N(50)
			partition := func(id int32, commit int64) Partition {
				return Partition{ID: id, Committed: commit, End: end, Lag: end - commit, Known: true}
			}
			partitions := []Partition{partition(0, end), partition(1, 900), partition(2, end-int64(i))}
			valid.Add(atMinute(float64(i)), []Group{group("a", partitions...), group("b", partitions...)}, true, true)
			mixed := append(append([]Partition{}, partitions[:1]...), invalid(1), partitions[2], invalid(random.Int32N(9)-3))
			if i%3 == 0 {
				mixed = append(mixed, invalid(1<<31-1))
			}
			bad := group("b", mixed...)
			bad.Members, bad.Complete = Members(random.IntN(3)), random.IntN(2) > 0
			spoilt.Add(atMinute(float64(i)), []Group{bad, group("a", partitions...)}, random.IntN(2) > 0, true)
			if random.IntN(3) == 0 {
				valid, spoilt = roundTrip(t, valid), roundTrip(t, spoilt)
			}
		}
		for id := range int32(3) {
			if got, want := fmt.Sprintf("%+v", spoilt.Partition("a", "t", id, 1)), fmt.Sprintf("%+v", valid.Partition("a", "t", id, 1)); got != want {
				t.Fatalf("round %d, group a, partition %d: got %s, want %s", round, id, got, want)
			}
		}
		if got, want := fmt.Sprintf("%+v", spoilt.Topic("a", "t", 1)), fmt.Sprintf("%+v", valid.Topic("a", "t", 1)); got != want {
			t.Fatalf("round %d, group a: got %s, want %s", round, got, want)
		}
		if got, want := spoilt.History("a", "t"), valid.History("a", "t"); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d, history of group a: got %v, want %v", round, got, want)
		}
	}
}

func TestAddIgnoresOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	traffic := newTraffic(6, 5, 12)
	inOrder, shuffledWindow := &Window{}, &Window{}
	for i := range 20 {
		groups := traffic.poll()
		inOrder.Add(atMinute(float64(i)), groups, true, true)
		groups = shuffled(random, groups)
		for g := range groups {
			groups[g].Topics = shuffled(random, groups[g].Topics)
			for t := range groups[g].Topics {
				groups[g].Topics[t].Partitions = shuffled(random, groups[g].Topics[t].Partitions)
			}
		}
		shuffledWindow.Add(atMinute(float64(i)), groups, true, true)
	}
	if got, want := encoded(t, shuffledWindow), encoded(t, inOrder); !bytes.Equal(got, want) {
		t.Error("shuffled groups, topics and partitions: got a different window, want the same")
	}
}

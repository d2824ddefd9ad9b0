package trend

import (
	"slices"
	"strings"
	"testing"
)

// What is known of the unread offsets is stored until the commit moves, and counts in the
// state of a partition.
func TestTails(t *testing.T) {
	idle := "10/13 10/13 10/13"
	for name, tt := range map[string]struct {
		polls, more string // before and after the tail is set
		tail        PartitionTail
		kept        bool
		want        State
	}{
		"markers":                           {idle, "10/13", PartitionTail{0, TailMarkers, 13}, true, OK},
		"markers, then messages":            {idle, "10/20 10/20", PartitionTail{0, TailMarkers, 13}, true, OK},
		"markers, then messages for longer": {idle, "10/20 10/20 10/20", PartitionTail{0, TailMarkers, 13}, true, Stalled},
		"markers, deleted":                  {idle, "10/13/13", PartitionTail{0, TailMarkers, 13}, true, OK},
		"one message":                       {"10/11 10/11 10/11", "10/11", PartitionTail{0, TailMessage, 0}, true, Stalled},
		"the commit moves":                  {idle, "11/13", PartitionTail{0, TailMarkers, 13}, false, OK},
		"the topic is created again":        {idle, "10/12", PartitionTail{0, TailMarkers, 13}, false, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWindow(HasMembers, tt.polls)
			if got := w.Idle("g", "t"); !slices.Equal(got, []int32{0}) {
				t.Errorf("idle partitions: got %v, want 0", got)
			}
			w.SetTails("g", "t", []PartitionTail{tt.tail})
			last := newWindow(HasMembers, tt.polls+" "+tt.more)
			for i := 3; i < len(last.pollTimes()); i++ {
				w = roundTrip(t, w)
				w.Add(fromMillis(last.pollTimes()[i]), []Group{newGroup("g", HasMembers, strings.Fields(tt.more)[i-3])}, true, true)
			}
			got := slices.Collect(roundTrip(t, w).Tails("g", "t"))
			if kept := len(got) == 1 && got[0].Tail == tt.tail.Tail && (tt.tail.Tail == TailMessage || got[0].End == tt.tail.End); kept != tt.kept || !kept && len(got) > 0 {
				t.Errorf("tails: got %+v, want %+v kept: %v", got, tt.tail, tt.kept)
			}
			if got := w.Partition("g", "t", 0, 1); got.State != tt.want {
				t.Errorf("state: got %v, want %v", got.State, tt.want)
			}
		})
	}
}

package trend

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestState(t *testing.T) {
	tests := []struct {
		name    string
		members Members
		polls   string
		want    State
		since   float64 // minute; negative for none
	}{
		{"never seen", HasMembers, "?", Unknown, -1},
		{"one poll, nothing left", HasMembers, "10/11", OK, -1},
		{"one poll, something left", HasMembers, "10/20", Unknown, -1},
		{"two polls, frozen", NoMembers, "10/20 10/30", Unknown, -1},
		{"two polls, it reads", HasMembers, "10/20 15/30", OK, -1},
		{"three polls, frozen", HasMembers, "10/20 10/20 10/20", Stalled, 0},
		{"with nobody there", NoMembers, "10/20 10/20 10/20", Stopped, 0},
		{"with who knows whom", MembersUnknown, "10/20 10/20 10/20", Stalled, 0},
		{"frozen since", HasMembers, "5/6 8/9 10/20 10/21 10/22", Stalled, 2},
		{"frozen, and messages since", HasMembers, "10/10 10/11 10/15 10/16 10/17", Stalled, 2},
		{"frozen, and messages for two polls", HasMembers, "10/10 10/11 10/11 10/16 10/17", OK, -1},
		{"frozen for two polls after it read", HasMembers, "5/10 8/10 8/12", OK, -1},
		{"nothing produced", NoMembers, "10/10 10/10 10/10 10/10", OK, -1},
		{"a lag that stays, and it reads", HasMembers, "10/90 20/100 30/110 40/120 50/130 60/140", OK, -1},
		{"frozen through unknown polls", HasMembers, "10/20 ? 10/20 ? 10/20", Stalled, 0},
		{"unknown polls are no polls", HasMembers, "10/20 ? ? 10/20", Unknown, -1},
		{"missed polls are none either", HasMembers, "10/20 ! ! 10/20 10/20", Stalled, 0},
		{"unknown for two polls", HasMembers, "10/20 10/20 10/20 ? ?", Stalled, 0},
		{"unknown for three", HasMembers, "10/20 10/20 10/20 ? ? ?", Unknown, -1},
		{"it reads again", HasMembers, "10/20 10/20 10/20 12/20", OK, -1},
		{"all is read again", HasMembers, "10/20 10/20 10/20 20/20", OK, -1},
		{"what was unread is deleted", HasMembers, "10/20 10/20 10/20/20 10/20/20", OK, -1},
		{"deletion is no reading", HasMembers, "10/90/20 10/90/30 10/90/40 10/90/50", Stalled, 0},
		{"set back", HasMembers, "50/60 55/60 20/60", Rewind, 2},
		{"set back and reading", HasMembers, "50/60 20/60 30/65 40/70", Rewind, 1},
		{"set back and where it was", HasMembers, "50/60 20/60 30/65 50/70", OK, -1},
		{"set back twice", HasMembers, "50/60 20/60 55/65 40/70 50/75", Rewind, 3},
		{"set back by a race, all read", HasMembers, "50/60 49/50 50/50", OK, -1},
		{"set back and frozen", HasMembers, "50/60 20/60 20/60 20/60", Stalled, 1},
		{"created anew", HasMembers, "50/60 55/60 0/5", Unknown, -1},
		{"created anew, commit kept", HasMembers, "50/60 55/60 55/5 55/8 3/9", Unknown, -1},
		{"created anew, and reading", HasMembers, "50/60 55/5 3/9 6/12", OK, -1},
		{"a commit beyond the end", HasMembers, "50/49 55/54 60/58", OK, -1},
		{"growing", HasMembers, "0/10 5/25 10/40 15/55 20/70", Growing, 0},
		{"growing, four polls", HasMembers, "0/10 5/25 10/40 15/55", OK, -1},
		{"growing in less than half the time", HasMembers, "10/50 20/60 30/70 40/80 50/90 60/100 70/110 80/130 90/150 95/170 99/190", OK, -1},
		{"a saw", HasMembers, "1/10 2/50 3/90 88/100 89/140 90/180 188/190 189/230 190/270", OK, -1},
		{"rose once and stays", HasMembers, "1/2 2/3 3/4 4/504 5/505 6/506 7/507 8/508 9/509 10/510", OK, -1},
		{"grew and falls", HasMembers, "0/10 5/50 10/99 15/150 20/200 80/200 150/200", OK, -1},
		{"noise of a busy topic", HasMembers, "1000/1010 2000/2020 3000/3025 4000/4031 5000/5040", OK, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := stored(t, watched(tt.members, tt.polls)).Partition("g", "t", 0, 1)
			if got.State != tt.want {
				t.Fatalf("%+v, want %v", got, tt.want)
			}
			want := minute(tt.since)
			if tt.since < 0 {
				want = time.Time{}
			}
			if !got.Since.Equal(want) {
				t.Errorf("since %v, want %v", got.Since, want)
			}
		})
	}
}

// Polls may be seconds apart: a commit of a consumer that commits every half
// minute is not frozen after three of them.
func TestFrozenTakesAMinute(t *testing.T) {
	w := &Window{}
	want := map[int]State{2: Unknown, 5: Unknown, 6: Stalled, 40: Stalled}
	for i := range 41 {
		w.Add(after(float64(10*i)), []Group{reads("g", HasMembers, "10/20")}, true, true)
		if state, ok := want[i]; ok {
			if got := w.Partition("g", "t", 0, 1); got.State != state || state == Stalled && !got.Since.Equal(t0) {
				t.Errorf("after %d s: %+v, want %v", 10*i, got, state)
			}
		}
	}
}

// A commit that is frozen for longer than the window keeps its beginning.
func TestSinceBeforeTheWindow(t *testing.T) {
	tests := []struct {
		name    string
		polls   string
		allowed int64
		since   float64
	}{
		{"frozen all the time", "10/20", 1, 0},
		{"after it read", "5/20 8/20 10/20", 1, 2},
		{"with a marker left, then messages", "10/11 10/11 10/11 10/11 10/20", 1, 4},
		{"with as many left as are allowed: not longer than can be seen", "10/13 10/13 10/13 10/13 10/20", 3, 200 - size},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fields := strings.Fields(tt.polls)
			w := &Window{}
			for i := range 200 {
				f := fields[min(i, len(fields)-1)]
				w.Add(minute(float64(i)), []Group{reads("g", NoMembers, f)}, true, true)
				w = stored(t, w)
			}
			if got := w.Partition("g", "t", 0, tt.allowed); got.State != Stopped || !got.Since.Equal(minute(tt.since)) {
				t.Errorf("%+v, want since minute %v", got, tt.since)
			}
		})
	}
}

func TestReading(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name    string
		polls   string
		in, out float64
		drain   time.Duration
		growing time.Duration
		rewound int64
	}{
		{"one poll", "10/70", nan, nan, -1, 0, 0},
		{"one poll, nothing left", "10/10", nan, nan, 0, 0, 0},
		// 60 in and 120 out in a minute; 40 left, 60 less a minute.
		{"draining", "0/100 120/160", 1, 2, 40 * time.Second, 0, 0},
		{"steady", "0/100 60/160", 1, 1, Never, 0, 0},
		{"frozen", "40/100 40/160 40/220", 1, 0, Never, 2 * time.Minute, 0},
		{"all read", "0/100 100/160 160/160", .5, 160. / 120, 0, 0, 0},
		// A rewind reads nothing: 30 and 60 in three minutes.
		{"rewind", "100/200 130/200 10/200 70/200", 0, .5, 260 * time.Second, 0, 120},
		{"rewind, further", "100/200 50/200 20/200 60/200", 0, 40. / 180, 630 * time.Second, 0, 80},
		{"unknown in between", "0/100 ? 120/160", .5, 1, 80 * time.Second, 0, 0},
		{"growing since", "10/30 20/40 30/50 40/60 50/80 60/100 70/120", .25, 60. / 360, Never, 3 * time.Minute, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := stored(t, watched(HasMembers, tt.polls)).Partition("g", "t", 0, 1)
			if !near(got.ProduceRate, tt.in) || !near(got.ConsumeRate, tt.out) {
				t.Errorf("in %v and out %v, want %v and %v", got.ProduceRate, got.ConsumeRate, tt.in, tt.out)
			}
			if got.DrainTime.Round(time.Millisecond) != tt.drain.Round(time.Millisecond) || got.GrowingFor != tt.growing || got.RewoundBy != tt.rewound {
				t.Errorf("%+v, want drain %v, growing %v, rewound %v", got, tt.drain, tt.growing, tt.rewound)
			}
		})
	}
}

func near(a, b float64) bool { return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-9 }

func TestTopic(t *testing.T) {
	w := &Window{}
	for i, f := range []string{
		// stalled, reads, never known, stalled since a poll later
		"10/20 100/160 ? 5/6",
		"10/20 160/220 ? 6/30",
		"10/20 220/280 ? 6/40",
		"10/20 280/340 ? 6/50",
	} {
		w.Add(minute(float64(i)), []Group{reads("g", HasMembers, f)}, true, true)
	}
	got := stored(t, w).Topic("g", "t", 1)
	want := TopicStatus{
		PartitionStatus: PartitionStatus{
			State: Stalled, Since: minute(0), DrainTime: Never, GrowingFor: 3 * time.Minute,
			ProduceRate: (180. + 44) / 180, ConsumeRate: 181. / 180,
		},
		Worst: []int32{0, 3},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\ngot  %+v\nwant %+v", got, want)
	}
	if got := w.Topic("g", "other", 1); got.State != Unknown || got.Worst != nil || got.DrainTime >= 0 || !math.IsNaN(got.ProduceRate) {
		t.Errorf("a topic never seen: %+v", got)
	}
}

// A topic whose lag grows for longer than the window is seen to do so.
func TestTopicGrowsForHours(t *testing.T) {
	w := &Window{}
	for i := range 121 {
		n := int64(i)
		g := reads("g", HasMembers, "")
		for id := range int32(2) {
			p := Partition{ID: id, Committed: 50 * n, End: 60 * n, Lag: 10 * n, Known: true}
			if i == 70 && id == 1 {
				p = Partition{ID: id} // not seen once
			}
			g.Topics[0].Partitions = append(g.Topics[0].Partitions, p)
		}
		w.Add(minute(float64(i)), []Group{g}, true, true)
	}
	got := stored(t, w).Topic("g", "t", 1)
	if got.GrowingFor != 2*time.Hour || got.State != Growing || len(got.Worst) != 2 {
		t.Errorf("%+v", got)
	}
}

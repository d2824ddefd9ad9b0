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
		{"no known poll", HasMembers, "?", Unknown, -1},
		{"one poll without lag", HasMembers, "10/11", OK, -1},
		{"one poll with lag", HasMembers, "10/20", Unknown, -1},
		{"commit frozen for two polls", NoMembers, "10/20 10/30", Unknown, -1},
		{"commit moves between two polls", HasMembers, "10/20 15/30", OK, -1},
		{"commit frozen for three polls", HasMembers, "10/20 10/20 10/20", Stalled, 0},
		{"commit frozen without members", NoMembers, "10/20 10/20 10/20", Stopped, 0},
		{"commit frozen, members unknown", MembersUnknown, "10/20 10/20 10/20", Stalled, 0},
		{"commit frozen after it moved", HasMembers, "5/6 8/9 10/20 10/21 10/22", Stalled, 2},
		{"commit frozen, messages arrived later", HasMembers, "10/10 10/11 10/15 10/16 10/17", Stalled, 2},
		{"commit frozen, messages for two polls only", HasMembers, "10/10 10/11 10/11 10/16 10/17", OK, -1},
		{"commit frozen for two polls after it moved", HasMembers, "5/10 8/10 8/12", OK, -1},
		{"no messages produced", NoMembers, "10/10 10/10 10/10 10/10", OK, -1},
		{"constant lag, commit moves", HasMembers, "10/90 20/100 30/110 40/120 50/130 60/140", OK, -1},
		{"commit frozen across unknown polls", HasMembers, "10/20 ? 10/20 ? 10/20", Stalled, 0},
		{"unknown polls do not count", HasMembers, "10/20 ? ? 10/20", Unknown, -1},
		{"missed polls do not count", HasMembers, "10/20 ! ! 10/20 10/20", Stalled, 0},
		{"newest two polls unknown", HasMembers, "10/20 10/20 10/20 ? ?", Stalled, 0},
		{"newest three polls unknown", HasMembers, "10/20 10/20 10/20 ? ? ?", Unknown, -1},
		{"commit moves again", HasMembers, "10/20 10/20 10/20 12/20", OK, -1},
		{"caught up again", HasMembers, "10/20 10/20 10/20 20/20", OK, -1},
		{"unread messages deleted", HasMembers, "10/20 10/20 10/20/20 10/20/20", OK, -1},
		{"deletion is not consumption", HasMembers, "10/90/20 10/90/30 10/90/40 10/90/50", Stalled, 0},
		{"rewound", HasMembers, "50/60 55/60 20/60", Rewind, 2},
		{"rewound, commit moves", HasMembers, "50/60 20/60 30/65 40/70", Rewind, 1},
		{"rewound and returned", HasMembers, "50/60 20/60 30/65 50/70", OK, -1},
		{"rewound twice", HasMembers, "50/60 20/60 55/65 40/70 50/75", Rewind, 3},
		{"rewound by a race, caught up", HasMembers, "50/60 49/50 50/50", OK, -1},
		{"rewound, commit frozen", HasMembers, "50/60 20/60 20/60 20/60", Stalled, 1},
		{"topic created again", HasMembers, "50/60 55/60 0/5", Unknown, -1},
		{"topic created again, commit kept", HasMembers, "50/60 55/60 55/5 55/8 3/9", Unknown, -1},
		{"topic created again, commit moves", HasMembers, "50/60 55/5 3/9 6/12", OK, -1},
		{"a commit beyond the end", HasMembers, "50/49 55/54 60/58", OK, -1},
		{"a frozen commit beyond the end", HasMembers, "50/60 55/60 55/5 55/8 55/9", Ahead, 2},
		{"a frozen commit beyond the end, no members", NoMembers, "55/5 55/5 55/5 55/5", Ahead, 0},
		{"a frozen commit beyond the end for two polls", HasMembers, "55/5 55/8", Unknown, -1},
		{"a frozen commit beyond the end, then reached", HasMembers, "55/5 55/30 55/50 55/55", OK, -1},
		{"a frozen commit beyond the end, then passed", HasMembers, "55/5 55/30 55/50 55/70 55/80 55/90", Stalled, 3},
		{"a commit at the end", HasMembers, "55/55 55/55 55/55", OK, -1},
		{"lag grows", HasMembers, "0/10 5/25 10/40 15/55 20/70", Growing, 0},
		{"lag grows over four polls only", HasMembers, "0/10 5/25 10/40 15/55", OK, -1},
		{"lag grows in less than half of the polls", HasMembers, "10/50 20/60 30/70 40/80 50/90 60/100 70/110 80/130 90/150 95/170 99/190", OK, -1},
		{"sawtooth lag", HasMembers, "1/10 2/50 3/90 88/100 89/140 90/180 188/190 189/230 190/270", OK, -1},
		{"lag rose once and stays level", HasMembers, "1/2 2/3 3/4 4/504 5/505 6/506 7/507 8/508 9/509 10/510", OK, -1},
		{"lag grew and falls", HasMembers, "0/10 5/50 10/99 15/150 20/200 80/200 150/200", OK, -1},
		{"noise of a busy topic", HasMembers, "1000/1010 2000/2020 3000/3025 4000/4031 5000/5040", OK, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := roundTrip(t, newWindow(tt.members, tt.polls)).Partition("g", "t", 0, 1)
			if got.State != tt.want {
				t.Fatalf("got %+v, want %v", got, tt.want)
			}
			want := atMinute(tt.since)
			if tt.since < 0 {
				want = time.Time{}
			}
			if !got.Since.Equal(want) {
				t.Errorf("got since %v, want %v", got.Since, want)
			}
		})
	}
}

// TestStalledNeedsAMinute polls every ten seconds: the commit of a consumer
// that commits every half minute must not count as frozen after three polls.
func TestStalledNeedsAMinute(t *testing.T) {
	w := &Window{}
	want := map[int]State{2: Unknown, 5: Unknown, 6: Stalled, 40: Stalled}
	for i := range 41 {
		w.Add(atSecond(float64(10*i)), []Group{newGroup("g", HasMembers, "10/20")}, true, true)
		if state, ok := want[i]; ok {
			if got := w.Partition("g", "t", 0, 1); got.State != state || state == Stalled && !got.Since.Equal(t0) {
				t.Errorf("after %d s: got %+v, want %v since the first poll", 10*i, got, state)
			}
		}
	}
}

// TestSinceBeforeTheWindow covers commits that are frozen for longer than the
// window is.
func TestSinceBeforeTheWindow(t *testing.T) {
	tests := []struct {
		name    string
		polls   string
		allowed int64
		since   float64
	}{
		{"frozen from the start", "10/20", 1, 0},
		{"frozen after it moved", "5/20 8/20 10/20", 1, 2},
		{"transaction marker left, then messages", "10/11 10/11 10/11 10/11 10/20", 1, 4},
		{"allowed lag, then messages: only polls in the window count", "10/13 10/13 10/13 10/13 10/20", 3, 200 - windowSize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fields := strings.Fields(tt.polls)
			w := &Window{}
			for i := range 200 {
				f := fields[min(i, len(fields)-1)]
				w.Add(atMinute(float64(i)), []Group{newGroup("g", NoMembers, f)}, true, true)
				w = roundTrip(t, w)
			}
			if got := w.Partition("g", "t", 0, tt.allowed); got.State != Stopped || !got.Since.Equal(atMinute(tt.since)) {
				t.Errorf("got %+v, want %v since minute %v", got, Stopped, tt.since)
			}
		})
	}
}

func TestRates(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name             string
		polls            string
		produce, consume float64
		drain            time.Duration
		growing          time.Duration
		rewound          int64
	}{
		{"one poll", "10/70", nan, nan, -1, 0, 0},
		{"one poll without lag", "10/10", nan, nan, 0, 0, 0},
		// 60 produced and 120 consumed in a minute. 40 are left, 60 less each
		// minute.
		{"draining", "0/100 120/160", 1, 2, 40 * time.Second, 0, 0},
		{"steady", "0/100 60/160", 1, 1, Never, 0, 0},
		{"commit frozen", "40/100 40/160 40/220", 1, 0, Never, 2 * time.Minute, 0},
		{"caught up", "0/100 100/160 160/160", .5, 160. / 120, 0, 0, 0},
		// A rewind is not consumption: 30 and 60 consumed in three minutes.
		{"rewind", "100/200 130/200 10/200 70/200", 0, .5, 260 * time.Second, 0, 120},
		{"rewind over two polls", "100/200 50/200 20/200 60/200", 0, 40. / 180, 630 * time.Second, 0, 80},
		{"unknown poll in between", "0/100 ? 120/160", .5, 1, 80 * time.Second, 0, 0},
		{"lag grows", "10/30 20/40 30/50 40/60 50/80 60/100 70/120", .25, 60. / 360, Never, 3 * time.Minute, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := roundTrip(t, newWindow(HasMembers, tt.polls)).Partition("g", "t", 0, 1)
			if !approxEqual(got.ProduceRate, tt.produce) || !approxEqual(got.ConsumeRate, tt.consume) {
				t.Errorf("got rates %v and %v, want %v and %v", got.ProduceRate, got.ConsumeRate, tt.produce, tt.consume)
			}
			if got.DrainTime.Round(time.Millisecond) != tt.drain.Round(time.Millisecond) || got.GrowingFor != tt.growing || got.RewoundBy != tt.rewound {
				t.Errorf("got %+v, want drain time %v, growing for %v, rewound by %v", got, tt.drain, tt.growing, tt.rewound)
			}
		})
	}
}

func approxEqual(a, b float64) bool { return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-9 }

func TestTopic(t *testing.T) {
	w := &Window{}
	for i, f := range []string{
		// stalled, moving, never known, stalled from the second poll on
		"10/20 100/160 ? 5/6",
		"10/20 160/220 ? 6/30",
		"10/20 220/280 ? 6/40",
		"10/20 280/340 ? 6/50",
	} {
		w.Add(atMinute(float64(i)), []Group{newGroup("g", HasMembers, f)}, true, true)
	}
	got := roundTrip(t, w).Topic("g", "t", 1)
	want := TopicStatus{
		PartitionStatus: PartitionStatus{
			State: Stalled, Since: atMinute(0), DrainTime: Never, GrowingFor: 3 * time.Minute,
			ProduceRate: (180. + 44) / 180, ConsumeRate: 181. / 180,
		},
		Worst: []int32{0, 3},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := w.Topic("g", "other", 1); got.State != Unknown || got.Worst != nil || got.DrainTime >= 0 || !math.IsNaN(got.ProduceRate) {
		t.Errorf("topic without polls: got %+v, want %v without rates", got, Unknown)
	}
}

func TestTopicGrowthExceedsWindow(t *testing.T) {
	w := &Window{}
	for i := range 121 {
		n := int64(i)
		g := newGroup("g", HasMembers, "")
		for id := range int32(2) {
			p := Partition{ID: id, Committed: 50 * n, End: 60 * n, Lag: 10 * n, Known: true}
			if i == 70 && id == 1 {
				p = Partition{ID: id} // unknown once
			}
			g.Topics[0].Partitions = append(g.Topics[0].Partitions, p)
		}
		w.Add(atMinute(float64(i)), []Group{g}, true, true)
	}
	got := roundTrip(t, w).Topic("g", "t", 1)
	if got.GrowingFor != 2*time.Hour || got.State != Growing || len(got.Worst) != 2 {
		t.Errorf("got %+v, want two partitions %v for 2h", got, Growing)
	}
}

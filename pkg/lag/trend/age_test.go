package trend

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	const polls = "0/100 0/160 0/160 0/400" // at minutes 0 to 3
	tests := []struct {
		name            string
		polls           string
		position        int64
		now             float64
		atLeast, atMost time.Duration
		known           bool
	}{
		{"before all polls", polls, 99, 3, 3 * time.Minute, Never, true},
		{"first message between two polls", polls, 100, 3, 2 * time.Minute, 3 * time.Minute, true},
		{"last message between two polls", polls, 159, 3, 2 * time.Minute, 3 * time.Minute, true},
		{"after a minute without messages", polls, 160, 3, 0, time.Minute, true},
		{"later than the newest poll", polls, 160, 3.5, 30 * time.Second, 90 * time.Second, true},
		{"at the newest end", polls, 400, 3, 0, 0, true},
		{"at the newest end, after the newest poll", polls, 400, 3.5, 0, 30 * time.Second, true},
		{"clock went back", polls, 100, 1, 0, time.Minute, true},
		{"one poll", "0/100", 50, 0, 0, Never, false},
		{"no poll", "?", 50, 0, 0, Never, false},
		{"unknown poll in between", "0/100 ? 0/160 0/400", 120, 3, time.Minute, 3 * time.Minute, true},
		{"newest polls unknown", "0/100 0/160 ? ?", 120, 3, 2 * time.Minute, 3 * time.Minute, true},
		{"topic just created again", "0/100 0/160 0/40", 20, 2, 0, Never, false},
		{"topic created again, message after its first poll", "0/100 0/160 0/40 0/90", 50, 3, 0, time.Minute, true},
		{"topic created again, message before its first poll", "0/100 0/160 0/40 0/90", 20, 3, time.Minute, Never, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			atLeast, atMost, known := roundTrip(t, newWindow(HasMembers, tt.polls)).Age("t", 0, tt.position, atMinute(tt.now))
			if atLeast != tt.atLeast || atMost != tt.atMost || known != tt.known {
				t.Errorf("got %v to %v, known %v; want %v to %v, known %v", atLeast, atMost, known, tt.atLeast, tt.atMost, tt.known)
			}
		})
	}
	t.Run("partition without polls", func(t *testing.T) {
		if _, atMost, known := newWindow(HasMembers, polls).Age("t", 1, 1, atMinute(3)); known || atMost != Never {
			t.Errorf("got at most %v, known %v; want Never, unknown", atMost, known)
		}
	})
}

// TestAgeBoundsContainTrueAge checks, over a day and a half of traffic, that
// the true age is within the bounds, and that these are no further apart than
// the interval of polls or an eighth of the age.
func TestAgeBoundsContainTrueAge(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	traffic := map[string]func(second int) int64{ // messages in a second
		"steady": func(int) int64 { return 3 },
		"bursty": func(s int) int64 {
			if s%3600 < 9 {
				return 5000
			}
			return int64(max(0, random.IntN(100)-98))
		},
		"quiet at night": func(s int) int64 {
			if s%86400 > 60000 {
				return 0
			}
			return random.Int64N(20)
		},
	}
	for name, rate := range traffic {
		t.Run(name, func(t *testing.T) {
			const day = 24 * 3600
			var ends []int64 // after each second
			w := &Window{}
			end := int64(1000)
			next, longest := 0, 0
			for s := range 3 * day / 2 {
				if s >= next {
					if random.IntN(20) > 0 { // some polls are missed
						w.Add(atSecond(float64(s)), []Group{{Name: "g", Complete: true, Topics: []Topic{{Name: "t",
							Partitions: []Partition{{Committed: 0, End: end, Lag: end, Known: true}}}}}}, true, true)
					}
					step := 55 + random.IntN(10)
					next = s + step
					longest = max(longest, 4*step)
				}
				end += rate(s)
				ends = append(ends, end)
			}
			now := atSecond(float64(len(ends)))
			w = roundTrip(t, w)
			if got := len(w.snapshotTimes); got > maxSnapshots {
				t.Errorf("got %d snapshots, want at most %d", got, maxSnapshots)
			}
			for range 2000 {
				position := 1000 + random.Int64N(end-1000)
				second, _ := slices.BinarySearchFunc(ends, position, func(end, p int64) int {
					if end > p {
						return 1
					}
					return -1
				})
				oldest, youngest := now.Sub(atSecond(float64(second))), now.Sub(atSecond(float64(second+1)))
				atLeast, atMost, known := w.Age("t", 0, position, now)
				if !known || atLeast > oldest || atMost < youngest {
					t.Fatalf("position %d: got %v to %v, known %v; want bounds around %v", position, atLeast, atMost, known, oldest)
				}
				if oldest > 24*time.Hour {
					if atLeast < 24*time.Hour*7/8 {
						t.Errorf("position %d, age %v: got at least %v, want 21h or more", position, oldest, atLeast)
					}
				} else if got, want := atMost-atLeast, max(oldest/8, time.Duration(longest)*time.Second); got > want {
					t.Errorf("position %d, age %v: got bounds %v apart, want at most %v", position, oldest, got, want)
				}
			}
		})
	}
}

// TestAgeWithDifferentEndsPerGroup covers groups whose log ends were read
// moments apart, or are stale: a lower one does not mean that the topic was
// created again while another group has a higher one.
func TestAgeWithDifferentEndsPerGroup(t *testing.T) {
	w := &Window{}
	for i, ends := range [][2]string{{"90/100", "90/130"}, {"90/140", "90/99"}, {"90/150", "90/160"}} {
		w.Add(atMinute(float64(i)), []Group{newGroup("a", HasMembers, ends[0]), newGroup("b", HasMembers, ends[1])}, true, true)
	}
	if atLeast, atMost, known := w.Age("t", 0, 110, atMinute(2)); !known || atLeast != time.Minute || atMost != 2*time.Minute {
		t.Errorf("got %v to %v, known %v; want 1m to 2m", atLeast, atMost, known)
	}
}

func TestAddedPartitions(t *testing.T) {
	w := &Window{}
	for i, f := range []string{"10/20", "11/30 0/4", "12/40 1/8 0/6", "13/50 2/9 0/7"} {
		w.Add(atMinute(float64(i)), []Group{newGroup("g", HasMembers, f)}, true, true)
		w = roundTrip(t, w)
	}
	if atLeast, atMost, known := w.Age("t", 1, 5, atMinute(3)); !known || atLeast != time.Minute || atMost != 2*time.Minute {
		t.Errorf("age in partition 1: got %v to %v, known %v; want 1m to 2m", atLeast, atMost, known)
	}
	for id, want := range []State{OK, OK, Unknown} {
		if got := w.Partition("g", "t", int32(id), 1); got.State != want {
			t.Errorf("partition %d: got %+v, want %v", id, got, want)
		}
	}
}

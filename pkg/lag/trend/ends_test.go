package trend

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// At minutes 0 to 3 the log ended at 100, 160, 160 and 400.
func TestAge(t *testing.T) {
	polled := "0/100 0/160 0/160 0/400"
	tests := []struct {
		name            string
		polls           string
		position        int64
		now             float64
		atLeast, atMost time.Duration
		known           bool
	}{
		{"before all", polled, 99, 3, 3 * time.Minute, Never, true},
		{"in the first minute", polled, 100, 3, 2 * time.Minute, 3 * time.Minute, true},
		{"the last of it", polled, 159, 3, 2 * time.Minute, 3 * time.Minute, true},
		{"after the quiet minute", polled, 160, 3, 0, time.Minute, true},
		{"asked later", polled, 160, 3.5, 30 * time.Second, 90 * time.Second, true},
		{"not there yet", polled, 400, 3, 0, 0, true},
		{"not there at the last poll", polled, 400, 3.5, 0, 30 * time.Second, true},
		{"the clock went back", polled, 100, 1, 0, time.Minute, true},
		{"one poll", "0/100", 50, 0, 0, Never, false},
		{"no poll", "?", 50, 0, 0, Never, false},
		{"unknown in between", "0/100 ? 0/160 0/400", 120, 3, time.Minute, 3 * time.Minute, true},
		{"unknown at last", "0/100 0/160 ? ?", 120, 3, 2 * time.Minute, 3 * time.Minute, true},
		{"created anew", "0/100 0/160 0/40", 20, 2, 0, Never, false},
		{"created anew a while ago", "0/100 0/160 0/40 0/90", 50, 3, 0, time.Minute, true},
		{"nothing of before is left", "0/100 0/160 0/40 0/90", 20, 3, time.Minute, Never, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			atLeast, atMost, known := stored(t, watched(HasMembers, tt.polls)).Age("t", 0, tt.position, minute(tt.now))
			if atLeast != tt.atLeast || atMost != tt.atMost || known != tt.known {
				t.Errorf("%v to %v, known %v; want %v to %v, %v", atLeast, atMost, known, tt.atLeast, tt.atMost, tt.known)
			}
		})
	}
	if _, atMost, known := watched(HasMembers, polled).Age("t", 1, 1, minute(3)); known || atMost != Never {
		t.Error("a partition never seen is known")
	}
}

// Over a day and a half of traffic, the truth is always within the bounds, and
// these are no further apart than a poll's interval and an eighth of the age.
func TestAgeAgainstTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	traffic := map[string]func(second int) int64{ // messages in a second
		"steady": func(int) int64 { return 3 },
		"bursty": func(s int) int64 {
			if s%3600 < 9 {
				return 5000
			}
			return int64(max(0, random.IntN(100)-98))
		},
		"quiet by night": func(s int) int64 {
			if s%86400 > 60000 {
				return 0
			}
			return random.Int64N(20)
		},
	}
	for name, rate := range traffic {
		t.Run(name, func(t *testing.T) {
			const day = 24 * 3600
			var produced []int64 // by second, the end after it
			w := &Window{}
			end := int64(1000)
			next, longest := 0, 0
			for s := range 3 * day / 2 {
				if s >= next {
					if random.IntN(20) > 0 { // some polls are missed
						w.Add(after(float64(s)), []Group{{Name: "g", Complete: true, Topics: []Topic{{Name: "t",
							Partitions: []Partition{{Committed: 0, End: end, Lag: end, Known: true}}}}}}, true, true)
					}
					step := 55 + random.IntN(10)
					next = s + step
					longest = max(longest, 4*step)
				}
				end += rate(s)
				produced = append(produced, end)
			}
			now := after(float64(len(produced)))
			w = stored(t, w)
			if n := len(w.marks); n > maxMarks {
				t.Errorf("%d marks", n)
			}
			for range 2000 {
				position := 1000 + random.Int64N(end-1000)
				second, _ := slices.BinarySearchFunc(produced, position, func(end, p int64) int {
					if end > p {
						return 1
					}
					return -1
				})
				oldest, youngest := now.Sub(after(float64(second))), now.Sub(after(float64(second+1)))
				atLeast, atMost, known := w.Age("t", 0, position, now)
				if !known || atLeast > oldest || atMost < youngest {
					t.Fatalf("position %d is %v old: %v to %v, %v", position, oldest, atLeast, atMost, known)
				}
				if oldest > 24*time.Hour {
					if atLeast < 24*time.Hour*7/8 {
						t.Errorf("a message %v old is known to be %v old only", oldest, atLeast)
					}
				} else if wide := atMost - atLeast; wide > max(oldest/8, time.Duration(longest)*time.Second) {
					t.Errorf("position %d, %v old: %v to %v is too wide", position, oldest, atLeast, atMost)
				}
			}
		})
	}
}

// Groups may be told ends that are moments apart, or stale. That is no new topic
// while one of them is told more than before.
func TestEndsOfTwoGroups(t *testing.T) {
	w := &Window{}
	w.Add(minute(0), []Group{reads("a", HasMembers, "90/100"), reads("b", HasMembers, "90/130")}, true, true)
	w.Add(minute(1), []Group{reads("a", HasMembers, "90/140"), reads("b", HasMembers, "90/99")}, true, true)
	w.Add(minute(2), []Group{reads("a", HasMembers, "90/150"), reads("b", HasMembers, "90/160")}, true, true)
	if atLeast, atMost, known := w.Age("t", 0, 110, minute(2)); !known || atLeast != time.Minute || atMost != 2*time.Minute {
		t.Errorf("%v to %v, %v", atLeast, atMost, known)
	}
}

func TestPartitionsThatAreAdded(t *testing.T) {
	w := &Window{}
	for i, f := range []string{"10/20", "11/30 0/4", "12/40 1/8 0/6", "13/50 2/9 0/7"} {
		w.Add(minute(float64(i)), []Group{reads("g", HasMembers, f)}, true, true)
		w = stored(t, w)
	}
	if atLeast, atMost, known := w.Age("t", 1, 5, minute(3)); !known || atLeast != time.Minute || atMost != 2*time.Minute {
		t.Errorf("partition 1: %v to %v, %v", atLeast, atMost, known)
	}
	for id, want := range []State{OK, OK, Unknown} {
		if got := w.Partition("g", "t", int32(id), 1); got.State != want {
			t.Errorf("partition %d: %+v, want %v", id, got, want)
		}
	}
}

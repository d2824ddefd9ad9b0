package trend

import (
	"testing"
)

// A transaction hangs when its messages have followed the same end for three polls.
func TestHungTransaction(t *testing.T) {
	type poll struct {
		commit, end int64
		open        bool
	}
	for name, tt := range map[string]struct {
		polls []poll
		want  State
		since float64
	}{
		"open for three polls":           {[]poll{{9, 9, false}, {9, 9, true}, {9, 9, true}, {9, 9, true}}, HungTransaction, 1},
		"open for two polls":             {[]poll{{9, 9, false}, {9, 9, false}, {9, 9, true}, {9, 9, true}}, OK, -1},
		"one after the other":            {[]poll{{9, 9, true}, {12, 12, true}, {15, 15, true}, {18, 18, true}}, OK, -1},
		"ended":                          {[]poll{{9, 9, true}, {9, 9, true}, {9, 9, true}, {9, 20, false}}, OK, -1},
		"ended and read":                 {[]poll{{9, 9, true}, {9, 9, true}, {9, 9, true}, {20, 20, false}}, OK, -1},
		"another one after it":           {[]poll{{9, 9, true}, {9, 9, true}, {9, 9, true}, {20, 20, true}}, OK, -1},
		"the group reads what is before": {[]poll{{3, 9, true}, {5, 9, true}, {7, 9, true}, {9, 9, true}}, HungTransaction, 0},
		"the group stands still itself":  {[]poll{{3, 9, true}, {3, 9, true}, {3, 9, true}, {3, 9, true}}, Stalled, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := &Window{}
			for i, p := range tt.polls {
				g := Group{Name: "g", Members: HasMembers, Complete: true, Topics: []Topic{{Name: "t", Partitions: []Partition{
					{ID: 0, Committed: p.commit, End: p.end, Lag: p.end - p.commit, Known: true, OpenTransaction: p.open},
				}}}}
				w.Add(atMinute(float64(i)), []Group{g}, true, true)
				w = roundTrip(t, w)
			}
			got := w.Partition("g", "t", 0, 1)
			if got.State != tt.want || tt.since >= 0 && !got.Since.Equal(atMinute(tt.since)) {
				t.Errorf("got %v since %v, want %v since minute %v", got.State, got.Since, tt.want, tt.since)
			}
		})
	}
	t.Run("for longer than the window", func(t *testing.T) {
		w := &Window{}
		for i := range 40 {
			g := Group{Name: "g", Complete: true, Topics: []Topic{{Name: "t", Partitions: []Partition{{ID: 0, Committed: 9, End: 9, Known: true, OpenTransaction: true}}}}}
			w.Add(atMinute(float64(i)), []Group{g}, true, true)
			w = roundTrip(t, w)
		}
		if got := w.Partition("g", "t", 0, 1); got.State != HungTransaction || !got.Since.Equal(t0) {
			t.Errorf("got %v since %v, want %v since the first poll", got.State, got.Since, HungTransaction)
		}
	})
}

package trend

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	type poll struct {
		minute float64
		lags   string // of partition 0 and, if given, 1; "?" is unknown
	}
	every := func(step, from float64, lags ...string) (out []poll) {
		for i, lag := range lags {
			out = append(out, poll{from + step*float64(i), lag})
		}
		return out
	}
	tests := []struct {
		name  string
		polls []poll
		step  time.Duration
		last  float64
		want  string
	}{
		{"one poll", every(1, 0, "5"), time.Minute, 0, "5"},
		{"every minute", every(1, 0, "5", "6", "7", "0"), time.Minute, 3, "5 6 7 0"},
		{"sum of partitions", every(1, 0, "5 1", "6 2", "7 3"), time.Minute, 2, "6 8 10"},
		{"never known partition is left out", every(1, 0, "5 ?", "6 ?", "7 ?"), time.Minute, 2, "5 6 7"},
		{"partition known before is missing", every(1, 0, "5 1", "6 ?", "7 2"), time.Minute, 2, "6 -1 9"},
		{"all partitions unknown", every(1, 0, "5", "?", "7", "?"), time.Minute, 3, "5 -1 7 -1"},
		{"unknown at first", every(1, 0, "?", "?", "7", "8"), time.Minute, 3, "7 8"},
		{"inexact timer", []poll{{0, "1"}, {1.1, "2"}, {1.95, "3"}, {3.05, "4"}, {4, "5"}}, time.Minute, 4, "1 2 3 4 5"},
		{"two missed polls", append(every(1, 0, "1", "2", "3"), every(1, 5, "4", "5", "6")...), time.Minute, 7, "1 2 3 -1 -1 4 5 6"},
		{"every five minutes", every(5, 0, "1", "2", "3", "4"), 5 * time.Minute, 15, "1 2 3 4"},
		{"every five minutes, one missed", append(every(5, 0, "1", "2", "3"), every(5, 20, "4", "5", "6")...), 5 * time.Minute, 30, "1 2 3 -1 4 5 6"},
		{"after an outage", append(every(1, 0, "1", "2", "3", "4"), poll{7, "5"}), time.Minute, 7, "1 2 3 4 -1 -1 -1 5"},
		{"interval changes from five minutes to one", append(every(5, 0, "1", "2", "3", "4"), every(1, 16, "5", "6", "7", "8", "9")...),
			time.Minute, 20, "1 1 1 1 1 2 2 2 2 2 3 3 3 3 3 4 5 6 7 8 9"},
		// The first value is at minute 0. The lag was 1 then, and 2 a minute
		// later.
		{"interval changes from one minute to five", append(every(1, 0, "1", "2", "3", "4", "5", "6"), every(5, 10, "7", "8", "9", "10", "11")...),
			5 * time.Minute, 30, "2 6 7 8 9 10 11"},
	}
	for _, tt := range tests {
		for _, partitions := range []bool{true, false} {
			if !partitions && tt.name == "partition known before is missing" {
				continue // a window without partitions does not know the earlier ones
			}
			t.Run(fmt.Sprintf("%s, partitions %v", tt.name, partitions), func(t *testing.T) {
				w := &Window{}
				for _, p := range tt.polls {
					var cells []string
					for _, lag := range strings.Fields(p.lags) {
						if lag != "?" {
							lag = "0/" + lag // the end falls with the lag, which does not matter here
						}
						cells = append(cells, lag)
					}
					w.Add(atMinute(p.minute), []Group{newGroup("g", HasMembers, strings.Join(cells, " "))}, true, partitions)
				}
				h := roundTrip(t, w).History("g", "t")
				if got := strings.Trim(fmt.Sprint(h.Values), "[]"); got != tt.want || h.Step != tt.step || !h.Last.Equal(atMinute(tt.last)) {
					t.Errorf("got %s, step %v, last %v; want %s, step %v, last %v", got, h.Step, h.Last, tt.want, tt.step, atMinute(tt.last))
				}
			})
		}
	}
	t.Run("empty window", func(t *testing.T) {
		if h := (&Window{}).History("g", "t"); len(h.Values) > 0 {
			t.Errorf("got %+v, want none", h)
		}
	})
}

func TestHistoryCoversThreeHours(t *testing.T) {
	for _, interval := range []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 7 * time.Minute} {
		t.Run(fmt.Sprintf("poll every %v", interval), func(t *testing.T) {
			w := &Window{}
			now := t0
			for range int(5 * time.Hour / interval) {
				now = now.Add(interval)
				lag := now.Unix() - t0.Unix()
				w.Add(now, []Group{newGroup("g", HasMembers, fmt.Sprintf("0/%d", lag))}, true, false)
			}
			h := roundTrip(t, w).History("g", "t")
			covered := h.Step * time.Duration(len(h.Values)-1)
			if n := len(h.Values); n > 180 || covered > 3*time.Hour || covered < 3*time.Hour-10*time.Minute || !h.Last.Equal(now) || h.Step < time.Minute {
				t.Fatalf("got %d values, step %v, last %v; want up to 180 over 3h, step 1m at least, last %v", n, h.Step, h.Last, now)
			}
			for i, got := range h.Values {
				want := h.Last.Add(-h.Step*time.Duration(len(h.Values)-1-i)).Unix() - t0.Unix()
				if off := want - got; got < 0 || max(off, -off) > int64(h.Step.Seconds()) {
					t.Errorf("value %d: got %d, want about %d", i, got, want)
				}
			}
		})
	}
}

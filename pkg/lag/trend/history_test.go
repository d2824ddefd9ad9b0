package trend

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestHistory(t *testing.T) {
	type seen struct {
		minute float64
		lag    string // of partition 0 and, if given, 1; "?" is unknown
	}
	every := func(step, from float64, lags ...string) (out []seen) {
		for i, lag := range lags {
			out = append(out, seen{from + step*float64(i), lag})
		}
		return out
	}
	tests := []struct {
		name  string
		polls []seen
		step  time.Duration
		last  float64
		want  string
	}{
		{"one", every(1, 0, "5"), time.Minute, 0, "5"},
		{"each minute", every(1, 0, "5", "6", "7", "0"), time.Minute, 3, "5 6 7 0"},
		{"sums", every(1, 0, "5 1", "6 2", "7 3"), time.Minute, 2, "6 8 10"},
		{"never known is left out", every(1, 0, "5 ?", "6 ?", "7 ?"), time.Minute, 2, "5 6 7"},
		{"known before and not now", every(1, 0, "5 1", "6 ?", "7 2"), time.Minute, 2, "6 -1 9"},
		{"nothing known", every(1, 0, "5", "?", "7", "?"), time.Minute, 3, "5 -1 7 -1"},
		{"not known at first", every(1, 0, "?", "?", "7", "8"), time.Minute, 3, "7 8"},
		{"a timer that is late", []seen{{0, "1"}, {1.1, "2"}, {1.95, "3"}, {3.05, "4"}, {4, "5"}}, time.Minute, 4, "1 2 3 4 5"},
		{"two missed", append(every(1, 0, "1", "2", "3"), every(1, 5, "4", "5", "6")...), time.Minute, 7, "1 2 3 -1 -1 4 5 6"},
		{"every five minutes", every(5, 0, "1", "2", "3", "4"), 5 * time.Minute, 15, "1 2 3 4"},
		{"every five minutes, one missed", append(every(5, 0, "1", "2", "3"), every(5, 20, "4", "5", "6")...), 5 * time.Minute, 30, "1 2 3 -1 4 5 6"},
		{"back from an outage", append(every(1, 0, "1", "2", "3", "4"), seen{7, "5"}), time.Minute, 7, "1 2 3 4 -1 -1 -1 5"},
		{"from five minutes to one", append(every(5, 0, "1", "2", "3", "4"), every(1, 16, "5", "6", "7", "8", "9")...),
			time.Minute, 20, "1 1 1 1 1 2 2 2 2 2 3 3 3 3 3 4 5 6 7 8 9"},
		// At the first value's time the lag was 1, and 2 a minute later.
		{"from one minute to five", append(every(1, 0, "1", "2", "3", "4", "5", "6"), every(5, 10, "7", "8", "9", "10", "11")...),
			5 * time.Minute, 30, "2 6 7 8 9 10 11"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, partitions := range []bool{true, false} {
				if !partitions && tt.name == "known before and not now" {
					continue // without partitions, who was known before is not
				}
				w := &Window{}
				for _, s := range tt.polls {
					var cells []string
					for _, lag := range strings.Fields(s.lag) {
						if lag != "?" {
							lag = "0/" + lag
						}
						cells = append(cells, lag)
					}
					// The end is the lag, and falls: that is no matter here.
					w.Add(minute(s.minute), []Group{reads("g", HasMembers, strings.Join(cells, " "))}, true, partitions)
				}
				h := stored(t, w).History("g", "t")
				if got := strings.Trim(fmt.Sprint(h.Values), "[]"); got != tt.want || h.Step != tt.step || !h.Last.Equal(minute(tt.last)) {
					t.Errorf("partitions %v: %s each %v until %v, want %s each %v", partitions, got, h.Step, h.Last, tt.want, tt.step)
				}
			}
		})
	}
	if h := (&Window{}).History("g", "t"); len(h.Values) > 0 {
		t.Errorf("%+v", h)
	}
}

// Three hours are kept, whatever the interval, a minute at least apart.
func TestHistoryIsThreeHours(t *testing.T) {
	for _, interval := range []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 7 * time.Minute} {
		w := &Window{}
		now := t0
		for range int(5 * time.Hour / interval) {
			now = now.Add(interval)
			lag := now.Unix() - t0.Unix()
			w.Add(now, []Group{reads("g", HasMembers, fmt.Sprintf("0/%d", lag))}, true, false)
		}
		h := stored(t, w).History("g", "t")
		covered := h.Step * time.Duration(len(h.Values)-1)
		if n := len(h.Values); n > 180 || covered > 3*time.Hour || covered < 3*time.Hour-10*time.Minute || !h.Last.Equal(now) || h.Step < time.Minute {
			t.Fatalf("each %v: %d values each %v until %v", interval, n, h.Step, h.Last)
		}
		for i, v := range h.Values {
			want := h.Last.Add(-h.Step*time.Duration(len(h.Values)-1-i)).Unix() - t0.Unix()
			if off := want - v; v < 0 || max(off, -off) > int64(h.Step.Seconds()) {
				t.Errorf("each %v: value %d is %d, want %d or so", interval, i, v, want)
			}
		}
	}
}

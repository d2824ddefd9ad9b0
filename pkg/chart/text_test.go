package chart_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/chart"
)

// TestText compares a whole chart. Three rows of four dots are 12 levels from 0 to 100:
// 100 fills all of them, 50 six, and the threshold 60 is in the eighth, two dots on and
// two off. Forty dots are four minutes: the second value is in the 10th and 11th, the
// fourth in the 30th, and the alert fires from the 21st on.
func TestText(t *testing.T) {
	s := chart.Series{Title: "group / topic", Last: last, Step: time.Minute, Values: []float64{100, 100, unknown, 50, 50},
		Threshold: 60, From: last.Add(-2 * time.Minute), Zone: time.FixedZone("", 8*3600)}
	want := strings.Join([]string{
		"group / topic     50 / 60",
		"100 +⣿⣿⣿⣿⣿⡇    ░░░░░░░░░░",
		"    |⣶⣿⣶⣿⣶⡇⠉ ⠉ ⠉░⠉░⢩⣤⣭⣤⣭⣤",
		"  0 +⣿⣿⣿⣿⣿⡇    ░░░░⢸⣿⣿⣿⣿⣿",
		"    +-------------------+",
		"                    23:00",
		"",
	}, "\n")
	if got := chart.Text(s, 25, 6); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestTextWithZeros checks that a zero has a dot and an unknown value has none, and that
// a size that is too small is raised.
func TestTextWithZeros(t *testing.T) {
	s := chart.Series{Last: last, Step: time.Minute, Values: []float64{0, 0, unknown, 0, 0}, Threshold: math.NaN()}
	lines := strings.Split(chart.Text(s, 0, 0), "\n")
	if len(lines) != 7 || len(lines[0]) != 24 || strings.TrimSpace(lines[0]) != "0" {
		t.Fatalf("got %q, want 7 lines, the first of 24 characters with the value 0", lines)
	}
	if lines[1] != "1 +" || lines[2] != "  |" {
		t.Errorf("got %q, want empty rows above the zeros", lines)
	}
	// 21 characters are 42 dots: up to the 11th, which has 10.5, and from the 32nd.
	if want := "0 +⣀⣀⣀⣀⣀⡀         ⢀⣀⣀⣀⣀⣀"; lines[3] != want {
		t.Errorf("got %q, want %q", lines[3], want)
	}
}

// TestTextTitle checks that a title that is too long loses its beginning, and that
// characters that are not ASCII become question marks.
func TestTextTitle(t *testing.T) {
	s := chart.Series{Title: "消费组 / order-created", Last: last, Step: time.Minute, Values: []float64{12345}, Threshold: math.NaN()}
	for width, want := range map[int]string{40: "??? / order-created               12,345", 24: "...order-created  12,345"} {
		t.Run(fmt.Sprint("width ", width), func(t *testing.T) {
			if got, _, _ := strings.Cut(chart.Text(s, width, 8), "\n"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestTimeTicks checks that the ticks of the time axis are at round times of the day in
// the zone of the series.
func TestTimeTicks(t *testing.T) {
	zone := time.FixedZone("", 5*3600+1800)
	for _, tt := range []struct {
		step time.Duration
		n    int
		want string
	}{
		{time.Minute, 31, "20:00 20:10 20:20 20:30"}, // at most five
		{time.Minute, 181, "18:00 19:00 20:00"},
		{time.Minute, 1440, "00:00 06:00 12:00 18:00"},
		{time.Hour, 96, "11-17 11-18 11-19 11-20"},
		{24 * time.Hour, 61, "09-26 10-08 10-20 11-01 11-13"}, // every twelfth day since the year 1
	} {
		t.Run(fmt.Sprintf("%d values every %v", tt.n, tt.step), func(t *testing.T) {
			s := chart.Series{Last: last, Step: tt.step, Values: make([]float64, tt.n), Threshold: math.NaN(), Zone: zone}
			lines := strings.Split(strings.TrimSpace(chart.Text(s, 63, 8)), "\n")
			if got := strings.Join(strings.Fields(lines[len(lines)-1]), " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestValueTicks checks that the ticks of the value axis are 1, 2 or 5 times a power of
// ten apart.
func TestValueTicks(t *testing.T) {
	for top, want := range map[float64]string{
		0: "1 0", 1: "1 0", 3: "3 2 1 0", 7: "8 6 4 2 0", 45: "50 40 30 20 10 0", 101: "150 100 50 0", 2000: "2k 1.5k 1k 500 0",
		12345: "15k 10k 5k 0", 2.5e6: "2.5M 2M 1.5M 1M 500k 0", 4e9: "4B 3B 2B 1B 0", 7e12: "8T 6T 4T 2T 0", 1e18: "1000000T 800000T 600000T 400000T 200000T 0",
	} {
		t.Run(fmt.Sprint("up to ", top), func(t *testing.T) {
			s := chart.Series{Last: last, Step: time.Minute, Values: []float64{top, 0}, Threshold: math.NaN()}
			var labels []string
			for _, line := range strings.Split(chart.Text(s, 80, 13), "\n") {
				if label, _, found := strings.Cut(line, " +"); found && strings.TrimSpace(label) != "" {
					labels = append(labels, strings.TrimSpace(label))
				}
			}
			if got := strings.Join(labels, " "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

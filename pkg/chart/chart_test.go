package chart_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/chart"
)

var unknown = math.NaN()

func TestInvalidSeries(t *testing.T) {
	for name, tt := range map[string]struct {
		series chart.Series
		empty  bool
	}{
		"no values":       {chart.Series{Step: time.Minute}, true},
		"unknown values":  {chart.Series{Step: time.Minute, Values: []float64{unknown, -1, math.Inf(1), 1e19}}, true},
		"no step":         {chart.Series{Values: []float64{1}}, false},
		"too many values": {chart.Series{Step: time.Minute, Values: make([]float64, chart.MaxValues+1)}, false},
		"negative step":   {chart.Series{Step: -1, Values: []float64{1}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			image, err := chart.PNG(tt.series)
			if err == nil || image != nil || errors.Is(err, chart.ErrEmpty) != tt.empty {
				t.Fatalf("PNG: got %d bytes, %v, want an error, ErrEmpty: %v", len(image), err, tt.empty)
			}
			if got, want := chart.Text(tt.series, 100, 10), err.Error()+"\n"; got != want {
				t.Errorf("Text: got %q, want %q", got, want)
			}
		})
	}
}

// FuzzDraw checks that every lag history that can be parsed can be drawn, or is rejected
// as empty.
func FuzzDraw(f *testing.F) {
	for _, text := range []string{"1763712000/60:0,12,,340", "1/86400:1", "253402300799/1:,,.5,1.", "5/5:999999999999999999,0"} {
		f.Add(text, 2000.0, int64(1763711000), 80, 20)
	}
	f.Fuzz(func(t *testing.T, text string, threshold float64, from int64, width, height int) {
		h, err := alert.ParseLagHistory(text)
		if err != nil {
			return
		}
		s := chart.Series{Title: text, Last: h.Last, Step: h.Step, Values: h.Values, Threshold: threshold, From: time.Unix(from, 0)}
		image, err := chart.PNG(s)
		if err != nil && !errors.Is(err, chart.ErrEmpty) || len(image) > 60<<10 {
			t.Errorf("PNG: got %d bytes, %v, want at most 60 KB or ErrEmpty", len(image), err)
		}
		lines := strings.Split(strings.TrimSuffix(chart.Text(s, width, height), "\n"), "\n")
		if err == nil && len(lines) != min(max(height, 6), 100) {
			t.Errorf("Text: got %d lines, want %d within the limits", len(lines), height)
		}
		for _, line := range lines {
			if n := len([]rune(line)); n > min(max(width, 24), 500) {
				t.Errorf("Text: got a line of %d characters, want %d at most within the limits", n, width)
			}
		}
	})
}

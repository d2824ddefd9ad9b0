package chart_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/chart"
)

var unknown = math.NaN()

func equal(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func TestParse(t *testing.T) {
	s, err := chart.Parse("1763712000/60:0,12,,340")
	if err != nil {
		t.Fatal(err)
	}
	// date -u -d @1763712000
	if last := time.Date(2025, 11, 21, 8, 0, 0, 0, time.UTC); !s.Last.Equal(last) || s.Step != time.Minute {
		t.Errorf("ends at %v, step %v", s.Last, s.Step)
	}
	if want := []float64{0, 12, unknown, 340}; !slices.EqualFunc(s.Values, want, equal) || !math.IsNaN(s.Threshold) {
		t.Errorf("values %v, threshold %v", s.Values, s.Threshold)
	}
	if n := s.KnownValues(); n != 3 {
		t.Errorf("%d values are known", n)
	}
	for _, tt := range []struct {
		text string
		want []float64
	}{
		{"1/1:", []float64{unknown}},
		{"1/1:,", []float64{unknown, unknown}},
		{"253402300799/86400:1.5,000", []float64{1.5, 0}},
		{"1/1:999999999999999999", []float64{1e18}},
		{"1/1:" + strings.Repeat(",", 1439), slices.Repeat([]float64{unknown}, 1440)},
	} {
		if s, err := chart.Parse(tt.text); err != nil || !slices.EqualFunc(s.Values, tt.want, equal) {
			t.Errorf("%.40s: %v, %v", tt.text, s.Values, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "begins with",
		"1763712000:1,2":                    "begins with",
		"1763712000/60":                     "begins with",
		"0/60:1":                            "last value",
		"-1/60:1":                           "last value",
		"253402300800/60:1":                 "last value",
		"99999999999999999999/60:1":         "last value",
		"1763712000/0:1":                    "step",
		"1763712000/86401:1":                "step",
		"1763712000/1m:1":                   "step",
		"1763712000/60:1,-2":                "value 2",
		"1763712000/60:1, 2":                "value 2",
		"1763712000/60:NaN":                 "value 1",
		"1763712000/60:inf":                 "value 1",
		"1763712000/60:1e9":                 "value 1",
		"1763712000/60:0x10":                "value 1",
		"1763712000/60:1_000":               "value 1",
		"1763712000/60:.":                   "value 1",
		"1763712000/60:1234567890123456789": "value 1",
		"1763712000/60:<b>":                 `"<b>" is not a number`,
		"1/1:" + strings.Repeat(",", 1440):  "1441 values",
	} {
		if s, err := chart.Parse(text); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 {
			t.Errorf("%.40s: %v, %v; want %q", text, s, err, want)
		}
	}
}

// A series that cannot be drawn is an error, not an empty picture.
func TestRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		series chart.Series
		empty  bool
	}{
		"nothing":       {chart.Series{Step: time.Minute}, true},
		"all unknown":   {chart.Series{Step: time.Minute, Values: []float64{unknown, -1, math.Inf(1), 1e19}}, true},
		"no step":       {chart.Series{Values: []float64{1}}, false},
		"far too many":  {chart.Series{Step: time.Minute, Values: make([]float64, chart.MaxValues+1)}, false},
		"negative step": {chart.Series{Step: -1, Values: []float64{1}}, false},
	} {
		picture, err := chart.PNG(tt.series)
		if err == nil || picture != nil || errors.Is(err, chart.ErrEmpty) != tt.empty {
			t.Errorf("%s: %d bytes, %v", name, len(picture), err)
		}
		if text := chart.Text(tt.series, 100, 10); err != nil && text != err.Error()+"\n" {
			t.Errorf("%s: %q", name, text)
		}
	}
}

// Whatever can be parsed can be drawn, or is refused as empty.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"1763712000/60:0,12,,340", "1/86400:1", "253402300799/1:,,.5,1.", "5/5:999999999999999999,0"} {
		f.Add(text, 2000.0, int64(1763711000), 80, 20)
	}
	f.Fuzz(func(t *testing.T, text string, threshold float64, from int64, width, height int) {
		s, err := chart.Parse(text)
		if err != nil {
			return
		}
		if len(s.Values) == 0 || len(s.Values) > chart.MaxValues || s.Step < time.Second || s.Step > 24*time.Hour {
			t.Fatalf("%d values, step %v", len(s.Values), s.Step)
		}
		s.Threshold, s.From, s.Title = threshold, time.Unix(from, 0), text
		picture, err := chart.PNG(s)
		if err != nil && !errors.Is(err, chart.ErrEmpty) || len(picture) > 60<<10 {
			t.Errorf("%d bytes, %v", len(picture), err)
		}
		lines := strings.Split(strings.TrimSuffix(chart.Text(s, width, height), "\n"), "\n")
		if err == nil && len(lines) != min(max(height, 6), 100) {
			t.Errorf("%d lines, asked for %d", len(lines), height)
		}
		for _, line := range lines {
			if n := len([]rune(line)); n > min(max(width, 24), 500) {
				t.Errorf("a line of %d, asked for %d", n, width)
			}
		}
	})
}

package chart_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"tocsin/pkg/chart"
)

var (
	last = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)

	back  = color.RGBA{0x14, 0x17, 0x1c, 0xff}
	grid  = color.RGBA{0x2e, 0x34, 0x3d, 0xff}
	blue  = color.RGBA{0x5c, 0xb3, 0xff, 0xff}
	amber = color.RGBA{0xff, 0xc2, 0x47, 0xff}
	edge  = color.RGBA{0xff, 0x6b, 0x6b, 0xff}
)

// draw returns the picture of a series.
func drawn(t *testing.T, s chart.Series) image.Image {
	t.Helper()
	b, err := chart.PNG(s)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := chart.PNG(s); !bytes.Equal(b, again) {
		t.Error("drawn again it has other bytes")
	}
	if len(b) > 60<<10 {
		t.Errorf("%d bytes, more than 60 KB", len(b))
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds() != image.Rect(0, 0, 600, 300) {
		t.Errorf("bounds %v", m.Bounds())
	}
	return m
}

func at(m image.Image, x, y int) color.RGBA { return color.RGBAModel.Convert(m.At(x, y)).(color.RGBA) }

// Five minutes are 504 pixels from 70 to 574, one value each 126; 0 to 100 are
// 214 pixels from 262 up to 48.
func TestPlaces(t *testing.T) {
	m := drawn(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{50, 50, unknown, 50, 50},
		Threshold: 100, From: last.Add(-90 * time.Second), To: last.Add(-30 * time.Second)})
	for _, tt := range []struct {
		name string
		x, y int
		want color.RGBA
	}{
		{"the curve at the middle of the axis", 130, 155, blue},
		{"the curve before the gap", 194, 155, blue},
		{"only the grid in the gap", 322, 155, grid},
		{"nothing under the gap", 322, 200, back},
		{"the curve after the gap", 452, 155, blue},
		{"a dash of the threshold", 72, 48, amber},
		{"between two dashes there is the grid", 80, 48, grid},
		{"the next dash", 86, 47, amber},
		{"above the threshold", 72, 46, back},
		{"below the threshold", 72, 49, back},
		{"before it fired", 380, 100, back},
		{"when it began to fire", 385, 100, edge}, // 70 + 504*5/8
		{"when it was over", 512, 100, back},      // 70 + 504*7/8 = 511
	} {
		if got := at(m, tt.x, tt.y); got != tt.want {
			t.Errorf("%s: (%d, %d) is %v, want %v", tt.name, tt.x, tt.y, got, tt.want)
		}
	}
	if under := at(m, 130, 200); under == back || under.B < under.R {
		t.Errorf("below the curve it is %v", under)
	}
	for _, x := range []int{390, 420, 508} {
		if c := at(m, x, 100); c.R < 2*c.B || c.R < 0x40 {
			t.Errorf("the time in which it fired is %v at %d", c, x)
		}
	}
}

// Without a threshold and an alert there is neither line nor shade.
func TestPlain(t *testing.T) {
	m := drawn(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{0, 0, 100}, Threshold: math.NaN()})
	for x := 70; x < 574; x++ {
		for y := 40; y < 262; y++ {
			if c := at(m, x, y); c == amber || int(c.R) > int(c.B)+8 {
				t.Fatalf("(%d, %d) is %v", x, y, c)
			}
		}
	}
}

// An alert that began before the picture and still fires shades all of it.
func TestFiringAllAlong(t *testing.T) {
	m := drawn(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{0, 0}, Threshold: math.NaN(), From: last.Add(-time.Hour)})
	for _, x := range []int{70, 71, 300, 573} {
		if c := at(m, x, 100); c.R < 0x40 || c == edge {
			t.Errorf("it is %v at %d", c, x)
		}
	}
	if c := at(m, 576, 100); c != back {
		t.Errorf("beside the plot it is %v", c)
	}
}

// One value is a dot, and so is one between two gaps.
func TestLoneValues(t *testing.T) {
	m := drawn(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{1}, Threshold: math.NaN()})
	if c := at(m, 573, 48); c != blue {
		t.Errorf("one value is %v", c)
	}
	m = drawn(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{unknown, 1, unknown}, Threshold: math.NaN()})
	if c := at(m, 322, 48); c != blue {
		t.Errorf("one between gaps is %v", c)
	}
}

// The worst that can be drawn is within the limit: noise, gaps and letters.
func TestSize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, gaps := range []float64{0, 0.1, 0.5} {
		s := chart.Series{Last: last, Step: time.Minute, Threshold: 5e5, From: last.Add(-12 * time.Hour), Title: "W@#%&8 积压 W@#%&8 W@#%&8 W@#%&8 W@#%&8 W@#%&8"}
		for range chart.MaxValues {
			v := r.Float64() * 1e6
			if r.Float64() < gaps {
				v = unknown
			}
			s.Values = append(s.Values, v)
		}
		drawn(t, s)
	}
}

func BenchmarkPNG(b *testing.B) {
	s := chart.Series{Last: last, Step: time.Minute, Threshold: 2000, From: last.Add(-time.Hour), Title: "orders / order-worker / order-created"}
	for i := range 180 {
		s.Values = append(s.Values, float64(i*i))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := chart.PNG(s); err != nil {
			b.Fatal(err)
		}
	}
}

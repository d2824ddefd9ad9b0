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

// decodePNG draws a series and decodes the image.
func decodePNG(t *testing.T, s chart.Series) image.Image {
	t.Helper()
	b, err := chart.PNG(s)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := chart.PNG(s); !bytes.Equal(b, again) {
		t.Error("second call: got other bytes, want the same")
	}
	if len(b) > 60<<10 {
		t.Errorf("got %d bytes, want 60 KB at most", len(b))
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Bounds(), image.Rect(0, 0, chart.Width, chart.Height); got != want {
		t.Errorf("got bounds %v, want %v", got, want)
	}
	return m
}

func at(m image.Image, x, y int) color.RGBA { return color.RGBAModel.Convert(m.At(x, y)).(color.RGBA) }

// TestPNGPositions checks single pixels. The plot has 504 pixels from 70 to 574, so that
// one of five values is at every 126th; 0 to 100 are 214 pixels from 262 up to 48.
func TestPNGPositions(t *testing.T) {
	m := decodePNG(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{50, 50, unknown, 50, 50},
		Threshold: 100, From: last.Add(-90 * time.Second), To: last.Add(-30 * time.Second)})
	for _, tt := range []struct {
		name string
		x, y int
		want color.RGBA
	}{
		{"the curve at the middle of the axis", 130, 155, blue},
		{"the curve before the gap", 194, 155, blue},
		{"the grid in the gap", 322, 155, grid},
		{"the background below the gap", 322, 200, back},
		{"the curve after the gap", 452, 155, blue},
		{"a dash of the threshold", 72, 48, amber},
		{"the grid between two dashes", 80, 48, grid},
		{"the next dash", 86, 47, amber},
		{"above the threshold", 72, 46, back},
		{"below the threshold", 72, 49, back},
		{"before the alert", 380, 100, back},
		{"the start of the alert", 385, 100, edge}, // 70 + 504*5/8
		{"the end of the alert", 512, 100, back},   // 70 + 504*7/8 = 511
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := at(m, tt.x, tt.y); got != tt.want {
				t.Errorf("got %v at (%d, %d), want %v", got, tt.x, tt.y, tt.want)
			}
		})
	}
	if c := at(m, 130, 200); c == back || c.B < c.R {
		t.Errorf("below the curve: got %v, want a shade of blue", c)
	}
	for _, x := range []int{390, 420, 508} {
		if c := at(m, x, 100); c.R < 2*c.B || c.R < 0x40 {
			t.Errorf("during the alert: got %v at %d, want a shade of red", c, x)
		}
	}
}

// TestPNGWithoutAlert checks that there is no dashed line and no shade without a
// threshold and an alert.
func TestPNGWithoutAlert(t *testing.T) {
	m := decodePNG(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{0, 0, 100}, Threshold: math.NaN()})
	for x := 70; x < 574; x++ {
		for y := 40; y < 262; y++ {
			if c := at(m, x, y); c == amber || int(c.R) > int(c.B)+8 {
				t.Fatalf("got %v at (%d, %d), want neither amber nor red", c, x, y)
			}
		}
	}
}

// TestPNGWithLongAlert checks that an alert that started before the series and still
// fires shades the whole plot.
func TestPNGWithLongAlert(t *testing.T) {
	m := decodePNG(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{0, 0}, Threshold: math.NaN(), From: last.Add(-time.Hour)})
	for _, x := range []int{70, 71, 300, 573} {
		if c := at(m, x, 100); c.R < 0x40 || c == edge {
			t.Errorf("got %v at %d, want a shade of red", c, x)
		}
	}
	if c := at(m, 576, 100); c != back {
		t.Errorf("outside the plot: got %v, want %v", c, back)
	}
}

// TestPNGWithSingleValue checks that a single value is a dot, and so is one between two
// gaps.
func TestPNGWithSingleValue(t *testing.T) {
	m := decodePNG(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{1}, Threshold: math.NaN()})
	if c := at(m, 573, 48); c != blue {
		t.Errorf("single value: got %v, want %v", c, blue)
	}
	m = decodePNG(t, chart.Series{Last: last, Step: time.Minute, Values: []float64{unknown, 1, unknown}, Threshold: math.NaN()})
	if c := at(m, 322, 48); c != blue {
		t.Errorf("value between gaps: got %v, want %v", c, blue)
	}
}

// TestPNGSize checks that the largest images, of noise with gaps and a long title, are
// within the limit.
func TestPNGSize(t *testing.T) {
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
		decodePNG(t, s)
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

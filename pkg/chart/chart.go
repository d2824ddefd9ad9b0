// Package chart draws the lag of a consumer over the last hours: as a PNG for
// channels that can send images, and as text for a terminal. Unknown values are
// gaps, never zeros.
//
// The PNG is drawn with the standard library's image packages. A chart library
// (go-analyze/charts v0.6.0) draws no line at a given value, no shaded span and no
// time axis, and makes a function 2.5 MB larger.
//
// The glyphs are a sheet that the command glyphs renders from Go's own font with
// golang.org/x/image/font. Using such a font directly starts as fast, but every
// function contains the package and would become larger. Measured with the lag
// function of 16.2 MB (linux/amd64, 300 starts each, interleaved):
//
//	                         glyph sheet  inconsolata 8x16  opentype with gomedium
//	binary                   0            + 49 KB           + 430 KB
//	binary, compressed       0            + 5 KB            + 164 KB
//	exec to first response   4.1 ms       4.1 ms            4.2 ms
//	before the first chart   0.15 ms      0                 0.003 ms
//	height of the text       19 px        16 px             19 px
package chart

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// MaxValues is the largest number of values of a series: a day of minutes.
const MaxValues = 1440

// Series is a value over time.
type Series struct {
	// Title is shown above the chart. Characters that are not ASCII are shown as
	// "?".
	Title string
	// Last is the time of the last value, Step the time between two values.
	Last time.Time
	Step time.Duration
	// Values are in order of time, each from 0 to 1e18. NaN, and any other value,
	// is unknown.
	Values []float64
	// Threshold is drawn as a dashed line; NaN for none.
	Threshold float64
	// From and To are when an alert started and ended: the time in between is
	// shaded. From is zero without an alert, To while it fires.
	From, To time.Time
	// Zone is the time zone of the labels; nil is UTC.
	Zone *time.Location
}

// ErrEmpty is returned for a series without a known value.
var ErrEmpty = errors.New("no value is known")

// KnownValues returns the number of known values.
func (s *Series) KnownValues() int {
	n := 0
	for _, v := range s.Values {
		if known(v) {
			n++
		}
	}
	return n
}

// begin returns the time at the left edge: that of the first value, or one step
// before a single value.
func (s *Series) begin() time.Time {
	return s.Last.Add(-time.Duration(max(len(s.Values)-1, 1)) * s.Step)
}

// timePosition returns the position of t on the time axis: 0 at its left end, 1 at its
// right end.
func (s *Series) timePosition(t time.Time) float64 {
	return float64(t.Sub(s.begin())) / float64(s.Last.Sub(s.begin()))
}

// valuePosition returns the position of the value at index i on the time axis.
func (s *Series) valuePosition(i int) float64 {
	return s.timePosition(s.Last.Add(-time.Duration(len(s.Values)-1-i) * s.Step))
}

// firing returns the positions on the time axis between which the alert fired; false
// if it did not fire there.
func (s *Series) firing() (from, to float64, ok bool) {
	if s.From.IsZero() {
		return 0, 0, false
	}
	from, to = max(s.timePosition(s.From), 0), 1
	if !s.To.IsZero() {
		to = min(s.timePosition(s.To), 1)
	}
	return from, to, from < to
}

// top returns the largest of the values and the threshold, or why the series cannot be
// drawn.
func (s *Series) top() (float64, error) {
	if s.Step <= 0 || len(s.Values) > MaxValues {
		return 0, fmt.Errorf("a series of %d values with a step of %s cannot be drawn", len(s.Values), s.Step)
	}
	top := math.NaN()
	for _, v := range s.Values {
		if known(v) && !(v <= top) {
			top = v
		}
	}
	if math.IsNaN(top) {
		return 0, ErrEmpty
	}
	if known(s.Threshold) {
		top = max(top, s.Threshold)
	}
	return top, nil
}

// known reports whether v can be drawn.
func known(v float64) bool { return v >= 0 && v <= 1e18 }

// Package chart draws how a consumer's lag went over the last hours: as a PNG for
// channels that carry pictures, and as text for a terminal. What is not known is a
// gap, never a zero.
//
// The picture is drawn on the standard library's image, with characters that were
// drawn before (glyphs). A chart library (go-analyze/charts v0.6.0) draws no line
// at a given value, no shaded span and no axis of time, and makes a function 2.5 MB
// larger; and what such a library and its fonts do when a process starts, every
// function would do that never draws.
package chart

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// MaxValues is how many values a series may have: a day of minutes.
const MaxValues = 1440

// Series is a value over time, one for each step.
type Series struct {
	// Title says what is drawn, in ASCII: any other character is drawn as "?".
	Title string
	// Last is the time of the last value, and Step the time between two.
	Last time.Time
	Step time.Duration
	// Values are in order of time, from 0 to 1e18. NaN, or any other, is a value
	// that is not known.
	Values []float64
	// Threshold is drawn as a dashed line; NaN for none.
	Threshold float64
	// From and To are when an alert fired: that time is shaded. From is zero when
	// none did, To while it still does.
	From, To time.Time
	// Zone is what times are printed in; nil is UTC.
	Zone *time.Location
}

// ErrEmpty is returned for a series of which no value is known.
var ErrEmpty = errors.New("no value is known")

// KnownValues counts the values that are known.
func (s *Series) KnownValues() int {
	n := 0
	for _, v := range s.Values {
		if known(v) {
			n++
		}
	}
	return n
}

// begin is the time of the first value; a lone value has the step before it to
// itself.
func (s *Series) begin() time.Time {
	return s.Last.Add(-time.Duration(max(len(s.Values)-1, 1)) * s.Step)
}

// place is where in the time of the series t is: 0 at its beginning, 1 at its
// end.
func (s *Series) place(t time.Time) float64 {
	return float64(t.Sub(s.begin())) / float64(s.Last.Sub(s.begin()))
}

// at is the place of the value i.
func (s *Series) at(i int) float64 {
	return s.place(s.Last.Add(-time.Duration(len(s.Values)-1-i) * s.Step))
}

// fired returns the part of the series in which the alert fired, as places.
func (s *Series) fired() (from, to float64, ok bool) {
	if s.From.IsZero() {
		return 0, 0, false
	}
	from, to = max(s.place(s.From), 0), 1
	if !s.To.IsZero() {
		to = min(s.place(s.To), 1)
	}
	return from, to, from < to
}

// top returns the largest value or threshold, and the error for a series that
// cannot be drawn.
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

// known tells that v can be drawn.
func known(v float64) bool { return v >= 0 && v <= 1e18 }

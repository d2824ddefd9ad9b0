package chart

import (
	"math"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/humanize"
)

// valueAxis returns the marks of an axis that begins at 0 and reaches top: 1, 2
// or 5 times a power of ten apart, and at most so many besides 0.
func valueAxis(top float64, most int) (step float64, marks int) {
	step = 1
	for i := 0; step*float64(most) < top; i++ {
		step = [...]float64{2, 5, 10}[i%3] * math.Pow10(i/3)
	}
	return step, max(int(math.Ceil(top/step)), 1)
}

// short prints a value for a mark of an axis: 500, 2k, 1.5M.
func short(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.size {
			return strconv.FormatFloat(math.Round(v/unit.size*10)/10, 'f', -1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// grouped prints a value in full: 12,345.
func grouped(v float64) string {
	if v < 1000 {
		return short(v)
	}
	return humanize.Int(int64(math.Round(v)))
}

// timeSteps are the distances that marks of time may have.
var timeSteps = [...]time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// tick is a mark of the axis of time.
type tick struct {
	place float64
	label string
}

// ticks returns at most count marks at round times of the day in the series'
// zone, or at midnights when it is longer than a few days.
func (s *Series) ticks(count int) []tick {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	begin := s.begin()
	span := s.Last.Sub(begin)
	i := 0
	for i < len(timeSteps)-1 && timeSteps[i]*time.Duration(count) < span {
		i++
	}
	step, layout := timeSteps[i], "15:04"
	if step == 24*time.Hour {
		layout = "01-02"
		step *= (span-1)/(step*time.Duration(count)) + 1
	}
	_, offset := s.Last.In(zone).Zone()
	local := time.Duration(offset) * time.Second
	var out []tick
	for t := begin.Add(local).Truncate(step).Add(-local); !t.After(s.Last); t = t.Add(step) {
		if !t.Before(begin) {
			out = append(out, tick{s.place(t), t.In(zone).Format(layout)})
		}
	}
	return out
}

// ascii leaves of a title what a picture can show, and cuts it to so many
// characters. Its end stays, because a topic comes after its group.
func ascii(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	switch {
	case len(s) <= most:
		return s
	case most <= len(dots):
		return ""
	default:
		return dots + s[len(s)-most+len(dots):]
	}
}

const dots = "..."

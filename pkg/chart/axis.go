package chart

import (
	"math"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/humanize"
)

// valueAxis returns the ticks of an axis from 0 to at least top: the step between two
// ticks, which is 1, 2 or 5 times a power of ten, and how many follow the tick at 0, of
// which there are at most maxTicks.
func valueAxis(top float64, maxTicks int) (step float64, ticks int) {
	step = 1
	for i := 0; step*float64(maxTicks) < top; i++ {
		step = [...]float64{2, 5, 10}[i%3] * math.Pow10(i/3)
	}
	return step, max(int(math.Ceil(top/step)), 1)
}

// formatTick formats a value for a tick: 500, 2k, 1.5M.
func formatTick(v float64) string {
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

// formatValue formats a value in full: 12,345.
func formatValue(v float64) string {
	if v < 1000 {
		return formatTick(v)
	}
	return humanize.Int(int64(math.Round(v)))
}

// timeSteps are the possible steps between ticks of the time axis.
var timeSteps = [...]time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// timeTick is a tick of the time axis.
type timeTick struct {
	position float64
	label    string
}

// timeTicks returns at most maxTicks ticks at round times of the day in the series'
// zone, or at midnights if the series is longer than a few days.
func (s *Series) timeTicks(maxTicks int) []timeTick {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	begin := s.begin()
	span := s.Last.Sub(begin)
	i := 0
	for i < len(timeSteps)-1 && timeSteps[i]*time.Duration(maxTicks) < span {
		i++
	}
	step, layout := timeSteps[i], "15:04"
	if step == 24*time.Hour {
		layout = "01-02"
		step *= (span-1)/(step*time.Duration(maxTicks)) + 1
	}
	_, offset := s.Last.In(zone).Zone()
	local := time.Duration(offset) * time.Second
	var ticks []timeTick
	for t := begin.Add(local).Truncate(step).Add(-local); !t.After(s.Last); t = t.Add(step) {
		if !t.Before(begin) {
			ticks = append(ticks, timeTick{s.timePosition(t), t.In(zone).Format(layout)})
		}
	}
	return ticks
}

const ellipsis = "..."

// fitTitle replaces the characters of a title that cannot be drawn by question
// marks and shortens it to at most limit characters. It keeps the end, where the topic
// follows the group.
func fitTitle(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	switch {
	case len(s) <= limit:
		return s
	case limit <= len(ellipsis):
		return ""
	default:
		return ellipsis + s[len(s)-limit+len(ellipsis):]
	}
}

package chart

import (
	"math"
	"strings"
)

// justBelowOne keeps the value at the end of an axis within the last row.
const justBelowOne = 1 - 1e-9

// The size of a chart in a terminal, in characters.
const (
	minColumns, maxColumns = 24, 500
	minLines, maxLines     = 6, 100
)

// Text draws the series for a terminal, in height lines of at most width characters.
// A size that is too small or too large is raised or lowered to the nearest possible
// one. The area below the values is filled with Braille dots, two by four in a
// character: every terminal shows them one column wide, unlike block elements in a
// Chinese locale. The threshold is a dashed row of dots, or of gaps where the values are
// above it. The time in which the alert fired is shaded. Unknown values are blank. For a
// series that cannot be drawn Text returns the reason.
func Text(s Series, width, height int) string {
	top, err := s.top()
	if err != nil {
		return err.Error() + "\n"
	}
	width, height = min(max(width, minColumns), maxColumns), min(max(height, minLines), maxLines)
	rows := height - 3 // without the heading, the axis and its labels
	step, ticks := valueAxis(top, max(min(rows/2, 6), 1))
	axisEnd := step * float64(ticks)

	labels := make([]string, rows) // of the ticks, by row
	margin := 0
	for i := range ticks + 1 {
		v := step * float64(i)
		row := rows - 1 - int(v/axisEnd*float64(rows)*justBelowOne)
		labels[row] = formatTick(v)
		margin = max(margin, len(labels[row]))
	}
	p := newDotPlot(&s, width-margin-2, rows, axisEnd)

	var out strings.Builder
	out.WriteString(s.heading(width) + "\n")
	for row, label := range labels {
		edge := " |"
		if label != "" {
			edge = " +"
		}
		out.WriteString(strings.Repeat(" ", margin-len(label)) + label + edge)
		out.WriteString(strings.TrimRight(p.row(row), " ") + "\n")
	}
	axis, times := s.timeAxis(width - margin - 2)
	indent := strings.Repeat(" ", margin+1)
	out.WriteString(indent + "+" + axis + "\n" + strings.TrimRight(indent+" "+times, " ") + "\n")
	return out.String()
}

// heading returns the title and, on the right, the last value and the threshold.
func (s *Series) heading(width int) string {
	end := "unknown"
	if v := s.Values[len(s.Values)-1]; known(v) {
		end = formatValue(v)
	}
	if known(s.Threshold) {
		end += " / " + formatValue(s.Threshold)
	}
	title := fitTitle(s.Title, width-len(end)-2)
	return title + strings.Repeat(" ", max(width-len(title)-len(end), 0)) + end
}

// timeAxis returns the time axis and, below it, the labels as far as there is room.
func (s *Series) timeAxis(columns int) (axis, labels string) {
	axisLine, labelLine := []byte(strings.Repeat("-", columns)), []byte(strings.Repeat(" ", columns))
	free := 0
	for _, t := range s.timeTicks(max(columns/12, 1)) {
		at := min(int(t.position*float64(columns)), columns-1)
		axisLine[at] = '+'
		if from := min(max(at-len(t.label)/2, 0), columns-len(t.label)); from >= free {
			free = from + copy(labelLine[from:], t.label) + 1
		}
	}
	return string(axisLine), string(labelLine)
}

// dotPlot is the area between the axes, in dots.
type dotPlot struct {
	columns, rows int
	on            []bool // columns*2 by rows*4, from the upper left
	shaded        []bool // by column of characters
}

// newDotPlot fills the dots up to each value. A column of dots that stands for
// several values shows the largest of them.
func newDotPlot(s *Series, columns, rows int, axisEnd float64) *dotPlot {
	p := &dotPlot{columns: columns, rows: rows, on: make([]bool, columns*2*rows*4), shaded: make([]bool, columns)}
	level := func(v float64) int { return int(v / axisEnd * float64(rows*4) * justBelowOne) } // dots above the axis
	limit := -1
	if known(s.Threshold) {
		limit = level(s.Threshold)
	}
	from, to, firing := s.firing()
	for x := range columns * 2 {
		v, position := s.largestIn(x, columns*2), (float64(x)+0.5)/float64(columns*2)
		if known(v) {
			for y := range level(v) + 1 {
				p.set(x, y, true)
			}
		}
		if limit >= 0 && x%4 < 2 {
			p.set(x, limit, !known(v) || level(v) < limit)
		}
		if firing && position >= from && position <= to {
			p.shaded[x/2] = true
		}
	}
	return p
}

// set sets the dot in column x, y dots above the axis.
func (p *dotPlot) set(x, y int, on bool) { p.on[(p.rows*4-1-y)*p.columns*2+x] = on }

// largestIn returns the largest value in section n of the time axis, which is divided
// into equal sections. In a section between two values it interpolates. It returns NaN
// if the value is unknown.
func (s *Series) largestIn(n, sections int) float64 {
	last := float64(len(s.Values) - 1)
	from, to := float64(n)/float64(sections)*last, float64(n+1)/float64(sections)*last
	v := math.NaN()
	for i := int(math.Ceil(from)); float64(i) <= to; i++ {
		if x := s.Values[i]; known(x) && !(x <= v) {
			v = x
		}
	}
	if !math.IsNaN(v) || math.Ceil(from) <= to {
		return v
	}
	middle := (from + to) / 2
	i := int(middle)
	return s.Values[i] + (s.Values[i+1]-s.Values[i])*(middle-float64(i))
}

// brailleDots are the dots of a Braille character (U+2800), by column and row.
var brailleDots = [2][4]rune{{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}}

// row returns the n-th row of characters.
func (p *dotPlot) row(n int) string {
	var b strings.Builder
	for column := range p.columns {
		var dots rune
		for x := range 2 {
			for y := range 4 {
				if p.on[(n*4+y)*p.columns*2+column*2+x] {
					dots |= brailleDots[x][y]
				}
			}
		}
		switch {
		case dots != 0:
			b.WriteRune(0x2800 + dots)
		case p.shaded[column]:
			b.WriteRune('░')
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

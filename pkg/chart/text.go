package chart

import (
	"math"
	"strings"
)

// Bounds of a chart in a terminal, in characters.
const (
	minColumns, maxColumns = 24, 500
	minLines, maxLines     = 6, 100
)

// Text draws the series for a terminal, with lines of at most width characters,
// height of them; both are brought to where a chart can be drawn. Values are
// filled with dots of Braille, two by four to a character, which every terminal
// shows one column wide, unlike blocks and boxes where Chinese is set. The
// threshold is a dashed row of dots, cut out where the values are above it; the
// time in which the alert fired is shaded; where no value is known there is
// nothing. A series that cannot be drawn is a line that says why.
func Text(s Series, width, height int) string {
	top, err := s.top()
	if err != nil {
		return err.Error() + "\n"
	}
	width, height = min(max(width, minColumns), maxColumns), min(max(height, minLines), maxLines)
	rows := height - 3 // the caption, the axis and its labels
	step, marks := valueAxis(top, max(min(rows/2, 6), 1))
	end := step * float64(marks)

	labels := make([]string, rows) // of the marks, by row
	margin := 0
	for i := range marks + 1 {
		v := step * float64(i)
		row := rows - 1 - int(v/end*float64(rows)*(1-1e-9))
		labels[row] = short(v)
		margin = max(margin, len(labels[row]))
	}
	p := newPlot(&s, width-margin-2, rows, end)

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

// heading is the title and, as far as there is room, the last value and the
// threshold.
func (s *Series) heading(width int) string {
	end := "unknown"
	if v := s.Values[len(s.Values)-1]; known(v) {
		end = grouped(v)
	}
	if known(s.Threshold) {
		end += " / " + grouped(s.Threshold)
	}
	title := ascii(s.Title, width-len(end)-2)
	return title + strings.Repeat(" ", max(width-len(title)-len(end), 0)) + end
}

// timeAxis draws the marks of time, and their labels where they fit.
func (s *Series) timeAxis(columns int) (axis, times string) {
	marks, labels := []byte(strings.Repeat("-", columns)), []byte(strings.Repeat(" ", columns))
	free := 0
	for _, t := range s.ticks(max(columns/12, 1)) {
		at := min(int(t.place*float64(columns)), columns-1)
		marks[at] = '+'
		if from := min(max(at-len(t.label)/2, 0), columns-len(t.label)); from >= free {
			free = from + copy(labels[from:], t.label) + 1
		}
	}
	return string(marks), string(labels)
}

// plot is what is between the axes, in dots.
type plot struct {
	columns, rows int
	on            []bool // columns*2 by rows*4, from the upper left
	shaded        []bool // by column of characters
}

// newPlot fills the dots below every value. A column of dots that stands for
// several values has the largest of them.
func newPlot(s *Series, columns, rows int, end float64) *plot {
	p := &plot{columns: columns, rows: rows, on: make([]bool, columns*2*rows*4), shaded: make([]bool, columns)}
	level := func(v float64) int { return int(v / end * float64(rows*4) * (1 - 1e-9)) } // dots up from the axis
	limit := -1
	if known(s.Threshold) {
		limit = level(s.Threshold)
	}
	from, to, fired := s.fired()
	for x := range columns * 2 {
		v, place := s.largest(x, columns*2), (float64(x)+0.5)/float64(columns*2)
		if known(v) {
			for up := range level(v) + 1 {
				p.set(x, up, true)
			}
		}
		if limit >= 0 && x%4 < 2 {
			p.set(x, limit, !known(v) || level(v) < limit)
		}
		if fired && place >= from && place <= to {
			p.shaded[x/2] = true
		}
	}
	return p
}

func (p *plot) set(x, up int, on bool) { p.on[(p.rows*4-1-up)*p.columns*2+x] = on }

// largest returns the largest value in the nth of so many equal parts of the
// series' time, or what a straight line between its neighbours has there; NaN
// when that is not known.
func (s *Series) largest(n, parts int) float64 {
	last := float64(len(s.Values) - 1)
	from, to := float64(n)/float64(parts)*last, float64(n+1)/float64(parts)*last
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

// bits are the dots of a Braille character (U+2800), by column and row.
var bits = [2][4]rune{{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}}

// row prints one row of characters.
func (p *plot) row(n int) string {
	var b strings.Builder
	for column := range p.columns {
		var cell rune
		for x := range 2 {
			for y := range 4 {
				if p.on[(n*4+y)*p.columns*2+column*2+x] {
					cell |= bits[x][y]
				}
			}
		}
		switch {
		case cell != 0:
			b.WriteRune(0x2800 + cell)
		case p.shaded[column]:
			b.WriteRune('░')
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// Size of the picture in pixels, and the part of it that has the axes as its left
// and lower edge.
const (
	Width, Height = 600, 300

	plotLeft, plotRight = 70, 574
	plotTop, plotBottom = 48, 262
	// thick is how thick the curve is; it ends in a dot of that radius.
	thick = 3
)

// Dark, because alerts are read at night; the contrast of everything that is to
// be read is above 7:1.
var (
	background = color.RGBA{0x14, 0x17, 0x1c, 0xff}
	gridColor  = color.RGBA{0x2e, 0x34, 0x3d, 0xff}
	soft       = color.RGBA{0xb4, 0xbc, 0xc8, 0xff}
	bright     = color.RGBA{0xf2, 0xf4, 0xf7, 0xff}
	curve      = color.RGBA{0x5c, 0xb3, 0xff, 0xff}
	area       = color.RGBA{0x16, 0x2c, 0x40, 0x40} // premultiplied
	limit      = color.RGBA{0xff, 0xc2, 0x47, 0xff}
	firing     = color.RGBA{0x48, 0x12, 0x12, 0x48} // premultiplied
	firingEdge = color.RGBA{0xff, 0x6b, 0x6b, 0xff}
)

// PNG draws the series, 600 pixels wide and 300 high and less than 60 KB. The
// same series gives the same bytes. The error is ErrEmpty, or tells of a series
// out of its bounds.
func PNG(s Series) ([]byte, error) {
	top, err := s.top()
	if err != nil {
		return nil, err
	}
	// The curve may touch the edges of the plot.
	pane := image.Rect(plotLeft, plotTop, plotRight, plotBottom).Inset(-thick - 1)
	c, err := newCanvas(image.Rect(0, 0, Width, Height), pane)
	if err != nil {
		return nil, err
	}
	step, marks := valueAxis(top, 4)
	d := &drawing{Series: &s, canvas: c, end: step * float64(marks)}
	from, to, fired := s.fired()
	if fired {
		c.rect(d.x(from), plotTop, d.x(to), plotBottom, firing)
	}
	d.axes(step, marks)
	runs := d.runs()
	for _, run := range runs {
		c.under(run, plotBottom)
	}
	c.paint(area)
	if fired && s.place(s.From) >= 0 {
		c.rect(d.x(from)-1, plotTop, d.x(from)+1, plotBottom, firingEdge)
	}
	for _, run := range runs {
		c.line(run, thick)
	}
	if v := s.Values[len(s.Values)-1]; known(v) {
		c.dot(point{d.x(1), d.y(v)}, thick)
	}
	c.paint(curve)
	if known(s.Threshold) {
		y := d.y(s.Threshold)
		for x := float64(plotLeft); x < plotRight; x += 14 {
			c.rect(x, y-1, min(x+8, plotRight), y+1, limit)
		}
	}
	d.caption()

	var out bytes.Buffer
	if err := png.Encode(&out, c.image); err != nil {
		return nil, fmt.Errorf("encode the picture: %w", err)
	}
	return out.Bytes(), nil
}

// drawing is a series on its canvas.
type drawing struct {
	*Series
	*canvas
	end float64 // of the axis of values
}

// x is where a place in the series' time is, in pixels, and y where a value is.
func (d *drawing) x(place float64) float64 {
	return plotLeft + float64(place*(plotRight-plotLeft))
}

func (d *drawing) y(v float64) float64 {
	return plotBottom - float64(v/d.end*(plotBottom-plotTop))
}

// axes draws the grid and the marks of values and times.
func (d *drawing) axes(step float64, marks int) {
	for i := range marks + 1 {
		v := step * float64(i)
		d.rect(plotLeft, d.y(v)-0.5, plotRight, d.y(v)+0.5, gridColor)
		d.text(short(v), plotLeft-8, d.y(v)+6, right, soft)
	}
	for _, t := range d.ticks(6) {
		d.rect(d.x(t.place)-0.5, plotBottom, d.x(t.place)+0.5, plotBottom+6, soft)
		d.text(t.label, d.x(t.place), plotBottom+26, centre, soft)
	}
}

// runs returns the points of the values that are known, in pieces without a gap.
func (d *drawing) runs() (runs [][]point) {
	var run []point
	for i, v := range d.Values {
		if known(v) {
			run = append(run, point{d.x(d.at(i)), d.y(v)})
		} else if run != nil {
			runs, run = append(runs, run), nil
		}
	}
	if run != nil {
		runs = append(runs, run)
	}
	return runs
}

// caption writes the line above the plot: the title, and on the right the last
// value and the threshold.
func (d *drawing) caption() {
	const base, margin, longest = 30, 14, 100 // longest: characters that may fit
	edge := float64(plotRight)
	if known(d.Threshold) {
		edge -= d.text("/ "+grouped(d.Threshold), edge, base, right, limit) + 6
	}
	last := "unknown"
	if v := d.Values[len(d.Values)-1]; known(v) {
		last = grouped(v)
	}
	edge -= d.text(last, edge, base, right, bright) + margin
	title := ascii(d.Title, longest) // once: it may be a megabyte
	for most := len(title); most > 0; most-- {
		if t := ascii(title, most); margin+d.glyphs.width(t) <= edge {
			d.text(t, margin, base, left, bright)
			return
		}
	}
}

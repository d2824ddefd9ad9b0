package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// Width and Height are the size of the image in pixels.
const Width, Height = 600, 300

const (
	// The edges of the plot; the left and lower ones are the axes.
	plotLeft, plotRight = 70, 574
	plotTop, plotBottom = 48, 262
	// curveWidth is also the radius of the dot at the curve's end.
	curveWidth = 3
)

// The colors are dark, as alerts are read at night. All text has a contrast above
// 7:1.
var (
	background  = color.RGBA{0x14, 0x17, 0x1c, 0xff}
	gridColor   = color.RGBA{0x2e, 0x34, 0x3d, 0xff}
	labelColor  = color.RGBA{0xb4, 0xbc, 0xc8, 0xff}
	titleColor  = color.RGBA{0xf2, 0xf4, 0xf7, 0xff}
	curveColor  = color.RGBA{0x5c, 0xb3, 0xff, 0xff}
	areaColor   = color.RGBA{0x16, 0x2c, 0x40, 0x40} // premultiplied
	limitColor  = color.RGBA{0xff, 0xc2, 0x47, 0xff}
	firingColor = color.RGBA{0x48, 0x12, 0x12, 0x48} // premultiplied
	firingStart = color.RGBA{0xff, 0x6b, 0x6b, 0xff}
)

// PNG draws the series as an image of Width by Height pixels and less than 60 KB.
// Equal series give equal bytes. It returns ErrEmpty for a series without a known value,
// and another error for one without a step or with more than MaxValues values.
func PNG(s Series) ([]byte, error) {
	top, err := s.top()
	if err != nil {
		return nil, err
	}
	// The curve may overlap the edges of the plot.
	maskBounds := image.Rect(plotLeft, plotTop, plotRight, plotBottom).Inset(-curveWidth - 1)
	c, err := newCanvas(image.Rect(0, 0, Width, Height), maskBounds)
	if err != nil {
		return nil, err
	}
	step, ticks := valueAxis(top, 4)
	p := &pngChart{Series: &s, canvas: c, axisEnd: step * float64(ticks)}
	from, to, firing := s.firing()
	if firing {
		c.rect(p.x(from), plotTop, p.x(to), plotBottom, firingColor)
	}
	p.drawAxes(step, ticks)
	curves := p.curves()
	for _, points := range curves {
		c.areaBelow(points, plotBottom)
	}
	c.paint(areaColor)
	if firing && s.timePosition(s.From) >= 0 {
		c.rect(p.x(from)-1, plotTop, p.x(from)+1, plotBottom, firingStart)
	}
	for _, points := range curves {
		c.curve(points, curveWidth)
	}
	if v := s.Values[len(s.Values)-1]; known(v) {
		c.dot(point{p.x(1), p.y(v)}, curveWidth)
	}
	c.paint(curveColor)
	if known(s.Threshold) {
		y := p.y(s.Threshold)
		for x := float64(plotLeft); x < plotRight; x += 14 {
			c.rect(x, y-1, min(x+8, plotRight), y+1, limitColor)
		}
	}
	p.drawHeading()

	var out bytes.Buffer
	if err := png.Encode(&out, c.image); err != nil {
		return nil, fmt.Errorf("encode the chart: %w", err)
	}
	return out.Bytes(), nil
}

// pngChart is a series on a canvas.
type pngChart struct {
	*Series
	*canvas
	axisEnd float64 // the largest value of the axis
}

// x returns the pixel of a position on the time axis, y that of a value.
func (p *pngChart) x(position float64) float64 {
	return plotLeft + float64(position*(plotRight-plotLeft))
}

func (p *pngChart) y(v float64) float64 {
	return plotBottom - float64(v/p.axisEnd*(plotBottom-plotTop))
}

// drawAxes draws the grid and the ticks of both axes.
func (p *pngChart) drawAxes(step float64, ticks int) {
	for i := range ticks + 1 {
		v := step * float64(i)
		p.rect(plotLeft, p.y(v)-0.5, plotRight, p.y(v)+0.5, gridColor)
		p.text(formatTick(v), plotLeft-8, p.y(v)+6, right, labelColor)
	}
	for _, t := range p.timeTicks(6) {
		p.rect(p.x(t.position)-0.5, plotBottom, p.x(t.position)+0.5, plotBottom+6, labelColor)
		p.text(t.label, p.x(t.position), plotBottom+26, center, labelColor)
	}
}

// curves returns the points of the known values; a gap begins another curve.
func (p *pngChart) curves() (curves [][]point) {
	var points []point
	for i, v := range p.Values {
		if known(v) {
			points = append(points, point{p.x(p.valuePosition(i)), p.y(v)})
		} else if points != nil {
			curves, points = append(curves, points), nil
		}
	}
	if points != nil {
		curves = append(curves, points)
	}
	return curves
}

// drawHeading draws the title, and on the right the last value and the threshold.
func (p *pngChart) drawHeading() {
	const base, margin, maxTitle = 30, 14, 100 // maxTitle is in characters
	edge := float64(plotRight)
	if known(p.Threshold) {
		edge -= p.text("/ "+formatValue(p.Threshold), edge, base, right, limitColor) + 6
	}
	last := "unknown"
	if v := p.Values[len(p.Values)-1]; known(v) {
		last = formatValue(v)
	}
	edge -= p.text(last, edge, base, right, titleColor) + margin
	title := fitTitle(p.Title, maxTitle) // it may be very long
	for limit := len(title); limit > 0; limit-- {
		if t := fitTitle(title, limit); margin+p.glyphs.width(t) <= edge {
			p.text(t, margin, base, left, titleColor)
			return
		}
	}
}

package chart

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// canvas is a picture in the making. Shapes that are neither level nor upright are
// gathered by the pen and painted together.
//
// Products are converted before they are added, which keeps processors from
// rounding sums of products in their own ways: the picture is the same on all.
type canvas struct {
	image  *image.RGBA
	glyphs *glyphs
	pen    *image.Alpha // how much of each pixel the shapes cover; its bounds are where it can draw
}

// point is a place in the picture, in pixels from its upper left corner.
type point struct{ x, y float64 }

func newCanvas(size, pane image.Rectangle) (*canvas, error) {
	g, err := loadGlyphs()
	if err != nil {
		return nil, err
	}
	c := &canvas{image: image.NewRGBA(size), glyphs: g, pen: image.NewAlpha(pane)}
	draw.Draw(c.image, size, image.NewUniform(background), image.Point{}, draw.Src)
	return c, nil
}

// rect fills a rectangle, whose edges are moved to the nearest pixels.
func (c *canvas) rect(x0, y0, x1, y1 float64, with color.Color) {
	r := image.Rect(pixel(x0), pixel(y0), pixel(x1), pixel(y1))
	draw.Draw(c.image, r, image.NewUniform(with), image.Point{}, draw.Over)
}

func pixel(x float64) int { return int(math.Floor(x + 0.5)) }

// under adds what is between a curve and a base line. A column of pixels is as
// high as the curve is in its middle.
func (c *canvas) under(curve []point, base float64) {
	for i, b := range curve[1:] {
		a := curve[i]
		for x := pixel(a.x); x < pixel(b.x); x++ {
			top := a.y + float64((b.y-a.y)*((float64(x)+0.5-a.x)/(b.x-a.x)))
			for y := int(math.Floor(top)); y < pixel(base); y++ {
				c.cover(x, y, float64(y+1)-top)
			}
		}
	}
}

// line adds a curve of a width; a single point is a dot of twice that.
func (c *canvas) line(curve []point, width float64) {
	if len(curve) == 1 {
		c.dot(curve[0], width)
	}
	for i, p := range curve[1:] {
		c.stroke(curve[i], p, width/2)
	}
}

func (c *canvas) dot(at point, radius float64) { c.stroke(at, at, radius) }

// stroke adds all that is within a radius of a straight line: of a pixel at the
// edge, as much as its middle is on this side.
func (c *canvas) stroke(a, b point, radius float64) {
	dx, dy := b.x-a.x, b.y-a.y
	square := float64(dx*dx) + float64(dy*dy)
	reach := radius + 1
	for y := int(min(a.y, b.y) - reach); y <= int(max(a.y, b.y)+reach); y++ {
		for x := int(min(a.x, b.x) - reach); x <= int(max(a.x, b.x)+reach); x++ {
			px, py := float64(x)+0.5-a.x, float64(y)+0.5-a.y
			if square > 0 { // from the nearest point of the line
				along := min(max((float64(px*dx)+float64(py*dy))/square, 0), 1)
				px, py = px-float64(along*dx), py-float64(along*dy)
			}
			c.cover(x, y, radius+0.5-math.Sqrt(float64(px*px)+float64(py*py)))
		}
	}
}

// cover adds a share of a pixel, in fifteenths: more shades are not seen, and make
// the file larger. Of what shapes cover twice the larger counts.
func (c *canvas) cover(x, y int, share float64) {
	if at := (image.Point{X: x, Y: y}); share > 0 && at.In(c.pen.Rect) {
		i := c.pen.PixOffset(x, y)
		c.pen.Pix[i] = max(c.pen.Pix[i], 17*uint8(float64(min(share, 1)*15)+0.5))
	}
}

// paint paints the shapes that were added and forgets them.
func (c *canvas) paint(with color.Color) {
	draw.DrawMask(c.image, c.pen.Rect, image.NewUniform(with), image.Point{}, c.pen, c.pen.Rect.Min, draw.Over)
	clear(c.pen.Pix)
}

// What of a text is at its place.
const (
	left = iota
	centre
	right
)

// text writes on a base line and returns the width. The text is ASCII.
func (c *canvas) text(s string, x, y float64, anchor int, with color.Color) float64 {
	width := c.glyphs.width(s)
	at := image.Pt(pixel(x-width*float64(anchor)/2), pixel(y))
	for _, r := range s {
		cell, advance := c.glyphs.cell(r)
		place := cell.Sub(cell.Min).Add(at).Sub(image.Pt(glyphMargin, glyphAscent))
		draw.DrawMask(c.image, place, image.NewUniform(with), image.Point{}, c.glyphs.sheet, cell.Min, draw.Over)
		at.X += advance
	}
	return width
}

package chart

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// fontSize is in pixels: about 12 points where the picture fills a phone's
// screen.
const fontSize = 19

// canvas is a picture in the making. Shapes that are neither level nor upright are
// gathered by the pen and painted together.
type canvas struct {
	image *image.RGBA
	face  font.Face
	pen   *vector.Rasterizer
	pane  image.Rectangle // where the pen can draw
}

// point is a place in the picture, in pixels from its upper left corner.
type point struct{ x, y float32 }

// newCanvas returns an empty picture. The pane is at most 512 pixels wide and
// high: the pen then counts in integers, so that the picture is the same on every
// processor.
func newCanvas(size, pane image.Rectangle) (*canvas, error) {
	f, err := opentype.Parse(gomedium.TTF)
	if err != nil {
		return nil, fmt.Errorf("read the font: %w", err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: fontSize, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("size the font: %w", err)
	}
	c := &canvas{image: image.NewRGBA(size), face: face, pen: vector.NewRasterizer(pane.Dx(), pane.Dy()), pane: pane}
	draw.Draw(c.image, size, image.NewUniform(background), image.Point{}, draw.Src)
	return c, nil
}

// rect fills a rectangle, whose edges are moved to the nearest pixels.
func (c *canvas) rect(x0, y0, x1, y1 float32, with color.Color) {
	r := image.Rect(pixel(x0), pixel(y0), pixel(x1), pixel(y1))
	draw.Draw(c.image, r, image.NewUniform(with), image.Point{}, draw.Over)
}

func pixel(x float32) int { return int(math.Floor(float64(x) + 0.5)) }

// under adds what is between a curve and a base line.
func (c *canvas) under(curve []point, base float32) {
	outline := append([]point{{curve[0].x, base}}, curve...)
	c.polygon(append(outline, point{curve[len(curve)-1].x, base})...)
}

// line adds a curve of a width; a single point is a dot of twice that.
func (c *canvas) line(curve []point, width float32) {
	if len(curve) == 1 {
		c.dot(curve[0], width)
	}
	for i, p := range curve[1:] {
		c.dot(p, width/2) // rounds the corner
		c.stroke(curve[i], p, width/2)
	}
}

// stroke adds a straight line. All shapes turn the same way round, so that what
// overlaps is painted once.
func (c *canvas) stroke(a, b point, half float32) {
	dx, dy := b.x-a.x, b.y-a.y
	length := float32(math.Hypot(float64(dx), float64(dy)))
	if length == 0 {
		return
	}
	nx, ny := -dy/length*half, dx/length*half
	c.polygon(point{a.x - nx, a.y - ny}, point{b.x - nx, b.y - ny}, point{b.x + nx, b.y + ny}, point{a.x + nx, a.y + ny})
}

// dot adds an octagon whose corners are a radius away.
func (c *canvas) dot(at point, radius float32) {
	r := radius * 0.924 // to the middle of a side: cos 22.5°
	k := r * (math.Sqrt2 - 1)
	c.polygon(point{at.x - k, at.y - r}, point{at.x + k, at.y - r}, point{at.x + r, at.y - k}, point{at.x + r, at.y + k},
		point{at.x + k, at.y + r}, point{at.x - k, at.y + r}, point{at.x - r, at.y + k}, point{at.x - r, at.y - k})
}

func (c *canvas) polygon(points ...point) {
	x, y := float32(c.pane.Min.X), float32(c.pane.Min.Y)
	c.pen.MoveTo(points[0].x-x, points[0].y-y)
	for _, p := range points[1:] {
		c.pen.LineTo(p.x-x, p.y-y)
	}
	c.pen.ClosePath()
}

// paint paints the shapes that were added and forgets them.
func (c *canvas) paint(with color.Color) {
	c.pen.Draw(c.image, c.pane, image.NewUniform(with), image.Point{})
	c.pen.Reset(c.pane.Dx(), c.pane.Dy())
}

// What of a text is at its place.
const (
	left = iota
	centre
	right
)

// text writes on a base line and returns the width.
func (c *canvas) text(s string, x, y float32, anchor int, with color.Color) float32 {
	width := c.width(s)
	x -= width * float32(anchor) / 2
	d := font.Drawer{Dst: c.image, Src: image.NewUniform(with), Face: c.face,
		Dot: fixed.P(pixel(x), pixel(y))}
	d.DrawString(s)
	return width
}

// width is how wide a text is, in pixels.
func (c *canvas) width(s string) float32 { return float32(font.MeasureString(c.face, s)) / 64 }

package chart

import (
	"bytes"
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"sync"
)

// canvas is an image that is being drawn. Curves are collected in a mask and
// painted together.
//
// The explicit conversion of products to float64 before they are added rounds them on
// every processor. Without it some compute x*y+z with one rounding (fused
// multiply-add), and images would differ between processors.
type canvas struct {
	image  *image.RGBA
	glyphs *glyphs
	mask   *image.Alpha // the coverage of each pixel; its bounds limit the curves
}

// point is a position in the image, in pixels from its upper left corner.
type point struct{ x, y float64 }

func newCanvas(size, maskBounds image.Rectangle) (*canvas, error) {
	g, err := loadGlyphs()
	if err != nil {
		return nil, err
	}
	c := &canvas{image: image.NewRGBA(size), glyphs: g, mask: image.NewAlpha(maskBounds)}
	draw.Draw(c.image, size, image.NewUniform(background), image.Point{}, draw.Src)
	return c, nil
}

// rect fills a rectangle, whose edges are rounded to pixels.
func (c *canvas) rect(x0, y0, x1, y1 float64, with color.Color) {
	r := image.Rect(pixel(x0), pixel(y0), pixel(x1), pixel(y1))
	draw.Draw(c.image, r, image.NewUniform(with), image.Point{}, draw.Over)
}

func pixel(x float64) int { return int(math.Floor(x + 0.5)) }

// areaBelow adds the area between a curve and a base line to the mask. Each column
// of pixels is as high as the curve is in its middle.
func (c *canvas) areaBelow(curve []point, base float64) {
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

// curve adds a curve to the mask; a single point becomes a dot of twice its width.
func (c *canvas) curve(points []point, width float64) {
	if len(points) == 1 {
		c.dot(points[0], width)
	}
	for i, p := range points[1:] {
		c.segment(points[i], p, width/2)
	}
}

func (c *canvas) dot(at point, radius float64) { c.segment(at, at, radius) }

// segment adds all points within radius of the line from a to b to the mask. Pixels at
// the edge are covered in part.
func (c *canvas) segment(a, b point, radius float64) {
	dx, dy := b.x-a.x, b.y-a.y
	square := float64(dx*dx) + float64(dy*dy)
	reach := radius + 1
	for y := int(min(a.y, b.y) - reach); y <= int(max(a.y, b.y)+reach); y++ {
		for x := int(min(a.x, b.x) - reach); x <= int(max(a.x, b.x)+reach); x++ {
			px, py := float64(x)+0.5-a.x, float64(y)+0.5-a.y
			if square > 0 { // make it relative to the nearest point of the line
				along := min(max((float64(px*dx)+float64(py*dy))/square, 0), 1)
				px, py = px-float64(along*dx), py-float64(along*dy)
			}
			c.cover(x, y, radius+0.5-math.Sqrt(float64(px*px)+float64(py*py)))
		}
	}
}

// cover adds the covered share of a pixel to the mask, rounded to fifteenths: more
// shades are not visible and make the file larger. Where shapes overlap, the larger
// share counts.
func (c *canvas) cover(x, y int, share float64) {
	if at := (image.Point{X: x, Y: y}); share > 0 && at.In(c.mask.Rect) {
		i := c.mask.PixOffset(x, y)
		c.mask.Pix[i] = max(c.mask.Pix[i], 17*uint8(float64(min(share, 1)*15)+0.5))
	}
}

// paint paints through the mask and clears it.
func (c *canvas) paint(with color.Color) {
	draw.DrawMask(c.image, c.mask.Rect, image.NewUniform(with), image.Point{}, c.mask, c.mask.Rect.Min, draw.Over)
	clear(c.mask.Pix)
}

// The anchor is the point of a text that is at its position. Its number is how many
// halves of the width are left of it.
const (
	left = iota
	center
	right
)

// text draws ASCII text on a base line and returns its width.
func (c *canvas) text(s string, x, y float64, anchor int, with color.Color) float64 {
	width := c.glyphs.width(s)
	at := image.Pt(pixel(x-width*float64(anchor)/2), pixel(y))
	for _, r := range s {
		cell, advance := c.glyphs.cell(r)
		target := cell.Sub(cell.Min).Add(at).Sub(image.Pt(glyphMargin, glyphAscent))
		draw.DrawMask(c.image, target, image.NewUniform(with), image.Point{}, c.glyphs.sheet, cell.Min, draw.Over)
		at.X += advance
	}
	return width
}

//go:generate go run ./glyphs

// glyphsPNG has the characters from the space to the tilde; see the command glyphs.
//
//go:embed glyphs.png
var glyphsPNG []byte

const (
	// glyphMargin is the space between a character and the edges of its cell on
	// either side, and glyphAscent that between the base line and the upper edge.
	glyphMargin = 2
	glyphAscent = 18
)

// glyphs is the decoded glyph sheet.
type glyphs struct {
	sheet *image.Alpha
	edges []int // the left edges of the cells, then the right edge of the last one
}

var loadGlyphs = sync.OnceValues(func() (*glyphs, error) {
	m, err := png.Decode(bytes.NewReader(glyphsPNG))
	if err != nil {
		return nil, fmt.Errorf("decode the glyphs: %w", err)
	}
	gray, ok := m.(*image.Gray)
	if !ok {
		return nil, fmt.Errorf("decode the glyphs: got a %T, want gray", m)
	}
	g := &glyphs{sheet: &image.Alpha{Pix: gray.Pix, Stride: gray.Stride, Rect: gray.Rect}}
	for x := range gray.Rect.Dx() {
		if gray.GrayAt(x, 0).Y == 0xff {
			g.edges = append(g.edges, x)
		}
	}
	if want := '~' - ' ' + 2; len(g.edges) != int(want) {
		return nil, fmt.Errorf("decode the glyphs: got %d edges, want %d", len(g.edges), want)
	}
	return g, nil
})

// cell returns the cell of a character in the sheet and its advance. A character
// without a cell is shown as a question mark.
func (g *glyphs) cell(r rune) (cell image.Rectangle, advance int) {
	if r < ' ' || r > '~' {
		r = '?'
	}
	i := r - ' '
	cell = image.Rect(g.edges[i], 1, g.edges[i+1], g.sheet.Rect.Max.Y)
	return cell, cell.Dx() - 2*glyphMargin
}

// width returns the width of a text in pixels.
func (g *glyphs) width(s string) float64 {
	width := 0
	for _, r := range s {
		_, advance := g.cell(r)
		width += advance
	}
	return float64(width)
}

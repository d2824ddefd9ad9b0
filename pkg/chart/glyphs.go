package chart

import (
	"bytes"
	_ "embed"
	"fmt"
	"image"
	"image/png"
	"sync"
)

//go:generate go run ./glyphs

// glyphsPNG holds the characters from the space to the tilde, as pkg/chart/glyphs
// draws them.
//
//go:embed glyphs.png
var glyphsPNG []byte

const (
	// glyphMargin is how much wider cells are than their characters on either
	// side, and glyphAscent how far their upper edge is above the base line.
	glyphMargin = 2
	glyphAscent = 18
)

// glyphs are the characters that pictures are labelled with.
type glyphs struct {
	sheet  *image.Alpha
	begins []int // of their cells, and the end of the last
}

var loadGlyphs = sync.OnceValues(func() (*glyphs, error) {
	m, err := png.Decode(bytes.NewReader(glyphsPNG))
	if err != nil {
		return nil, fmt.Errorf("read the characters: %w", err)
	}
	grey, ok := m.(*image.Gray)
	if !ok {
		return nil, fmt.Errorf("read the characters: they are in a %T", m)
	}
	g := &glyphs{sheet: &image.Alpha{Pix: grey.Pix, Stride: grey.Stride, Rect: grey.Rect}}
	for x := range grey.Rect.Dx() {
		if grey.GrayAt(x, 0).Y == 0xff {
			g.begins = append(g.begins, x)
		}
	}
	if want := '~' - ' ' + 2; len(g.begins) != int(want) {
		return nil, fmt.Errorf("read the characters: %d marks, want %d", len(g.begins), want)
	}
	return g, nil
})

// cell is where a character is in the sheet, and how far it advances. One that is
// not there is a question mark.
func (g *glyphs) cell(r rune) (cell image.Rectangle, advance int) {
	if r < ' ' || r > '~' {
		r = '?'
	}
	i := r - ' '
	cell = image.Rect(g.begins[i], 1, g.begins[i+1], g.sheet.Rect.Max.Y)
	return cell, cell.Dx() - 2*glyphMargin
}

// width is how wide a text is, in pixels.
func (g *glyphs) width(s string) float64 {
	width := 0
	for _, r := range s {
		_, advance := g.cell(r)
		width += advance
	}
	return float64(width)
}

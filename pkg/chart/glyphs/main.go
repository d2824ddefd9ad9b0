// Command glyphs renders glyphs.png, the characters of the charts, so that no
// function contains a font or the code to parse one. Run it with go generate
// ./pkg/chart after a change of the font or its size.
//
// The sheet has the ASCII characters from the space to the tilde side by side, each
// pixel as bright as it is covered. A white pixel in the row above them marks the
// left edge of each cell; the last one marks the end. A cell is wider than the
// advance of its character by a margin on either side, for overhanging parts.
package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

const (
	// size is in pixels: about 12 points when the image fills a phone's screen.
	size   = 19
	margin = 2
	// ascent and descent are those of the tallest characters.
	ascent, descent = 18, 6
)

func main() {
	b, err := sheet()
	if err == nil {
		err = os.WriteFile("glyphs.png", b, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "glyphs:", err)
		os.Exit(1)
	}
}

func sheet() ([]byte, error) {
	f, err := opentype.Parse(gomedium.TTF)
	if err != nil {
		return nil, fmt.Errorf("parse the font: %w", err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("create the face: %w", err)
	}
	edges := []int{0}
	for c := ' '; c <= '~'; c++ {
		advance, ok := face.GlyphAdvance(c)
		if !ok {
			return nil, fmt.Errorf("the font has no %q", c)
		}
		edges = append(edges, edges[len(edges)-1]+advance.Round()+2*margin)
	}
	m := image.NewGray(image.Rect(0, 0, edges[len(edges)-1]+1, 1+ascent+descent))
	for i, x := range edges {
		m.SetGray(x, 0, color.Gray{0xff})
		if c := ' ' + rune(i); c <= '~' {
			target, mask, from, _, _ := face.Glyph(fixed.P(x+margin, 1+ascent), c)
			if cell := image.Rect(x, 1, edges[i+1], m.Rect.Max.Y); !target.In(cell) {
				return nil, fmt.Errorf("%q at %v is larger than its cell %v", c, target, cell)
			}
			draw.DrawMask(m, target, image.White, image.Point{}, mask, from, draw.Over)
		}
	}
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, m)
	return out.Bytes(), err
}

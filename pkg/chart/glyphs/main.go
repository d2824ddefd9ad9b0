// Glyphs makes glyphs.png, the characters that pictures are labelled with, so
// that no function has a font to parse or the code for it: run it with go
// generate ./pkg/chart when they are to look different.
//
// The characters of ASCII from the space to the tilde stand side by side, as grey
// as they cover each pixel. In the row above them a white pixel is where a cell
// begins; a last one ends the row. Cells are wider than what their characters
// advance by Margin pixels on either side, for what hangs over.
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
	// size is in pixels: about 12 points where the picture fills a phone's screen.
	size   = 19
	margin = 2
	// ascent and descent are where the tallest characters end, from the base line.
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
		return nil, fmt.Errorf("read the font: %w", err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("size the font: %w", err)
	}
	begins := []int{0}
	for c := ' '; c <= '~'; c++ {
		advance, ok := face.GlyphAdvance(c)
		if !ok {
			return nil, fmt.Errorf("the font has no %q", c)
		}
		begins = append(begins, begins[len(begins)-1]+advance.Round()+2*margin)
	}
	m := image.NewGray(image.Rect(0, 0, begins[len(begins)-1]+1, 1+ascent+descent))
	for i, x := range begins {
		m.SetGray(x, 0, color.Gray{0xff})
		if c := ' ' + rune(i); c <= '~' {
			place, mask, from, _, _ := face.Glyph(fixed.P(x+margin, 1+ascent), c)
			if cell := image.Rect(x, 1, begins[i+1], m.Rect.Max.Y); !place.In(cell) {
				return nil, fmt.Errorf("%q at %v is larger than its cell %v", c, place, cell)
			}
			draw.DrawMask(m, place, image.White, image.Point{}, mask, from, draw.Over)
		}
	}
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, m)
	return out.Bytes(), err
}

package chart

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// TestGlyphsMatchTheFont checks that every character has the pixels and the advance of
// the font library.
func TestGlyphsMatchTheFont(t *testing.T) {
	f, err := opentype.Parse(gomedium.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 19, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		t.Fatal(err)
	}
	white := color.RGBA{0xff, 0xff, 0xff, 0xff}
	for r := ' '; r <= '~'; r++ {
		c, err := newCanvas(image.Rect(0, 0, 60, 40), image.Rectangle{})
		if err != nil {
			t.Fatal(err)
		}
		want := image.NewRGBA(c.image.Rect)
		draw.Draw(want, want.Rect, image.NewUniform(background), image.Point{}, draw.Src)
		d := font.Drawer{Dst: want, Src: image.NewUniform(white), Face: face, Dot: fixed.P(20, 25)}
		d.DrawString(string(r))
		width := c.text(string(r), 20, 25, left, white)
		if advance := d.Dot.X.Round() - 20; !bytes.Equal(c.image.Pix, want.Pix) || width != float64(advance) {
			t.Errorf("%q: got other pixels, or width %v, want those of the font and %d", r, width, advance)
		}
	}
}

// TestTextAnchor draws the same text by its anchor and by its left edge.
func TestTextAnchor(t *testing.T) {
	for name, tt := range map[string]struct {
		text, same string
		x          float64
		anchor     int
	}{
		"right":                           {"iW?", "iW?", 50, right},
		"center":                          {"iW?", "iW?", 50, center},
		"a question mark for a non-ASCII": {"积", "?", 10, left},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newCanvas(image.Rect(0, 0, 100, 40), image.Rectangle{})
			if err != nil {
				t.Fatal(err)
			}
			want, err := newCanvas(got.image.Rect, image.Rectangle{})
			if err != nil {
				t.Fatal(err)
			}
			width := got.text(tt.text, tt.x, 25, tt.anchor, titleColor)
			want.text(tt.same, tt.x-width*float64(tt.anchor)/2, 25, left, titleColor)
			if !bytes.Equal(got.image.Pix, want.image.Pix) || bytes.Count(got.image.Pix, []byte{titleColor.R, titleColor.G, titleColor.B}) == 0 {
				t.Errorf("%q: got other pixels, want those of %q at the left edge", tt.text, tt.same)
			}
		})
	}
}

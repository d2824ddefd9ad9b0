package main

import (
	"bytes"
	"os"
	"testing"
)

// TestSheetIsCurrent checks that the committed sheet is the one that the command
// renders.
func TestSheetIsCurrent(t *testing.T) {
	want, err := sheet()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("../glyphs.png"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("glyphs.png: got %d bytes, error %v; want the %d that the command renders: run go generate ./pkg/chart", len(got), err, len(want))
	}
}

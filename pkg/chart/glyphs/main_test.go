package main

import (
	"bytes"
	"os"
	"testing"
)

// The committed sheet is the one that the command renders.
func TestSheetIsCurrent(t *testing.T) {
	want, err := sheet()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("../glyphs.png"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got another glyphs.png, %v: run go generate ./pkg/chart", err)
	}
}

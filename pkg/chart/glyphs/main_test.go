package main

import (
	"bytes"
	"os"
	"testing"
)

func TestSheetIsTheOneInUse(t *testing.T) {
	want, err := sheet()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("../glyphs.png"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("glyphs.png is another one, %v: go generate ./pkg/chart", err)
	}
}

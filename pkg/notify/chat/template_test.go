package chat

import (
	"strings"
	"testing"
	"time"

	"tocsin/pkg/render"
)

// TestMaskEverybodyManyValues masks a text of many values, which takes half a minute if the
// text before each is searched.
func TestMaskEverybodyManyValues(t *testing.T) {
	text := strings.Repeat("a label: \x01value\x02, ", 40_000)
	start := time.Now()
	render.Unmark(text, maskEverybody)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("got %v, want less than 5s", took)
	}
}

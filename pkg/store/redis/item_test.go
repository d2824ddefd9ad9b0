package redis

import (
	"math"
	"slices"
	"testing"
	"time"
)

// TestItem holds the encoding to what commit.lua parses.
func TestItem(t *testing.T) {
	for raw, due := range map[string]time.Time{
		"1 18446744073709551615 8000019ca94c1601\nva\nlue": time.UnixMilli(0x19ca94c1601).UTC(),
		"1 18446744073709551615 \nva\nlue":                 {},
	} {
		if got := string(encode("18446744073709551615", dueText(due), []byte("va\nlue"))); got != raw {
			t.Errorf("encode: got %q, want %q", got, raw)
		}
		it, err := decode("a/1", []byte(raw))
		if err != nil || it.Key != "a/1" || it.Version != math.MaxUint64 || string(it.Value) != "va\nlue" || !it.Due.Equal(due) {
			t.Errorf("decode(%q): got %+v, %v, want the encoded item", raw, it, err)
		}
	}
}

func TestTimeText(t *testing.T) {
	var texts []string
	for _, year := range []int{1, 1969, 1970, 2026, 9999} {
		at := time.Date(year, 12, 31, 23, 59, 59, 999e6, time.UTC)
		text := timeText(at)
		if back, err := parseTime(text); err != nil || !back.Equal(at) {
			t.Errorf("got %v, %v from %q, want %v", back, err, text, at)
		}
		texts = append(texts, text)
	}
	if !slices.IsSorted(texts) {
		t.Errorf("got %q, want sorted texts", texts)
	}
}

func FuzzDecode(f *testing.F) {
	for _, raw := range []string{"1 7 \n", "1 7 8000019ca94c1601\nx", "", "1", "1 0 \n", "1 7 cats\n", "1 -7 \n", "2 7 \n", "1 7 8000019ca94c1601 \n"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		it, err := decode("a/1", []byte(raw))
		if err == nil && (it.Version == 0 || it.Value == nil) {
			t.Errorf("decode(%q): got %+v, want a version and a value", raw, it)
		}
	})
}

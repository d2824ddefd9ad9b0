package alert

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBuiltin(t *testing.T) {
	var a Alert
	a.SetDescription("")
	if a.Builtin != 0 || a.Annotations != nil {
		t.Errorf("after an empty description: got annotations %v, built-in %b; want none", a.Annotations, a.Builtin)
	}
	const text = "3 messages behind"
	a.SetSummary(text)
	if a.Annotations[SummaryAnnotation] != text || !a.Builtin.Has(BuiltinSummary) || a.Builtin.Has(BuiltinDescription) {
		t.Errorf("after a summary: got annotations %v, built-in %b; want %q, %b", a.Annotations, a.Builtin, text, BuiltinSummary)
	}
	a.SetDescription("partition 1")
	if both := BuiltinSummary | BuiltinDescription; !a.Builtin.Has(both) {
		t.Errorf("after both texts: got built-in %b, want %b", a.Builtin, both)
	}
}

// TestBuiltinIsNotOnTheWire checks that the JSON of an alert has no mark of built-in
// texts.
func TestBuiltinIsNotOnTheWire(t *testing.T) {
	var marked Alert
	marked.SetSummary("3 messages behind")
	plain := Alert{Annotations: Labels{SummaryAnnotation: "3 messages behind"}}
	got, err := json.Marshal(marked)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseCount(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "2001": 2001, "9223372036854775807": math.MaxInt64} {
		t.Run(text, func(t *testing.T) {
			if got, ok := ParseCount(text); !ok || got != want {
				t.Errorf("ParseCount = %d, %v, want %d", got, ok, want)
			}
			if got := FormatCount(want); got != text {
				t.Errorf("FormatCount = %q, want %q", got, text)
			}
		})
	}
	for _, text := range []string{"", "-1", "1.5", "many", "9223372036854775808"} {
		t.Run("not a count: "+text, func(t *testing.T) {
			if got, ok := ParseCount(text); ok {
				t.Errorf("ParseCount = %d, true, want false", got)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "95.5": 95.5, "-3": -3, "20000000": 2e7} {
		t.Run(text, func(t *testing.T) {
			if got, ok := ParseNumber(text); !ok || got != want {
				t.Errorf("ParseNumber = %v, %v, want %v", got, ok, want)
			}
			if got := FormatNumber(want); got != text {
				t.Errorf("FormatNumber = %q, want %q", got, text)
			}
		})
	}
	if got, ok := ParseNumber("10m"); ok {
		t.Errorf("ParseNumber(10m) = %v, true, want false", got)
	}
}

func TestSeconds(t *testing.T) {
	if got := FormatSeconds(12*time.Minute + 34*time.Second + 999*time.Millisecond); got != "754" {
		t.Errorf("FormatSeconds = %q, want 754", got)
	}
	if got, ok := ParseSeconds("754"); !ok || got != 754*time.Second {
		t.Errorf("ParseSeconds(754) = %v, %v, want %v", got, ok, 754*time.Second)
	}
	for _, text := range []string{"", "0", "-7", "x", "3153600001", "9223372036854775807"} {
		t.Run("not a time: "+text, func(t *testing.T) {
			if got, ok := ParseSeconds(text); ok {
				t.Errorf("ParseSeconds = %v, true, want false", got)
			}
		})
	}
}

func TestFormatRate(t *testing.T) {
	for want, rate := range map[string]float64{"": math.NaN(), "0": 0, "1.5": 1.46, "99.9": 99.94, "100": 99.96, "12346": 12345.6} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			if got := FormatRate(rate); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestDrain(t *testing.T) {
	for want, drain := range map[string]time.Duration{
		"never": Never, "": -1, "4m30s": 270*time.Second + time.Millisecond, "2h12m": 2*time.Hour + 12*time.Minute + 59*time.Second,
	} {
		t.Run("format "+drain.String(), func(t *testing.T) {
			if got := FormatDrain(drain); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	for text, want := range map[string]time.Duration{"never": Never, "4m30s": 270 * time.Second, "2h12m": 132 * time.Minute} {
		t.Run("parse "+text, func(t *testing.T) {
			if got, ok := ParseDrain(text); !ok || got != want {
				t.Errorf("got %v, %v, want %v", got, ok, want)
			}
		})
	}
	for _, text := range []string{"", "0s", "-1m", "soon"} {
		t.Run("not a time: "+text, func(t *testing.T) {
			if got, ok := ParseDrain(text); ok {
				t.Errorf("got %v, true, want false", got)
			}
		})
	}
}

func TestPartitions(t *testing.T) {
	for text, want := range map[string][]PartitionLag{
		"": nil, "3:5000": {{3, 5000}}, "3:5000,7:4100": {{3, 5000}, {7, 4100}},
	} {
		t.Run(text, func(t *testing.T) {
			if got, err := ParsePartitions(text); err != nil || !slices.Equal(got, want) {
				t.Errorf("ParsePartitions = %v, %v, want %v", got, err, want)
			}
			if got := FormatPartitions(want); got != text {
				t.Errorf("FormatPartitions = %q, want %q", got, text)
			}
		})
	}
	want := []PartitionLag{{3, 5000}, {7, 4100}}
	if got, err := ParsePartitions("3:5000, 7:4100"); err != nil || !slices.Equal(got, want) {
		t.Errorf("with a space: got %v, %v, want %v", got, err, want)
	}
	for _, text := range []string{"3", "3:", ":5", "3:5,", "a:5", "3:x", "-1:5", "3:-5", "2147483648:1"} {
		t.Run("not partitions: "+text, func(t *testing.T) {
			if got, err := ParsePartitions(text); err == nil {
				t.Errorf("ParsePartitions = %v, want an error", got)
			}
		})
	}
}

var unknown = math.NaN()

func equalOrNaN(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func TestParseLagHistory(t *testing.T) {
	h, err := ParseLagHistory("1763712000/60:0,12,,340")
	if err != nil {
		t.Fatal(err)
	}
	// date -u -d @1763712000
	if last := time.Date(2025, 11, 21, 8, 0, 0, 0, time.UTC); !h.Last.Equal(last) || h.Step != time.Minute {
		t.Errorf("got the last value at %v, step %v; want %v and 1m", h.Last, h.Step, last)
	}
	if want := []float64{0, 12, unknown, 340}; !slices.EqualFunc(h.Values, want, equalOrNaN) {
		t.Errorf("got values %v, want %v", h.Values, want)
	}
	for _, tt := range []struct {
		text string
		want []float64
	}{
		{"1/1:", []float64{unknown}},
		{"1/1:,", []float64{unknown, unknown}},
		{"253402300799/86400:1.5,000", []float64{1.5, 0}},
		{"1/1:999999999999999999", []float64{1e18}},
		{"1/1:" + strings.Repeat(",", 1439), slices.Repeat([]float64{unknown}, 1440)},
	} {
		t.Run(fmt.Sprintf("%.40s", tt.text), func(t *testing.T) {
			if h, err := ParseLagHistory(tt.text); err != nil || !slices.EqualFunc(h.Values, tt.want, equalOrNaN) {
				t.Errorf("got %v, %v, want %v", h.Values, err, tt.want)
			}
		})
	}
}

func TestParseLagHistoryErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "begins with",
		"1763712000:1,2":                    "begins with",
		"1763712000/60":                     "begins with",
		"0/60:1":                            "last value",
		"-1/60:1":                           "last value",
		"253402300800/60:1":                 "last value",
		"99999999999999999999/60:1":         "last value",
		"1763712000/0:1":                    "step",
		"1763712000/86401:1":                "step",
		"1763712000/1m:1":                   "step",
		"1763712000/60:1,-2":                "value 2",
		"1763712000/60:1, 2":                "value 2",
		"1763712000/60:NaN":                 "value 1",
		"1763712000/60:inf":                 "value 1",
		"1763712000/60:1e9":                 "value 1",
		"1763712000/60:0x10":                "value 1",
		"1763712000/60:1_000":               "value 1",
		"1763712000/60:.":                   "value 1",
		"1763712000/60:1234567890123456789": "value 1",
		"1763712000/60:<b>":                 `"<b>" is not a number`,
		"1/1:" + strings.Repeat(",", 1440):  "1441 values",
	} {
		t.Run(fmt.Sprintf("%.40s", text), func(t *testing.T) {
			if h, err := ParseLagHistory(text); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 {
				t.Errorf("got %v, %v; want an error with %q, of at most 200 bytes", h, err, want)
			}
		})
	}
}

func FuzzParseLagHistory(f *testing.F) {
	for _, text := range []string{"1763712000/60:0,12,,340", "1/86400:1", "253402300799/1:,,.5,1.", "5/5:999999999999999999,0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseLagHistory(text)
		if err != nil {
			return
		}
		if len(h.Values) == 0 || len(h.Values) > MaxLagHistory || h.Step < time.Second || h.Step > 24*time.Hour {
			t.Fatalf("got %d values, step %v; want them within the limits", len(h.Values), h.Step)
		}
		if formatted := h.String(); formatted != "" && len(formatted) <= len(text) {
			again, err := ParseLagHistory(formatted)
			if err != nil || !again.Last.Equal(h.Last) || again.Step != h.Step || !slices.EqualFunc(again.Values, h.Values, equalOrNaN) {
				t.Errorf("%q, formatted as %q: got %v, %v, want %v", text, formatted, again, err, h)
			}
		}
	})
}

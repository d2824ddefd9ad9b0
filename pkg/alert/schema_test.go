package alert

import (
	"encoding/json"
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
		t.Errorf("after an empty description: annotations %v, built-in %b", a.Annotations, a.Builtin)
	}
	a.SetSummary("3 messages behind")
	if a.Annotations[SummaryAnnotation] != "3 messages behind" || !a.Builtin.Has(BuiltinSummary) || a.Builtin.Has(BuiltinDescription) {
		t.Errorf("after a summary: annotations %v, built-in %b", a.Annotations, a.Builtin)
	}
	a.SetDescription("partition 1")
	if !a.Builtin.Has(BuiltinSummary | BuiltinDescription) {
		t.Errorf("after both texts: built-in %b", a.Builtin)
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
		if got, ok := ParseCount(text); !ok || got != want || FormatCount(got) != text {
			t.Errorf("ParseCount(%q) = %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-1", "1.5", "many", "9223372036854775808"} {
		if got, ok := ParseCount(text); ok {
			t.Errorf("ParseCount(%q) = %d, want an error", text, got)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "95.5": 95.5, "-3": -3, "20000000": 2e7} {
		if got, ok := ParseNumber(text); !ok || got != want || FormatNumber(got) != text {
			t.Errorf("ParseNumber(%q) = %v, %v, want %v; formatted %q", text, got, ok, want, FormatNumber(got))
		}
	}
	if got, ok := ParseNumber("10m"); ok {
		t.Errorf("ParseNumber(10m) = %v, want an error", got)
	}
}

func TestSeconds(t *testing.T) {
	if got := FormatSeconds(12*time.Minute + 34*time.Second + 999*time.Millisecond); got != "754" {
		t.Errorf("FormatSeconds = %q, want 754", got)
	}
	if got, ok := ParseSeconds("754"); !ok || got != 754*time.Second {
		t.Errorf("ParseSeconds(754) = %v, %v", got, ok)
	}
	for _, text := range []string{"", "0", "-7", "x", "3153600001", "9223372036854775807"} {
		if got, ok := ParseSeconds(text); ok {
			t.Errorf("ParseSeconds(%q) = %v, want an error", text, got)
		}
	}
}

func TestFormatRate(t *testing.T) {
	for want, rate := range map[string]float64{"": math.NaN(), "0": 0, "1.5": 1.46, "99.9": 99.94, "100": 99.96, "12346": 12345.6} {
		if got := FormatRate(rate); got != want {
			t.Errorf("FormatRate(%v) = %q, want %q", rate, got, want)
		}
	}
}

func TestDrain(t *testing.T) {
	for want, drain := range map[string]time.Duration{
		"never": Never, "": -1, "4m30s": 270*time.Second + time.Millisecond, "2h12m": 2*time.Hour + 12*time.Minute + 59*time.Second,
	} {
		if got := FormatDrain(drain); got != want {
			t.Errorf("FormatDrain(%v) = %q, want %q", drain, got, want)
		}
	}
	for text, want := range map[string]time.Duration{"never": Never, "4m30s": 270 * time.Second, "2h12m": 132 * time.Minute} {
		if got, ok := ParseDrain(text); !ok || got != want {
			t.Errorf("ParseDrain(%q) = %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "0s", "-1m", "soon"} {
		if got, ok := ParseDrain(text); ok {
			t.Errorf("ParseDrain(%q) = %v, want an error", text, got)
		}
	}
}

func TestPartitions(t *testing.T) {
	for text, want := range map[string][]PartitionLag{
		"": nil, "3:5000": {{3, 5000}}, "3:5000,7:4100": {{3, 5000}, {7, 4100}},
	} {
		if got, err := ParsePartitions(text); err != nil || !slices.Equal(got, want) || FormatPartitions(got) != text {
			t.Errorf("ParsePartitions(%q) = %v, %v, want %v; formatted %q", text, got, err, want, FormatPartitions(got))
		}
	}
	if got, err := ParsePartitions("3:5000, 7:4100"); err != nil || len(got) != 2 {
		t.Errorf("with a space: %v, %v", got, err)
	}
	for _, text := range []string{"3", "3:", ":5", "3:5,", "a:5", "3:x", "-1:5", "3:-5", "2147483648:1"} {
		if got, err := ParsePartitions(text); err == nil {
			t.Errorf("ParsePartitions(%q) = %v, want an error", text, got)
		}
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
		t.Errorf("last value at %v, step %v, want %v and 1m", h.Last, h.Step, last)
	}
	if want := []float64{0, 12, unknown, 340}; !slices.EqualFunc(h.Values, want, equalOrNaN) {
		t.Errorf("values %v, want %v", h.Values, want)
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
		if h, err := ParseLagHistory(tt.text); err != nil || !slices.EqualFunc(h.Values, tt.want, equalOrNaN) {
			t.Errorf("%.40s: %v, %v, want %v", tt.text, h.Values, err, tt.want)
		}
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
		if h, err := ParseLagHistory(text); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 {
			t.Errorf("%.40s: %v, %v; want an error with %q", text, h, err, want)
		}
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
			t.Fatalf("%d values, step %v", len(h.Values), h.Step)
		}
		if formatted := h.String(); formatted != "" && len(formatted) <= len(text) {
			again, err := ParseLagHistory(formatted)
			if err != nil || !again.Last.Equal(h.Last) || again.Step != h.Step || !slices.EqualFunc(again.Values, h.Values, equalOrNaN) {
				t.Errorf("%q was formatted as %q: %v, %v", text, formatted, again, err)
			}
		}
	})
}

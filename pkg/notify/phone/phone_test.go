package phone

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"13800000000", "+8613800000000"},
		{"+8613800000000", "+8613800000000"},
		{"8613800000000", "+8613800000000"},
		{"008613800000000", "+8613800000000"},
		{"+86 138-0000-0000", "+8613800000000"},
		{"+85290000000", "+85290000000"},
		{"0085290000000", "+85290000000"},
		{"+1 (415) 555-0100", "+14155550100"},
		{"", ""},
		{"+", ""},
		{"+86", ""},
		{"1380000000", ""},        // a digit short
		{"138000000000", ""},      // a digit too many
		{"12000000000", ""},       // no mobile number begins so
		{"+861380000000", ""},     // a digit short
		{"85290000000", ""},       // foreign, without + or 00
		{"+0123456789", ""},       // no country code begins with 0
		{"+1234567890123456", ""}, // 16 digits
		{"+12", ""},               // too short
		{"１３８００００００００", ""},       // full-width digits
		{"13800000000x", ""},      // a letter
		{"ops@example.com", ""},   // an address
		{"138\n00000000", ""},     // a line break
		{"+86+8613800000000", ""}, // a code twice
		{"0000000000000", ""},     // zeros
		{strings.Repeat("1", 1000), ""},
	} {
		got, err := Parse(tt.in)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%.40q: %q, %v; want %q", tt.in, got, err, tt.want)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("%.40q: an error of %d bytes", tt.in, len(err.Error()))
		}
	}
}

func TestMask(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"+8613800000000", "+86138****0000"},
		{"13800000000", "138****0000"},
		{"+14155550100", "+141****0100"},
		{"1234567", "****4567"},
		{"1234", "****"},
		{"", "****"},
	} {
		if got := Mask(tt.in); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	if got, want := MaskList([]string{"+8613800000000"}), "+86138****0000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := MaskList([]string{"+14155550100", "a", "b"}), "+141****0100 +2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestHide(t *testing.T) {
	got := MaskIn("+8613800000000, 8613800000000 and 13800000000 but not 13800000009; +14155550100", "+8613800000000", "+14155550100")
	if want := "+86138****0000, 86138****0000 and 138****0000 but not 13800000009; +141****0100"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := MaskIn("nobody"); got != "nobody" {
		t.Error(got)
	}
}

func TestSplit(t *testing.T) {
	got := split(" 1,2 ;3；4，5\n6,, ")
	if want := []string{"1", "2", "3", "4", "5", "6"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"13800000000", "+8613800000000", "+14155550100", "0086", "+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		number, err := Parse(s)
		if err != nil {
			return
		}
		if len(number) < 8 || len(number) > 16 || number[0] != '+' || strings.Trim(number[1:], "0123456789") != "" {
			t.Fatalf("%q became %q", s, number)
		}
		if again, err := Parse(number); err != nil || again != number {
			t.Fatalf("%q became %q, %v when it was read again", number, again, err)
		}
	})
}

package phone

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"mainland number", "13800000000", "+8613800000000"},
		{"E.164", "+8613800000000", "+8613800000000"},
		{"country code without a plus", "8613800000000", "+8613800000000"},
		{"country code after 00", "008613800000000", "+8613800000000"},
		{"spaces and hyphens", "+86 138-0000-0000", "+8613800000000"},
		{"Hong Kong", "+85290000000", "+85290000000"},
		{"Hong Kong after 00", "0085290000000", "+85290000000"},
		{"parentheses", "+1 (415) 555-0100", "+14155550100"},
		{"empty", "", ""},
		{"plus alone", "+", ""},
		{"country code alone", "+86", ""},
		{"a digit too few", "1380000000", ""},
		{"a digit too many", "138000000000", ""},
		{"not a mobile number", "12000000000", ""},
		{"a digit too few in E.164", "+861380000000", ""},
		{"foreign number without + or 00", "85290000000", ""},
		{"country code 0", "+0123456789", ""},
		{"16 digits", "+1234567890123456", ""},
		{"too short", "+12", ""},
		{"full-width digits", "１３８００００００００", ""},
		{"letter", "13800000000x", ""},
		{"e-mail address", "ops@example.com", ""},
		{"line break", "138\n00000000", ""},
		{"country code twice", "+86+8613800000000", ""},
		{"zeros", "0000000000000", ""},
		{"long", strings.Repeat("1", 1000), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if got != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("got an error of %d bytes, want at most 200", len(err.Error()))
			}
		})
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"+8613800000000": "+86138****0000",
		"13800000000":    "138****0000",
		"+14155550100":   "+141****0100",
		"1234567":        "****4567",
		"1234":           "****",
		"":               "****",
	} {
		if got := Mask(in); got != want {
			t.Errorf("Mask(%q): got %q, want %q", in, got, want)
		}
	}
}

func TestMaskList(t *testing.T) {
	if got, want := MaskList([]string{"+8613800000000"}), "+86138****0000"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := MaskList([]string{"+14155550100", "a", "b"}), "+141****0100 +2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMaskIn(t *testing.T) {
	got := MaskIn("+8613800000000, 8613800000000 and 13800000000 but not 13800000009; +14155550100", "+8613800000000", "+14155550100")
	if want := "+86138****0000, 86138****0000 and 138****0000 but not 13800000009; +141****0100"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := MaskIn("no numbers"), "no numbers"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSplitList(t *testing.T) {
	got := splitList(" 1,2 ;3；4，5\n6,, ")
	if want := []string{"1", "2", "3", "4", "5", "6"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseRecipients(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lists []string
		limit int
		want  *Recipients
		err   string // the start of the error
	}{
		{name: "sorted, without duplicates", limit: 4,
			lists: []string{"13800000002, +8613800000001;008613800000002", "", "+1 415 555 0100，ops\x00@example.com", "+14155550100\nops@example.com"},
			want:  &Recipients{Domestic: []string{"+8613800000002", "+8613800000001"}, International: []string{"+14155550100"}, Invalid: []string{"ops@example.com"}}},
		{name: "duplicates do not count against the limit", lists: []string{"13800000000,+8613800000000,a"}, limit: 2,
			want: &Recipients{Domestic: []string{"+8613800000000"}, Invalid: []string{"a"}}},
		{name: "above the limit", lists: []string{"13800000000,13800000001,a"}, limit: 2, err: "there are more than the 2 phone numbers"},
		{name: "empty", lists: []string{" ,; "}, limit: 2, err: "there are no recipients"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseRecipients(tt.lists, tt.limit)
			if !reflect.DeepEqual(got, tt.want) || (err != nil) != (tt.err != "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
				t.Errorf("got %+v, %v; want %+v, %q", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	r := &Recipients{Domestic: []string{"+8613800000002", "+8613800000001"}, International: []string{"+14155550100"}, Invalid: []string{"ops@example.com"}}
	r.Remove([]string{"+8613800000002", "ops@example.com", "+8613800000009"})
	want := &Recipients{Domestic: []string{"+8613800000001"}, International: []string{"+14155550100"}, Invalid: []string{}}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v, want %+v", r, want)
	}
}

func TestValidate(t *testing.T) {
	notHongKong := func(number string) error {
		if number == "+85290000000" {
			return errors.New("no")
		}
		return nil
	}
	for _, tt := range []struct {
		name  string
		to    []string
		check func(string) error
		want  []string
	}{
		{"numbers", []string{"13800000000", "+85290000000"}, nil, nil},
		{"number that the channel cannot reach", []string{"13800000000, +85290000000"}, notHongKong, []string{"[to 0]"}},
		{"template", []string{"{{ .CommonAnnotations.phones }}", "13800000000"}, notHongKong, nil},
		{"template with a number that is not checked", []string{"{{ .CommonAnnotations.phones }}, 12"}, notHongKong, nil},
		{"texts that are not numbers", []string{"12;34", "13800000000", "56"}, notHongKong, []string{"[to 0]", "[to 0]", "[to 2]"}},
		{"empty list", []string{" , "}, nil, []string{"[to 0]"}},
		{"no recipients", nil, nil, []string{"[to]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			notifytest.CheckFaults(t, func(f *setting.Faults) { Validate(f, tt.to, tt.check) }, tt.want)
		})
	}
}

func TestOnlyInternational(t *testing.T) {
	for _, tt := range []struct {
		name string
		to   []string
		want bool
	}{
		{"international numbers", []string{"+85290000000", "+14155550100; +85290000001"}, true},
		{"one domestic number", []string{"+85290000000", "+14155550100; 13800000000"}, false},
		{"template", []string{"+85290000000", "{{ .CommonAnnotations.phones }}"}, false},
		{"no recipients", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := OnlyInternational(tt.to); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
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
			t.Fatalf("got %q from %q, want E.164", number, s)
		}
		if again, err := Parse(number); err != nil || again != number {
			t.Fatalf("got %q, %v from %q, want it unchanged", again, err, number)
		}
	})
}

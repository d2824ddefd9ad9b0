package setting_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/setting"
)

func TestSecretIsNeverShown(t *testing.T) {
	const secret = "hunter2"
	type config struct {
		Password setting.Secret            `yaml:"password" json:"password"`
		List     []setting.Secret          `yaml:"list" json:"list"`
		Table    map[string]setting.Secret `yaml:"table" json:"table"`
		Pointer  *setting.Secret           `yaml:"pointer" json:"pointer"`
	}
	s := setting.Secret(secret)
	c := config{s, []setting.Secret{s}, map[string]setting.Secret{"a": s}, &s}
	output := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08.3f"} {
		output[verb] = fmt.Sprintf(verb+" "+verb, c, s)
	}
	y, err := yaml.Dump(c)
	if err != nil {
		t.Fatal(err)
	}
	output["yaml"] = string(y)
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	output["json"] = string(j)
	var text, lines strings.Builder
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "secret", s, "config", c)
	slog.New(slog.NewJSONHandler(&lines, nil)).Info("m", "secret", s, "config", c)
	output["slog text"], output["slog json"] = text.String(), lines.String()

	for how, out := range output {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), "104 117"} {
			if strings.Contains(out, form) {
				t.Errorf("%s: got %s, want no %q in it", how, out, form)
			}
		}
		if !strings.Contains(out, "<secret>") && !strings.Contains(out, `\u003csecret\u003e`) {
			t.Errorf("%s: got %s, want <secret> in it", how, out)
		}
	}
	if got := fmt.Sprintf("[%v]", setting.Secret("")); got != "[]" {
		t.Errorf("empty secret: got %s, want []", got)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "30s": 30 * time.Second, "1h30m": 90 * time.Minute, "5d": 120 * time.Hour, "1w": 168 * time.Hour, "200ms": 200 * time.Millisecond,
	} {
		var d setting.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Std() != want {
			t.Errorf("%s: got %v, %v, want %v", text, d.Std(), err, want)
		}
	}
	for _, text := range []string{"", "5", "5 m", "-5m", "5M", "1.5h", "m5", "99999999999y"} {
		var d setting.Duration
		err := d.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), "write it like 30s") {
			t.Errorf("%q: got %v, %v, want an error with an example", text, d.Std(), err)
		}
	}
}

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern, value string
		want           bool
	}{
		{"order-.*", "order-pay", true},
		{"order-.*", "my-order-pay", false}, // anchored on both sides
		{"order", "order-pay", false},
		{"a|b", "b", true},
		{"a|b", "ab", false}, // the anchors hold for the whole alternation
		{".*", "a\nb", true}, // as in Prometheus, . matches a newline
		{"", "", true},
		{"", "x", false},
	}
	for _, tt := range tests {
		p, err := setting.NewPattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(tt.value); got != tt.want {
			t.Errorf("%q on %q: got %v, want %v", tt.pattern, tt.value, got, tt.want)
		}
	}
	if zero := (setting.Pattern{}); !zero.IsZero() || !zero.Match("anything") {
		t.Errorf("zero Pattern: got IsZero %v and Match %v, want true and true", zero.IsZero(), zero.Match("anything"))
	}
	for _, bad := range []string{"a(", ")(", "*", "[", `\8`} {
		if _, err := setting.NewPattern(bad); err == nil {
			t.Errorf("%q: got no error, want one", bad)
		} else if strings.Contains(err.Error(), "(?s:") {
			t.Errorf("%q: got %v, want no group that the user did not write", bad, err)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"max_lag", "for", "clear_below", "labels", "annotations"}
	for name, want := range map[string]string{
		"max_lga":     "max_lag", // two letters swapped
		"maxlag":      "max_lag",
		"maxLag":      "max_lag",
		"fro":         "for",
		"foo":         "for", // one of three letters
		"f":           "",
		"clear-below": "clear_below",
		"label":       "labels",
		"threshold":   "",
		"clear":       "clear_below", // a prefix
		"cl":          "",
		"":            "",
	} {
		if got := setting.Nearest(name, known); got != want {
			t.Errorf("Nearest(%q): got %q, want %q", name, got, want)
		}
	}
	if got := setting.Nearest("ab", []string{"ax", "ay"}); got != "ax" {
		t.Errorf("two equally near names: got %q, want the first", got)
	}
}

func TestFaultsHavePathsAndOrder(t *testing.T) {
	var f setting.Faults
	if f.List() != nil {
		t.Fatalf("zero Faults: got %v, want none", f.List())
	}
	rules := f.In("lag", "rules")
	first, second := rules.In(0), rules.In(1)
	second.Addf("max_lag", "must be above %d", 0)
	first.Warnf("", "odd")
	f.Addf("route", "is missing")
	var got []string
	for _, x := range f.List() {
		got = append(got, fmt.Sprint(x.Path, x.Message, x.Warning))
	}
	want := []string{"[lag rules 1 max_lag]must be above 0false", "[lag rules 0]oddtrue", "[route]is missingfalse"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

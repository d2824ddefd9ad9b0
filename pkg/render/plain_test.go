package render

import (
	"strings"
	"testing"
)

func TestPlainLinks(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"none":                            "none",
		"see [a](http://x) and [b](y), c": "see a: http://x and b: y, c",
		"[[a](b)":                         "[a: b",
		"[open](":                         "[open](",
		"](no start)":                     "](no start)",
		strings.Repeat("](", 1<<19):       strings.Repeat("](", 1<<19),
	} {
		if got := PlainLinks(in); got != want {
			t.Errorf("%.40q becomes %.40q, want %.40q", in, got, want)
		}
	}
}

func TestReplaceBetween(t *testing.T) {
	upper := func(s string) string { return "(" + strings.ToUpper(s) + ")" }
	for in, want := range map[string]string{
		"":                   "",
		"a <@b> c <@d>":      "a (B) c (D)",
		"a <@b":              "a <@b",
		"a> <@>":             "a> ()",
		"<@a> <@ never ends": "(A) <@ never ends",
	} {
		if got := ReplaceBetween(in, "<@", ">", upper); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

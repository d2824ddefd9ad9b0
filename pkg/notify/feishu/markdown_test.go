package feishu

import (
	"html"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/render"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"order-created":    "order-created",
		"a_b*":             "a&#95;b&#42;",
		"cpu < 5% & x > 1": "cpu &#60; 5% &#38; x &#62; 1",
		`\`:                "&#92;",
		"~`[]":             "&#126;&#96;&#91;&#93;",
		"23:10:10":         "23:10:10",
		"10.0.0.8:9100":    "10.0.0.8:9100",
		"https://a/b:c":    "https://a/b:c",
		"说:中文:":            "说:中文:",
		":OK:":             "&#58;OK:",
		":18X:":            "&#58;18X:",
		"a:b:c":            "a&#58;b:c",
		"- x":              "&#45; x",
		"-":                "&#45;",
		"+1":               "&#43;1",
		"# x":              "&#35; x",
		"12. x_":           "12&#46; x&#95;",
		"3)":               "3&#41;",
		"2026":             "2026",
		"中":                "中",
		"":                 "",
	} {
		if got := escapeLine(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		if got := html.UnescapeString(escapeLine(in)); got != in {
			t.Errorf("%q: got %q as its reader sees it, want it unchanged", in, got)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range notifytest.Hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := dialect{}.Value(s)
		if html.UnescapeString(got) != render.CleanLine(s, maxBody) {
			t.Errorf("%q: got %q as its reader sees it, want it unchanged", s, html.UnescapeString(got))
		}
		if strings.ContainsAny(got, "<>*_~`[]\\\n") {
			t.Errorf("%q: got %q, want no markup", s, got)
		}
		if short := cut(got, 40); len(short) > 40 || !utf8.ValidString(short) {
			t.Errorf("%q: got %q, want at most 40 bytes of whole characters", got, short)
		}
	})
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{strings.Repeat("中", 10), 29, "中中中中中…"}, // 29 - 9 for closing markup = 20: 5 characters and the ellipsis
		{"**" + strings.Repeat("a", 40) + "**", 40, "**" + strings.Repeat("a", 26) + "…**"},
		{strings.Repeat("a", 23) + "&#42;bcdefghijklmnop", 36, strings.Repeat("a", 23) + "…"},
		{strings.Repeat("a", 18) + "<at id=ou_1></at>" + strings.Repeat("b", 9), 36, strings.Repeat("a", 18) + "…"},
		{"a [b](https://example.com/" + strings.Repeat("c", 40) + ")", 50, "a …"},
		{"<font color='red'>" + strings.Repeat("a", 40) + "</font>", 50, "<font color='red'>" + strings.Repeat("a", 20) + "…</font>"},
	} {
		if got := cut(tt.in, tt.limit); got != tt.want || len(got) > tt.limit {
			t.Errorf("%q at %d: got %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

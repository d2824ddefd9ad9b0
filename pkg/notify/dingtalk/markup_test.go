package dingtalk

import (
	"strings"
	"testing"
)

func TestEscapeURL(t *testing.T) {
	const address = `https://example.com/a_b/_c_(d)*[e]?q=@x y\z"<>~` + "`"
	if got, want := (format{markdown: true}).URL(address), "https://example.com/a_b/%5Fc%5F%28d%29%2A%5Be%5D?q=%40x%20y%5Cz%22%3C%3E%7E%60"; got != want {
		t.Errorf("markdown: got  %s\nwant %s", got, want)
	}
	if got, want := (format{}).URL(address), strings.NewReplacer("@", "%40", " ", "%20").Replace(address); got != want {
		t.Errorf("text: got  %s\nwant %s", got, want)
	}
}

func TestEscape(t *testing.T) {
	tests := []struct{ in, inside, start string }{
		{"order_created_v2", "order_created_v2", "order_created_v2"},
		{"_a_b_ c", "＿a_b＿ c", "＿a_b＿ c"},
		{"__init__", "＿＿init＿＿", "＿＿init＿＿"},
		{"主题_a", "主题＿a", "主题＿a"},
		{"a@b.example.com", "a＠b.example.com", "a＠b.example.com"},
		{"[a](b)[c][d]", "[a]（b)[c]［d]", "［a]（b)[c]［d]"},
		{"10.0.0.8:9100", "10.0.0.8:9100", "10.0.0.8:9100"},
		{"1. x", "1. x", "1． x"},
		{"-5", "-5", "－5"},
		{"*x* ~y~ `z` <b> \\", "＊x＊ ～y～ ｀z｀ ＜b> ＼", "＊x＊ ～y～ ｀z｀ ＜b> ＼"},
		{"", "", ""},
	}
	l := format{markdown: true}
	for _, tt := range tests {
		if got := l.escape(tt.in); got != tt.inside {
			t.Errorf("%q inside a line: got %q, want %q", tt.in, got, tt.inside)
		}
		if got := l.escapeLine(tt.in); got != tt.start {
			t.Errorf("%q at the start of a line: got %q, want %q", tt.in, got, tt.start)
		}
	}
	if got := (format{}).escapeLine("> *a* @b [c](d)"); got != "> *a* ＠b [c](d)" {
		t.Errorf("text: got %q, want only the mention replaced", got)
	}
}

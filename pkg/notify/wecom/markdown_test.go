package wecom

import "testing"

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"plain":                 "plain",
		"<@all> <font>":         "＜@all> ＜font>",
		"a `b` c":               "a 'b' c",
		"a ** b * c":            "a ＊＊ b * c",
		"***":                   "＊＊＊",
		"order_created_*":       "order_created_＊",
		"*.example.com":         "＊.example.com",
		"[x](http://a) [y] (z)": "[x]（http://a) [y] (z)",
		"> not a quote":         "> not a quote",
	} {
		if got := Escape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestEscapeLine(t *testing.T) {
	for in, want := range map[string]string{"> a": "＞ a", "# a": "＃ a", "## a": "＃# a", "a > b # c": "a > b # c", "*": "＊", "><": "＞＜"} {
		if got := EscapeLine(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

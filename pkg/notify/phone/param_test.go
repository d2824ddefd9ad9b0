package phone

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanParam(t *testing.T) {
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"orders", 20, "orders"},
		{"订单消费积压", 6, "订单消费积压"},
		{"订单消费积压了", 6, "订单消费积压"},
		{"a订单消费积压", 6, "a订单消费积"},
		{"磁盘👍👍👍", 3, "磁盘👍"},
		{"one two", 4, "one"}, // no space at the end
		{"", 6, "-"},
		{" \r\n\t ", 6, "-"},
		{"【紧急】¥100 ★☞✓※", 20, "紧急100"},
		{"two\r\nlines\x00 \u200e here", 20, "two lines here"},
		{"bad \xff bytes", 20, "bad bytes"},
		{"see https://example.com/a?b=c#d now", 20, "see now"},
		{"详情https://example.com/a请看", 20, "详情请看"},
		{"WWW.example.com", 20, "-"},
		{"a www.example.com b http://x c", 20, "a b c"},
		{"ftp://x and kafka+ssl://y", 20, "and"},
		{"://", 20, "-"},
		{"10.0.0.5", 20, "10.0.0.5"},
		{strings.Repeat("压", 5000), 20, strings.Repeat("压", 20)},
	} {
		if got := cleanParam(tt.in, tt.limit); got != tt.want {
			t.Errorf("%.40q in %d: %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

func FuzzCleanParam(f *testing.F) {
	for _, s := range []string{"订单", "http://x", "www.", "【a】", "\xff", "a\u0130www.b"} {
		f.Add(s, 6)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 1 + limit&63
		got := cleanParam(s, limit)
		if got == "" || utf8.RuneCountInString(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("%q in %d: %q", s, limit, got)
		}
		if strings.ContainsAny(got, "【】¥★☞✓※\r\n\x00") || strings.Contains(got, "://") || strings.Contains(strings.ToLower(got), "www.") {
			t.Fatalf("%q: %q has what templates refuse", s, got)
		}
	})
}

package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTruncate(t *testing.T) {
	tests := []struct {
		s     string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "…"},
		{"abcdef", 5, "ab…"},
		{"中文字", 9, "中文字"},
		{"中文字", 8, "中…"}, // 3 + 3 bytes; 文 would make 9
		{"中文字", 5, "…"},
		{"中文字", 2, ""},
		{"ab", 1, "a"},
		{"a", 0, ""},
		{"a", -1, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q to %d", tt.s, tt.limit), func(t *testing.T) {
			if got := Truncate(tt.s, tt.limit); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCleanLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":               "plain text",
		" a \r\n\tb\u2028c\u3000 ": "a b c",
		"a\x00\x1b[31mb\x7f":       "a[31mb",
		"a\u202eb\u2066c\u200fd":   "abcd",
		"中\xff文":                   "中文",
		"":                         "",
		" ":                        "",
		"\n\n":                     "",
		"a  b":                     "a b",
	} {
		t.Run(in, func(t *testing.T) {
			if got := CleanLine(in, 100); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if got, want := CleanLine(strings.Repeat("中\n", 1000), 10), "中 中…"; got != want {
		t.Errorf("CleanLine of a long text = %q, want %q", got, want)
	}
}

func TestCleanText(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		" \r\n\t a\tb \n":              "a b",
		"a\r\nb\rc\u2028d\u2029e\n\nf": "a\nb\nc\nd\ne\n\nf",
		"a\x00\x1b[31m\x7fb\xff":       "a[31mb",
		"中文 👍\u00a0":                   "中文 👍",
	} {
		t.Run(in, func(t *testing.T) {
			if got := CleanText(in); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

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
		t.Run(fmt.Sprintf("%.40s", in), func(t *testing.T) {
			if got := PlainLinks(in); got != want {
				t.Errorf("got %.40q, want %.40q", got, want)
			}
		})
	}
}

func TestReplaceBetween(t *testing.T) {
	upper := func(s string) string { return "(" + strings.ToUpper(s) + ")" }
	for in, want := range map[string]string{
		"":                      "",
		"a <@b> c <@d>":         "a (B) c (D)",
		"a <@b":                 "a <@b",
		"a> <@>":                "a> ()",
		"<@a> <@ is not closed": "(A) <@ is not closed",
	} {
		t.Run(in, func(t *testing.T) {
			if got := ReplaceBetween(in, "<@", ">", upper); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// numberedHead is a head with the number of the part.
func numberedHead(part, parts int) string {
	if parts == 1 {
		return "head"
	}
	return fmt.Sprintf("head %d/%d", part, parts)
}

func TestPack(t *testing.T) {
	tests := []struct {
		name   string
		limit  int
		blocks []string
		want   []string
	}{
		{"no blocks", 10, nil, []string{"head"}},
		{"exactly full", 10, []string{"ab", "cd"}, []string{"head\nab\ncd"}},
		{"one byte over", 13, []string{"abcd", "efgh"}, []string{"head 1/2\nabcd", "head 2/2\nefgh"}},
		{"split between blocks", 12, []string{"ab", "cd", "ef"}, []string{"head 1/3\nab", "head 2/3\ncd", "head 3/3\nef"}},
		{"a block of several lines stays together", 16, []string{"aaaa", "b\nc\nd", "e"}, []string{"head 1/2\naaaa", "head 2/2\nb\nc\nd\ne"}},
		{"a block too long for a part is split between lines", 14, []string{"aa", "bbbb\ncccc\ndd"}, []string{"head 1/4\naa", "head 2/4\nbbbb", "head 3/4\ncccc", "head 4/4\ndd"}},
		{"a line that just fits", 14, []string{"中文字"}, []string{"head\n中文字"}},
		{"a line too long is truncated", 13, []string{"中文字", "x"}, []string{"head\n中…\nx"}},
		{"the marker counts towards the limit", 13, []string{"中文字", "xx"}, []string{"head 1/2\n…", "head 2/2\nxx"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Pack(tt.limit, numberedHead, tt.blocks); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestPackManyParts packs more parts than the first attempt assumes, whose markers
// are longer.
func TestPackManyParts(t *testing.T) {
	var blocks []string
	for i := range 250 {
		blocks = append(blocks, fmt.Sprintf("%03d", i))
	}
	parts := Pack(16, numberedHead, blocks) // room for "head 123/250\n000"
	if len(parts) != 250 || parts[0] != "head 1/250\n000" || parts[122] != "head 123/250\n122" {
		t.Errorf("got %d parts, the first %q and the 123rd %q; want 250, %q and %q", len(parts), parts[0], parts[122], "head 1/250\n000", "head 123/250\n122")
	}
}

func TestPackWithoutHead(t *testing.T) {
	got := Pack(5, func(part, parts int) string { return "" }, []string{"ab", "cd", "ef"})
	if want := []string{"ab\ncd", "ef"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzPack(f *testing.F) {
	f.Add("a|b\nb|中文|", 24)
	f.Add(strings.Repeat("中文字|", 90), 40)
	f.Add(strings.Repeat("x", 500)+"|y", 64)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		text = strings.ToValidUTF8(text, "?")
		const headSize = 20
		limit = headSize + max(limit%4096, 0)
		blocks := strings.Split(text, "|")
		for i := range blocks {
			blocks[i] = fmt.Sprintf("%d:", i) + blocks[i]
		}
		parts := Pack(limit, numberedHead, blocks)
		whole := ""
		for i, part := range parts {
			if len(part) > limit || !utf8.ValidString(part) {
				t.Errorf("part %d: got %d bytes, valid UTF-8 %v; want at most %d, valid", i, len(part), utf8.ValidString(part), limit)
			}
			head := numberedHead(i+1, len(parts))
			if !strings.HasPrefix(part, head) {
				t.Errorf("part %d: got %q, want the prefix %q", i+1, part, head)
			}
			whole += strings.TrimPrefix(part, head)
		}
		// Every block is in the parts, in order. A truncated line ends in an ellipsis.
		for _, block := range blocks {
			for line := range strings.SplitSeq(block, "\n") {
				if strings.HasPrefix(whole, "\n"+line) {
					whole = whole[1+len(line):]
					continue
				}
				got, rest, found := strings.Cut(whole, "…")
				if got = strings.TrimPrefix(got, "\n"); !found || !strings.HasPrefix(line, got) {
					t.Fatalf("got %q, want it to start with %q", whole, line)
				}
				whole = rest
			}
		}
		if whole != "" {
			t.Errorf("after the last block: got %q, want nothing", whole)
		}
	})
}

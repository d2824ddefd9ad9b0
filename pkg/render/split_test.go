package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCut(t *testing.T) {
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
		if got := Truncate(tt.s, tt.limit); got != tt.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.s, tt.limit, got, tt.want)
		}
	}
}

func TestClean(t *testing.T) {
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
		if got := CleanLine(in, 100); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := CleanLine(strings.Repeat("中\n", 1000), 10); got != "中 中…" {
		t.Errorf("cut: %q", got)
	}
}

func numbered(part, parts int) string {
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
		{"a block too long for a part is broken between lines", 14, []string{"aa", "bbbb\ncccc\ndd"}, []string{"head 1/4\naa", "head 2/4\nbbbb", "head 3/4\ncccc", "head 4/4\ndd"}},
		{"a line that just fits", 14, []string{"中文字"}, []string{"head\n中文字"}},
		{"a line too long is cut", 13, []string{"中文字", "x"}, []string{"head\n中…\nx"}},
		{"the cut reckons with the marker", 13, []string{"中文字", "xx"}, []string{"head 1/2\n…", "head 2/2\nxx"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Pack(tt.limit, numbered, tt.blocks); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// The marker of ten and more parts is longer than the one that the first attempt
// reckons with.
func TestPackManyParts(t *testing.T) {
	var blocks []string
	for i := range 250 {
		blocks = append(blocks, fmt.Sprintf("%03d", i))
	}
	parts := Pack(16, numbered, blocks) // room for "head 123/250\n000"
	if len(parts) != 250 || parts[0] != "head 1/250\n000" || parts[122] != "head 123/250\n122" {
		t.Errorf("%d parts, %q … %q", len(parts), parts[0], parts[122])
	}
}

func TestPackWithoutHead(t *testing.T) {
	got := Pack(5, func(part, parts int) string { return "" }, []string{"ab", "cd", "ef"})
	if want := []string{"ab\ncd", "ef"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzPack(f *testing.F) {
	f.Add("a|b\nb|中文|", 24)
	f.Add(strings.Repeat("中文字|", 90), 40)
	f.Add(strings.Repeat("x", 500)+"|y", 64)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		text = strings.ToValidUTF8(text, "?")
		const room = 20 // bytes that head and marker need
		limit = room + max(limit%4096, 0)
		blocks := strings.Split(text, "|")
		for i := range blocks {
			blocks[i] = fmt.Sprintf("%d:", i) + blocks[i]
		}
		parts := Pack(limit, numbered, blocks)
		whole := ""
		for i, part := range parts {
			if len(part) > limit || !utf8.ValidString(part) {
				t.Errorf("part %d has %d bytes of %d, valid %v", i, len(part), limit, utf8.ValidString(part))
			}
			head := numbered(i+1, len(parts))
			if !strings.HasPrefix(part, head) {
				t.Errorf("part %d starts %q, want %q", i+1, part, head)
			}
			whole += strings.TrimPrefix(part, head)
		}
		// Every block is there, in order; what was cut ends in an ellipsis.
		for _, block := range blocks {
			for line := range strings.SplitSeq(block, "\n") {
				if strings.HasPrefix(whole, "\n"+line) {
					whole = whole[1+len(line):]
					continue
				}
				got, rest, found := strings.Cut(whole, "…")
				if got = strings.TrimPrefix(got, "\n"); !found || !strings.HasPrefix(line, got) {
					t.Fatalf("%q is not next in %q", line, whole)
				}
				whole = rest
			}
		}
		if whole != "" {
			t.Errorf("%q is too much", whole)
		}
	})
}

func TestLines(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		" \r\n\t a\tb \n":              "a b",
		"a\r\nb\rc\u2028d\u2029e\n\nf": "a\nb\nc\nd\ne\n\nf",
		"a\x00\x1b[31m\x7fb\xff":       "a[31mb",
		"中文 👍\u00a0":                   "中文 👍",
	} {
		if got := CleanText(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

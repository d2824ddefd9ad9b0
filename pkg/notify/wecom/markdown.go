package wecom

import "strings"

// Escape makes untrusted text harmless inside a line of markdown. WeCom documents
// no escape character, so what would be markup is replaced by characters that look
// alike: "<" opens mentions and colours, "`" code, "**" bold, "](" a link. A star
// at an end of the text would be one more beside those of bold text.
func Escape(s string) string {
	if !strings.ContainsAny(s, "<`*]") {
		return s
	}
	s = strings.ReplaceAll(s, "<", "＜")
	s = strings.ReplaceAll(s, "`", "'")
	s = strings.ReplaceAll(s, "**", "＊＊")
	s = strings.ReplaceAll(s, "](", "]（")
	if rest, star := strings.CutPrefix(s, "*"); star {
		s = "＊" + rest
	}
	if rest, star := strings.CutSuffix(s, "*"); star {
		s = rest + "＊"
	}
	return s
}

// EscapeLine is Escape for text at the start of a line, where ">" is a quote and
// "#" a heading.
func EscapeLine(s string) string {
	switch {
	case strings.HasPrefix(s, ">"):
		s = "＞" + s[1:]
	case strings.HasPrefix(s, "#"):
		s = "＃" + s[1:]
	}
	return Escape(s)
}

package wecomapp

import (
	"strings"

	"tocsin/pkg/render"
)

// escape makes untrusted text harmless inside a line. WeCom documents no escape
// character, so what would be markup is replaced by characters that look alike:
// "<" opens links, mentions and colours, and in markdown "`" code, "**" bold and
// "](" a link.
func (l layout) escape(s string) string {
	if !strings.ContainsAny(s, "<`*]") {
		return s
	}
	s = strings.ReplaceAll(s, "<", "＜")
	if !l.markdown {
		return s
	}
	s = strings.ReplaceAll(s, "`", "'")
	s = strings.ReplaceAll(s, "**", "＊＊")
	return strings.ReplaceAll(s, "](", "]（")
}

// escapeLine is escape for text at the start of a line, where ">" is a quote and
// "#" a heading.
func (l layout) escapeLine(s string) string {
	switch {
	case !l.markdown:
	case strings.HasPrefix(s, ">"):
		s = "＞" + s[1:]
	case strings.HasPrefix(s, "#"):
		s = "＃" + s[1:]
	}
	return l.escape(s)
}

// escapeValue is what a user's templates see of a label or an annotation: one
// line that can stand anywhere.
func (l layout) escapeValue(s string) string { return l.escapeLine(render.Clean(s, maxContent)) }

// escapeURL keeps an address from ending the link it stands in.
func escapeURL(s string) string {
	s = render.Clean(s, maxContent)
	if !strings.ContainsAny(s, "()<>*` \"'") {
		return s
	}
	return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "*", "%2A", "`", "%60", " ", "%20", `"`, "%22", "'", "%27").Replace(s)
}

// tidy leaves nothing in a user's text that the vendor refuses: control
// characters and what is not UTF-8 would be encoded as \uxxxx (error 40033).
func tidy(s string) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\t", " ").Replace(s)
	s = strings.Map(func(r rune) rune {
		if r != '\n' && (r < ' ' || r == 0x7F) {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

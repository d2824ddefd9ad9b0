package dingtalk

import (
	"fmt"
	"strings"

	"tocsin/pkg/render"
)

// escape makes untrusted text harmless inside a line. DingTalk documents no
// escape character, so what would be markup is replaced by its full-width
// sibling: "@" opens mentions, and in markdown "<" opens tags, "`" code, "*" and
// "~" emphasis, "](" and "][" links, and a backslash disarms what follows. "_"
// is emphasis only at the edge of a word, and order_created stays as it is.
func (l layout) escape(s string) string {
	if l.bare {
		s = strings.ReplaceAll(s, "://", "：//") // no link in any client
	}
	if !strings.ContainsAny(s, "@<`*~]\\_") {
		return s
	}
	if !l.markdown {
		return strings.ReplaceAll(s, "@", wide('@'))
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := range len(s) {
		c := s[i]
		switch {
		case strings.IndexByte("@<`*~\\", c) >= 0, c == '_' && !inWord(s, i),
			(c == '(' || c == '[') && i > 0 && s[i-1] == ']':
			b.WriteString(wide(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// inWord tells whether the byte at i stands between letters or digits of ASCII.
func inWord(s string, i int) bool {
	return i > 0 && isWord(s[i-1]) && i+1 < len(s) && isWord(s[i+1])
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// escapeLine is escape for text at the start of a line, where headings, quotes,
// lists, rules and the addresses of links begin.
func (l layout) escapeLine(s string) string {
	if !l.markdown || s == "" {
		return l.escape(s)
	}
	if strings.IndexByte(">#-+=[", s[0]) >= 0 {
		return wide(s[0]) + l.escape(s[1:])
	}
	if rest := strings.TrimLeft(s, "0123456789"); rest != s && rest != "" && (rest[0] == '.' || rest[0] == ')') && (len(rest) == 1 || rest[1] == ' ') {
		return s[:len(s)-len(rest)] + wide(rest[0]) + l.escape(rest[1:])
	}
	return l.escape(s)
}

// wide returns the full-width sibling of a sign of ASCII.
func wide(c byte) string { return string(rune(c) - '!' + '！') }

// escapeValue is what a user's templates see of a label or an annotation: one
// line that can stand anywhere.
func (l layout) escapeValue(s string) string { return l.escapeLine(render.CleanLine(s, maxBody)) }

// escapeURL keeps an address from mentioning anybody and, in markdown, from
// ending the link that it stands in.
func (l layout) escapeURL(s string) string {
	marks := "@ "
	if l.markdown {
		marks = "@ ()<>[]*_`~\\\""
	}
	s = render.CleanLine(s, maxBody)
	if !strings.ContainsAny(s, marks) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; strings.IndexByte(marks, c) >= 0 && !(c == '_' && inWord(s, i)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

package dingtalk

import (
	"fmt"
	"strings"

	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

// format is the dialect of one of the two types of message. A text has no markup.
// Markdown is the part that DingTalk documents for every client: heading, bold,
// quote and link; colors and tables are not.
type format struct {
	markdown bool
	// noLinks leaves links out, for a message that DingTalk found unsafe.
	noLinks bool
}

var _ chat.Dialect = format{}

func (f format) Lead(text string) string { return f.line(f.escapeLine(text)) }

func (f format) Item(_ *render.Document, item render.Item) string {
	line := f.escape(item.Title)
	if f.markdown && line != "" {
		line = "**" + line + "**"
	}
	if item.Headline != "" {
		line += " " + f.escape(item.Headline)
	}
	return f.line(line)
}

// Field implements chat.Dialect. In markdown, fields are a quote, which a blank line
// ends.
func (f format) Field(text string, nested bool) string {
	indent := ""
	switch {
	case f.markdown:
		indent = "> "
	case nested:
		indent = "  "
	}
	return f.line(indent + f.escapeLine(text))
}

func (f format) Note(text string) string { return f.line(f.escapeLine(text)) }

// Links implements chat.Dialect. A text shows the addresses, one on a line.
func (f format) Links(doc *render.Document, links []render.Link) string {
	if f.noLinks {
		return ""
	}
	out, separator := make([]string, len(links)), "\n"
	if f.markdown {
		separator = " · "
	}
	for i, l := range links {
		if f.markdown {
			out[i] = "[" + f.escape(l.Name) + "](" + l.URL + ")"
		} else {
			out[i] = l.Name + doc.Colon + l.URL
		}
	}
	return strings.Join(out, separator)
}

func (f format) Value(s string) string { return f.escapeLine(render.CleanLine(s, maxBody)) }

// URL keeps an address from mentioning people and, in markdown, from ending its
// link.
func (f format) URL(s string) string {
	special := "@ "
	if f.markdown {
		special = "@ ()<>[]*_`~\\\""
	}
	s = render.CleanLine(s, maxBody)
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; strings.IndexByte(special, c) >= 0 && !(c == '_' && inWord(s, i)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// head returns the lines that every part starts with. mention follows the title of
// the first part.
func (f format) head(doc *render.Document, mention string) func(part, parts int) string {
	title := f.escape(doc.Title)
	return func(part, parts int) string {
		head := title + chat.Marker(part, parts)
		if f.markdown {
			head = "#### " + head
		}
		if part == 1 && mention != "" {
			head += "\n" + f.line(mention)
		}
		return head
	}
}

// line ends a line with two spaces: markdown turns a bare line break into a space.
func (f format) line(s string) string {
	if !f.markdown || s == "" {
		return s
	}
	return s + "  "
}

// endLines ends all lines but the last as line does.
func (f format) endLines(text string) string {
	if !f.markdown {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines[:len(lines)-1] {
		lines[i] = f.line(strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

// escape makes untrusted text harmless inside a line. DingTalk documents no escape
// character, so markup is replaced by its full-width forms: "@" opens mentions, and
// in markdown "<" opens tags, "`" code, "*" and "~" emphasis, "](" and "][" links,
// and a backslash escapes what follows. "_" is emphasis only at the edge of a word:
// order_created stays as it is.
func (f format) escape(s string) string {
	if f.noLinks {
		s = strings.ReplaceAll(s, "://", "：//") // a link in no client
	}
	if !strings.ContainsAny(s, "@<`*~]\\_") {
		return s
	}
	if !f.markdown {
		return strings.ReplaceAll(s, "@", fullWidth('@'))
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := range len(s) {
		c := s[i]
		switch {
		case strings.IndexByte("@<`*~\\", c) >= 0, c == '_' && !inWord(s, i),
			(c == '(' || c == '[') && i > 0 && s[i-1] == ']':
			b.WriteString(fullWidth(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escapeLine is escape for text at the start of a line, where headings, quotes,
// lists, rules and reference links begin.
func (f format) escapeLine(s string) string {
	if !f.markdown || s == "" {
		return f.escape(s)
	}
	if strings.IndexByte(">#-+=[", s[0]) >= 0 {
		return fullWidth(s[0]) + f.escape(s[1:])
	}
	if rest := strings.TrimLeft(s, "0123456789"); rest != s && rest != "" && (rest[0] == '.' || rest[0] == ')') && (len(rest) == 1 || rest[1] == ' ') {
		return s[:len(s)-len(rest)] + fullWidth(rest[0]) + f.escape(rest[1:])
	}
	return f.escape(s)
}

// inWord reports whether the byte at i is between ASCII letters or digits.
func inWord(s string, i int) bool {
	return i > 0 && isWord(s[i-1]) && i+1 < len(s) && isWord(s[i+1])
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// fullWidth returns the full-width form of an ASCII character.
func fullWidth(c byte) string { return string(rune(c) - '!' + '！') }

// cut shortens one line to at most limit bytes. In markdown, a link is kept whole or
// left out, and code and bold are closed.
func (f format) cut(line string, limit int) string {
	if !f.markdown {
		return render.Truncate(line, limit)
	}
	const closing = "`***"
	s := render.Truncate(line, max(limit-len(closing), 0))
	if open := strings.LastIndexByte(s, '['); open >= 0 {
		name, rest, _ := strings.Cut(line[open:], "]")
		end := strings.IndexByte(rest, ')')
		if strings.HasPrefix(rest, "(") && open+len(name)+len("]")+end+len(")…") > len(s) {
			s = s[:open] + "…"
		}
	}
	bold := strings.TrimPrefix(s, "* ") // of a list
	for _, sign := range []string{"`", "**", "*"} {
		if strings.Count(bold, sign)%2 == 1 {
			s += sign
		}
		bold = strings.ReplaceAll(bold, sign, "")
	}
	return s
}

// preview returns a text without the markup that this package writes. A link shows
// its address.
func (f format) preview(text string) string {
	if !f.markdown {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.TrimPrefix(line, "#### ")
		line, quoted := strings.CutPrefix(line, "> ")
		line = render.PlainLinks(strings.ReplaceAll(line, "**", ""))
		if quoted {
			line = "  " + line
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

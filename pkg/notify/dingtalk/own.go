package dingtalk

import (
	"strings"

	"tocsin/pkg/render"
)

// packText lays a user's own text out, breaking it between lines. A line that is
// longer than a message is cut, and its markup closed.
func (l layout) packText(text, mention string, limit int) []string {
	head := func(part, parts int) string {
		head := strings.TrimSpace(marker(part, parts))
		if part == 1 && mention != "" {
			head = strings.TrimSpace(mention + " " + head)
		}
		return l.line(head)
	}
	lines := strings.Split(text, "\n")
	room := limit - len(head(1, maxBody)) - 1
	for i, line := range lines {
		if len(line) > room {
			lines[i] = l.cut(line, room)
		}
	}
	return render.Pack(limit, head, lines)
}

// tidy leaves no control characters in a user's text, and makes every line of it
// a line of its own.
func (l layout) tidy(s string) string {
	s = render.CleanText(s)
	if !l.markdown {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if i+1 < len(lines) {
			lines[i] = l.line(strings.TrimRight(line, " "))
		}
	}
	return strings.Join(lines, "\n")
}

// cut shortens one line of markdown to at most limit bytes: a link is kept whole
// or left out, and code and bold are closed.
func (l layout) cut(line string, limit int) string {
	if !l.markdown {
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

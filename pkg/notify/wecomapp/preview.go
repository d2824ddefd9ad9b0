package wecomapp

import "strings"

// preview returns a message as its reader sees it: without the markup that this
// package writes. A link shows its address.
func (l layout) preview(content string) string {
	if !l.markdown {
		return anchors(content)
	}
	lines := strings.Split(content, "\n")
	for i, line := range lines {
		line, quoted := strings.CutPrefix(line, "> ")
		line = strings.ReplaceAll(line, "**", "")
		line = strings.ReplaceAll(line, "</font>", "")
		for _, colour := range []string{"info", "comment", "warning"} {
			line = strings.ReplaceAll(line, `<font color="`+colour+`">`, "")
		}
		if line = links(line); quoted {
			line = "  " + line
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

// anchors writes <a href="address">name</a> as name: address.
func anchors(s string) string {
	var b strings.Builder
	for {
		before, rest, opened := strings.Cut(s, `<a href="`)
		address, rest, named := strings.Cut(rest, `">`)
		name, after, closed := strings.Cut(rest, `</a>`)
		if !opened || !named || !closed {
			return b.String() + s
		}
		b.WriteString(before + name + ": " + address)
		s = after
	}
}

// links writes [name](address) as name: address.
func links(s string) string {
	var b strings.Builder
	for {
		middle := strings.Index(s, "](")
		if middle < 0 {
			return b.String() + s
		}
		start, end := strings.LastIndex(s[:middle], "["), strings.IndexByte(s[middle:], ')')
		if start < 0 || end < 0 {
			return b.String() + s
		}
		b.WriteString(s[:start] + s[start+1:middle] + ": " + s[middle+2:middle+end])
		s = s[middle+end+1:]
	}
}

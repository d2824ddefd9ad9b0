package dingtalk

import "strings"

// preview returns a text as its reader sees it: without the markup that this
// package writes. A link shows its address.
func (l layout) preview(text string) string {
	if !l.markdown {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.TrimPrefix(line, "#### ")
		line, quoted := strings.CutPrefix(line, "> ")
		line = links(strings.ReplaceAll(line, "**", ""))
		if quoted {
			line = "  " + line
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
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

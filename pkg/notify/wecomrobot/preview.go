package wecomrobot

import "strings"

// preview returns markdown as its reader sees it: without the markup that this
// package writes. A link shows its address.
func preview(markdown string) string {
	lines := strings.Split(markdown, "\n")
	for i, line := range lines {
		line, quoted := strings.CutPrefix(line, "> ")
		line = strings.ReplaceAll(line, "**", "")
		line = strings.ReplaceAll(line, "</font>", "")
		line = between(line, "<font", ">", func(string) string { return "" })
		line = between(line, "<@", ">", func(user string) string { return "@" + user + " " })
		line = links(line)
		if quoted {
			line = "  " + line
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

// between replaces what stands from open to end by what with makes of the inner
// part.
func between(s, open, end string, with func(string) string) string {
	var b strings.Builder
	for {
		before, rest, opened := strings.Cut(s, open)
		inner, after, closed := strings.Cut(rest, end)
		if !opened || !closed {
			return b.String() + s
		}
		b.WriteString(before + with(inner))
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

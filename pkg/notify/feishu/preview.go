package feishu

import (
	"html"
	"strings"
)

// preview returns markdown as its reader sees it: without the markup that this
// package writes. A link shows its address.
func preview(markdown string) string {
	s := strings.ReplaceAll(markdown, "**", "")
	s = replaceMentions(s, func(id string) string { return "@" + id + " " })
	s = links(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return html.UnescapeString(strings.Join(lines, "\n"))
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

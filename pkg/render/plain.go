package render

import "strings"

// PlainLinks writes the [name](address) of markdown as name: address, for who sees
// it as plain text.
func PlainLinks(s string) string {
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

// ReplaceBetween replaces what stands from open to end, with both, by what with
// makes of the part between them.
func ReplaceBetween(s, open, end string, with func(string) string) string {
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

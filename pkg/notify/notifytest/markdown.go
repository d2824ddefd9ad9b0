package notifytest

import "strings"

// CountMarkdown counts what a client that renders markdown and tags in angle
// brackets does not show as plain text, for Received.Markup.
func CountMarkdown(text string) map[string]int {
	count := map[string]int{
		"tags":  strings.Count(text, "<"),
		"code":  strings.Count(text, "`"),
		"bold":  strings.Count(text, "**"),
		"links": strings.Count(text, "]("),
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, ">") {
			count["quotes"]++
			line = strings.TrimSpace(line[1:])
		}
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ">") {
			count["headings"]++
		}
	}
	return count
}

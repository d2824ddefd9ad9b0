package feishu

import (
	"html"
	"strings"

	"tocsin/pkg/render"
)

// preview returns markdown as its reader sees it: without the markup that this
// package writes. A link shows its address.
func preview(markdown string) string {
	s := strings.ReplaceAll(markdown, "**", "")
	s = replaceMentions(s, func(id string) string { return "@" + id + " " })
	s = render.PlainLinks(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return html.UnescapeString(strings.Join(lines, "\n"))
}

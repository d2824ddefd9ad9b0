package wecom

import (
	"strings"

	"tocsin/pkg/render"
)

// Preview returns markdown as its reader sees it: without the markup that the
// channels write. A link shows its address.
func Preview(markdown string) string {
	lines := strings.Split(markdown, "\n")
	for i, line := range lines {
		line, quoted := strings.CutPrefix(line, "> ")
		line = strings.ReplaceAll(line, "**", "")
		line = strings.ReplaceAll(line, "</font>", "")
		line = render.ReplaceBetween(line, "<font", ">", func(string) string { return "" })
		line = render.ReplaceBetween(line, "<@", ">", func(user string) string { return "@" + user + " " })
		line = render.PlainLinks(line)
		if quoted {
			line = "  " + line
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

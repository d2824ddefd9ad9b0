package dingtalk

import (
	"strings"

	"tocsin/pkg/render"
)

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
		line = render.PlainLinks(strings.ReplaceAll(line, "**", ""))
		if quoted {
			line = "  " + line
		}
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(lines, "\n")
}

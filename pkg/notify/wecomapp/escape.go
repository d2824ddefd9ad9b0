package wecomapp

import (
	"strings"

	"tocsin/pkg/notify/wecom"
	"tocsin/pkg/render"
)

// escape makes untrusted text harmless inside a line. In a message of text only
// "<" means something: it opens links.
func (l layout) escape(s string) string {
	if !l.markdown {
		return strings.ReplaceAll(s, "<", "＜")
	}
	return wecom.Escape(s)
}

// escapeLine is escape for text at the start of a line.
func (l layout) escapeLine(s string) string {
	if !l.markdown {
		return l.escape(s)
	}
	return wecom.EscapeLine(s)
}

// escapeValue is what a user's templates see of a label or an annotation: one
// line that can stand anywhere.
func (l layout) escapeValue(s string) string { return l.escapeLine(render.CleanLine(s, maxContent)) }

// escapeURL keeps an address from ending the link it stands in.
func escapeURL(s string) string {
	s = render.CleanLine(s, maxContent)
	if !strings.ContainsAny(s, "()<>*` \"'") {
		return s
	}
	return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "*", "%2A", "`", "%60", " ", "%20", `"`, "%22", "'", "%27").Replace(s)
}

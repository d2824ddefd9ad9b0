package wecom

import (
	"strings"

	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

// Markdown is the part of WeCom's markdown that every client shows: bold, quote,
// link, and the colors info (green), comment (grey) and warning (orange). It is a
// chat.Dialect except for Value and URL, which depend on the channel's limits.
type Markdown struct{}

// Lead implements chat.Dialect.
func (Markdown) Lead(text string) string { return EscapeLine(text) }

// Item implements chat.Dialect.
func (Markdown) Item(_ *render.Document, item render.Item) string {
	title := Escape(item.Title)
	switch {
	case item.Resolved:
		title = font("info", title)
	case item.Severity == render.Critical:
		title = font("warning", title)
	}
	line := "**" + title + "**"
	if item.Headline != "" {
		line += " " + Escape(item.Headline)
	}
	return line
}

// Field implements chat.Dialect. Fields are a quote, which a blank line ends.
func (Markdown) Field(text string, _ bool) string { return "> " + EscapeLine(text) }

// Note implements chat.Dialect.
func (Markdown) Note(text string) string { return font("comment", Escape(text)) }

// Links implements chat.Dialect.
func (Markdown) Links(_ *render.Document, links []render.Link) string {
	out := make([]string, len(links))
	for i, l := range links {
		out[i] = "[" + Escape(l.Name) + "](" + l.URL + ")"
	}
	return strings.Join(out, " · ")
}

// Head returns the first line of every part of a message.
func (Markdown) Head(doc *render.Document) func(part, parts int) string {
	color := "warning"
	switch {
	case doc.Resolved:
		color = "info"
	case doc.Severity == render.Info:
		color = "comment"
	}
	title := Escape(doc.Title)
	return func(part, parts int) string {
		return "**" + font(color, title+chat.Marker(part, parts)) + "**"
	}
}

// Preview returns markdown without the markup that the channels write. A link shows
// its address.
func (Markdown) Preview(markdown string) string {
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

func font(color, text string) string {
	return `<font color="` + color + `">` + text + `</font>`
}

// Escape makes untrusted text harmless inside a line of markdown. WeCom documents
// no escape character, so markup is replaced by characters that look alike: "<"
// opens mentions and colors, "`" code, "**" bold, "](" a link. A star at either end
// of the text would join those of bold text around it.
func Escape(s string) string {
	if !strings.ContainsAny(s, "<`*]") {
		return s
	}
	s = strings.ReplaceAll(s, "<", "＜")
	s = strings.ReplaceAll(s, "`", "'")
	s = strings.ReplaceAll(s, "**", "＊＊")
	s = strings.ReplaceAll(s, "](", "]（")
	if rest, star := strings.CutPrefix(s, "*"); star {
		s = "＊" + rest
	}
	if rest, star := strings.CutSuffix(s, "*"); star {
		s = rest + "＊"
	}
	return s
}

// EscapeLine is Escape for text at the start of a line, where ">" is a quote and "#"
// a heading.
func EscapeLine(s string) string {
	switch {
	case strings.HasPrefix(s, ">"):
		s = "＞" + s[1:]
	case strings.HasPrefix(s, "#"):
		s = "＃" + s[1:]
	}
	return Escape(s)
}

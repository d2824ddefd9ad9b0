package wecomapp

import (
	"fmt"
	"strings"

	"tocsin/pkg/render"
)

// layout writes documents in one of the two types of message. A text has links
// (<a href>) for its only markup. The markdown is the part that every client
// shows: bold, quote, link, and the colours info (green), comment (grey) and
// warning (orange). Markup never spans lines, so that a break between lines
// cannot leave it open.
type layout struct{ markdown bool }

// pack lays a document out in messages of at most limit bytes.
func (l layout) pack(doc *render.Document, limit int) []string {
	return render.Pack(limit, l.head(doc), l.blocks(doc))
}

// whole is the document as one text, however long.
func (l layout) whole(doc *render.Document) string {
	return l.head(doc)(1, 1) + "\n" + strings.Join(l.blocks(doc), "\n")
}

// packText lays a user's own text out, breaking it between lines.
func packText(text string, limit int) []string {
	return render.Pack(limit, func(part, parts int) string { return strings.TrimSpace(marker(part, parts)) }, strings.Split(text, "\n"))
}

// head returns the line that every part starts with.
func (l layout) head(doc *render.Document) func(part, parts int) string {
	colour := "warning"
	switch {
	case doc.Resolved:
		colour = "info"
	case doc.Severity == render.Info:
		colour = "comment"
	}
	title := l.escape(doc.Title)
	return func(part, parts int) string { return l.bold(colour, title+marker(part, parts)) }
}

func marker(part, parts int) string {
	if parts == 1 {
		return ""
	}
	return fmt.Sprintf(" (%d/%d)", part, parts)
}

// blocks returns what follows the head, in pieces between which a message can
// be split.
func (l layout) blocks(doc *render.Document) []string {
	out := make([]string, 0, len(doc.Items)+8)
	if doc.Lead != "" {
		out = append(out, l.escapeLine(doc.Lead))
	}
	if len(doc.Facts) > 0 {
		out = append(out, l.fields(doc, doc.Facts, ""))
	}
	for i, item := range doc.Items {
		block := l.name(item)
		if item.Headline != "" {
			block += " " + l.escape(item.Headline)
		}
		if len(item.Fields) > 0 {
			block += "\n" + l.fields(doc, item.Fields, "  ")
		}
		if i == 0 || len(item.Fields) > 0 {
			block = "\n" + block
		}
		out = append(out, block)
	}
	for _, note := range doc.Notes {
		out = append(out, "\n"+l.colour("comment", l.escape(note)))
	}
	if len(doc.Links) > 0 {
		links := make([]string, len(doc.Links))
		for i, link := range doc.Links {
			links[i] = l.link(link)
		}
		out = append(out, "\n"+strings.Join(links, " · "))
	}
	return out
}

func (l layout) name(item render.Item) string {
	colour := ""
	switch {
	case item.Resolved:
		colour = "info"
	case item.Severity == render.Critical:
		colour = "warning"
	}
	return l.bold(colour, l.escape(item.Title))
}

// fields returns a line for each field. In markdown they are a quote, which a
// blank line ends; in a text they begin with indent.
func (l layout) fields(doc *render.Document, fields []render.Field, indent string) string {
	if l.markdown {
		indent = "> "
	}
	lines := make([]string, len(fields))
	for i, f := range fields {
		lines[i] = indent + l.escapeLine(f.Name+doc.Colon+f.Value)
	}
	return strings.Join(lines, "\n")
}

func (l layout) bold(colour, s string) string {
	if !l.markdown {
		return s
	}
	return "**" + l.colour(colour, s) + "**"
}

func (l layout) colour(colour, s string) string {
	if !l.markdown || colour == "" {
		return s
	}
	return `<font color="` + colour + `">` + s + `</font>`
}

func (l layout) link(link render.Link) string {
	if l.markdown {
		return "[" + l.escape(link.Name) + "](" + escapeURL(link.URL) + ")"
	}
	return `<a href="` + escapeURL(link.URL) + `">` + l.escape(link.Name) + `</a>`
}

package wecomrobot

import (
	"errors"
	"fmt"
	"strings"

	"tocsin/pkg/notify/wecom"
	"tocsin/pkg/render"
)

// The markup used is the part of WeCom's markdown that every client shows: bold,
// quote, link, and the three colours info (green), comment (grey) and warning
// (orange).

var errEmpty = errors.New("it prints nothing")

// pack lays a document out in messages of at most limit bytes. Markup never
// spans lines, so that a break between lines cannot leave it open.
func pack(doc *render.Document, inline string, limit int) []string {
	return render.Pack(limit, head(doc), blocks(doc, inline))
}

// whole is the document as one text, however long.
func whole(doc *render.Document) string {
	return head(doc)(1, 1) + "\n" + strings.Join(blocks(doc, ""), "\n")
}

// head returns the line that every part starts with.
func head(doc *render.Document) func(part, parts int) string {
	colour := "warning"
	switch {
	case doc.Resolved:
		colour = "info"
	case doc.Severity == render.Info:
		colour = "comment"
	}
	title := wecom.Escape(doc.Title)
	return func(part, parts int) string {
		return "**" + font(colour, title+marker(part, parts)) + "**"
	}
}

func marker(part, parts int) string {
	if parts == 1 {
		return ""
	}
	return fmt.Sprintf(" (%d/%d)", part, parts)
}

// blocks returns what follows the head, in pieces between which a message can
// be split. A blank line ends a quote.
func blocks(doc *render.Document, inline string) []string {
	out := make([]string, 0, len(doc.Items)+8)
	if doc.Lead != "" {
		out = append(out, wecom.EscapeLine(doc.Lead))
	}
	if len(doc.Facts) > 0 {
		out = append(out, quote(doc, doc.Facts))
	}
	for i, item := range doc.Items {
		block := name(item)
		if item.Headline != "" {
			block += " " + wecom.Escape(item.Headline)
		}
		if len(item.Fields) > 0 {
			block += "\n" + quote(doc, item.Fields)
		}
		if i == 0 || len(item.Fields) > 0 {
			block = "\n" + block
		}
		out = append(out, block)
	}
	for _, note := range doc.Notes {
		out = append(out, "\n"+font("comment", wecom.Escape(note)))
	}
	if len(doc.Links) > 0 {
		links := make([]string, len(doc.Links))
		for i, l := range doc.Links {
			links[i] = "[" + wecom.Escape(l.Name) + "](" + escapeURL(l.URL) + ")"
		}
		out = append(out, "\n"+strings.Join(links, " · "))
	}
	if inline != "" {
		out = append(out, "\n"+inline)
	}
	return out
}

func name(item render.Item) string {
	title := wecom.Escape(item.Title)
	switch {
	case item.Resolved:
		title = font("info", title)
	case item.Severity == render.Critical:
		title = font("warning", title)
	}
	return "**" + title + "**"
}

func quote(doc *render.Document, fields []render.Field) string {
	lines := make([]string, len(fields))
	for i, f := range fields {
		lines[i] = "> " + wecom.EscapeLine(f.Name+doc.Colon+f.Value)
	}
	return strings.Join(lines, "\n")
}

func font(colour, text string) string {
	return `<font color="` + colour + `">` + text + `</font>`
}

// packText lays a user's own text out, breaking it between lines.
func packText(text, inline string, limit int) []string {
	blocks := strings.Split(text, "\n")
	if inline != "" {
		blocks = append(blocks, inline)
	}
	return render.Pack(limit, func(part, parts int) string { return strings.TrimSpace(marker(part, parts)) }, blocks)
}

// escapeValue is what a user's templates see of a label or an annotation: one
// line that can stand anywhere.
func escapeValue(s string) string { return wecom.EscapeLine(render.CleanLine(s, maxMarkdown)) }

// escapeURL keeps an address from ending the link it stands in.
func escapeURL(s string) string {
	s = render.CleanLine(s, maxMarkdown)
	if !strings.ContainsAny(s, "()<>*` ") {
		return s
	}
	return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "*", "%2A", "`", "%60", " ", "%20").Replace(s)
}

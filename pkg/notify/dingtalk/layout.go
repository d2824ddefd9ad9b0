package dingtalk

import (
	"fmt"
	"strings"

	"tocsin/pkg/render"
)

// layout writes documents in one of the two types of message. A text has no
// markup. The markdown is the part that DingTalk documents for every client:
// heading, bold, quote and link; colours and tables are not. Markup never spans
// lines, so that a break between lines cannot leave it open.
type layout struct {
	markdown bool
	// bare leaves links out, for a content that DingTalk found unsafe.
	bare bool
}

// pack lays a document out in texts of at most limit bytes, of which the first
// mentions people.
func (l layout) pack(doc *render.Document, mention string, limit int) []string {
	return render.Pack(limit, l.head(doc, mention), l.blocks(doc))
}

// whole is the document as one text, however long.
func (l layout) whole(doc *render.Document) string {
	return l.head(doc, "")(1, 1) + "\n" + strings.Join(l.blocks(doc), "\n")
}

// head returns the lines that every part starts with. The mention follows the
// title, so that it is in the first part however many there are.
func (l layout) head(doc *render.Document, mention string) func(part, parts int) string {
	title := l.escape(doc.Title)
	return func(part, parts int) string {
		head := title + marker(part, parts)
		if l.markdown {
			head = "#### " + head
		}
		if part == 1 && mention != "" {
			head += "\n" + l.line(mention)
		}
		return head
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
func (l layout) blocks(doc *render.Document) []string {
	out := make([]string, 0, len(doc.Items)+8)
	if doc.Lead != "" {
		out = append(out, l.line(l.escapeLine(doc.Lead)))
	}
	if len(doc.Facts) > 0 {
		out = append(out, l.fields(doc, doc.Facts, ""))
	}
	for i, item := range doc.Items {
		block := l.bold(l.escape(item.Title))
		if item.Headline != "" {
			block += " " + l.escape(item.Headline)
		}
		block = l.line(block)
		if len(item.Fields) > 0 {
			block += "\n" + l.fields(doc, item.Fields, "  ")
		}
		if i == 0 || len(item.Fields) > 0 {
			block = "\n" + block
		}
		out = append(out, block)
	}
	for _, note := range doc.Notes {
		out = append(out, "\n"+l.line(l.escapeLine(note)))
	}
	if len(doc.Links) > 0 && !l.bare {
		out = append(out, "\n"+l.links(doc))
	}
	return out
}

// fields returns a line for each field. In markdown they are a quote; in a text
// they begin with indent.
func (l layout) fields(doc *render.Document, fields []render.Field, indent string) string {
	if l.markdown {
		indent = "> "
	}
	lines := make([]string, len(fields))
	for i, f := range fields {
		lines[i] = l.line(indent + l.escapeLine(f.Name+doc.Colon+f.Value))
	}
	return strings.Join(lines, "\n")
}

// links returns the links: side by side, or in a text, which shows addresses,
// one on a line.
func (l layout) links(doc *render.Document) string {
	out := make([]string, len(doc.Links))
	for i, link := range doc.Links {
		if l.markdown {
			out[i] = "[" + l.escape(link.Name) + "](" + l.escapeURL(link.URL) + ")"
		} else {
			out[i] = link.Name + doc.Colon + l.escapeURL(link.URL)
		}
	}
	if l.markdown {
		return strings.Join(out, " · ")
	}
	return strings.Join(out, "\n")
}

func (l layout) bold(s string) string {
	if !l.markdown || s == "" {
		return s
	}
	return "**" + s + "**"
}

// line ends a line in the way of markdown, in which a single line break is
// otherwise a space.
func (l layout) line(s string) string {
	if !l.markdown || s == "" {
		return s
	}
	return s + "  "
}

package slack

import (
	"fmt"
	"strings"

	"tocsin/pkg/render"
)

// The built-in text has links for its only markup (it is not sent as mrkdwn), so
// that names with * and _ in them are shown as they are.

// pack lays out what follows the title in texts of at most limit bytes.
func pack(doc *render.Doc, limit int) []string {
	return render.Pack(limit, func(int, int) string { return "" }, blocks(doc))
}

// blocks returns the pieces between which a text can be split.
func blocks(doc *render.Doc) []string {
	out := make([]string, 0, len(doc.Items)+8)
	if doc.Lead != "" {
		out = append(out, escape(doc.Lead))
	}
	if len(doc.Facts) > 0 {
		out = append(out, fields(doc, doc.Facts, ""))
	}
	for i, item := range doc.Items {
		block := "• " + escape(item.Title)
		if item.Headline != "" {
			block += doc.Colon + escape(item.Headline)
		}
		if len(item.Fields) > 0 {
			block += "\n" + fields(doc, item.Fields, "    ")
		}
		if i == 0 || len(item.Fields) > 0 {
			block = "\n" + block
		}
		out = append(out, block)
	}
	for _, note := range doc.Notes {
		out = append(out, "\n"+escape(note))
	}
	if len(doc.Links) > 0 {
		links := make([]string, len(doc.Links))
		for i, l := range doc.Links {
			links[i] = "<" + escapeURL(l.URL) + "|" + escape(l.Name) + ">"
		}
		out = append(out, "\n"+strings.Join(links, " · "))
	}
	return out
}

func fields(doc *render.Doc, fields []render.Field, indent string) string {
	lines := make([]string, len(fields))
	for i, f := range fields {
		lines[i] = indent + escape(f.Name+doc.Colon+f.Value)
	}
	return strings.Join(lines, "\n")
}

// packText lays a user's own text out, breaking it between lines.
func packText(text string, limit int) []string {
	return render.Pack(limit, func(int, int) string { return "" }, strings.Split(text, "\n"))
}

func marker(part, parts int) string {
	if parts == 1 {
		return ""
	}
	return fmt.Sprintf(" (%d/%d)", part, parts)
}

// colour is the bar beside a message.
func colour(doc *render.Doc) string {
	switch {
	case doc.Resolved:
		return "good"
	case doc.Severity == render.Critical:
		return "danger"
	case doc.Severity == render.Info:
		return "#439fe0"
	default:
		return "warning"
	}
}

// escape makes untrusted text harmless: "&", "<" and ">" are Slack's only
// control characters. A mention or a link cannot be written without "<".
func escape(s string) string {
	if !strings.ContainsAny(s, "&<>") {
		return s
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// escapeValue is what a user's templates see of a label or an annotation: one
// line without markup of mrkdwn, for which Slack has no escape; "_" within names
// is none.
func escapeValue(s string) string {
	s = escape(render.Clean(s, maxText))
	if !strings.ContainsAny(s, "*~`") {
		return s
	}
	return strings.NewReplacer("*", "∗", "~", "∼", "`", "'").Replace(s)
}

// escapeURL keeps an address from ending the link it stands in.
func escapeURL(s string) string {
	s = render.Clean(s, maxText)
	if !strings.ContainsAny(s, "<>|&* `~\"") {
		return s
	}
	return strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", "&", "&amp;", "*", "%2A", " ", "%20", "`", "%60", "~", "%7E", `"`, "%22").Replace(s)
}

// cut shortens what has been escaped, without leaving half an escape.
func cut(s string, limit int) string {
	short := render.Cut(s, limit)
	if short == s {
		return s
	}
	if i := strings.LastIndexByte(short, '&'); i >= 0 && !strings.Contains(short[i:], ";") {
		short = short[:i] + "…"
	}
	return short
}

// preview returns a text as its reader sees it. A link shows its address.
func preview(s string) string {
	var b strings.Builder
	for {
		before, rest, opened := strings.Cut(s, "<")
		link, after, closed := strings.Cut(rest, ">")
		if !opened || !closed {
			break
		}
		address, name, named := strings.Cut(link, "|")
		if named {
			address = name + ": " + address
		}
		b.WriteString(before + address)
		s = after
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(b.String() + s)
}

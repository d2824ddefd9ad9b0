package wecomapp

import (
	"strings"

	"tocsin/pkg/notify/chat"
	"tocsin/pkg/notify/wecom"
	"tocsin/pkg/render"
)

// format is one of the two types of message.
type format interface {
	chat.Dialect
	// Head returns the first line of every part of a message.
	Head(doc *render.Document) func(part, parts int) string
	// Preview returns a message without markup.
	Preview(content string) string
}

// markdown is the type that the WeCom client shows and the plug-in for personal
// WeChat does not.
type markdown struct{ wecom.Markdown }

func (markdown) Value(s string) string { return wecom.EscapeLine(render.CleanLine(s, maxContent)) }

func (markdown) URL(s string) string { return escapeURL(s) }

// text is plain text, in which links (<a href>) are the only markup. Only "<" is
// escaped: it opens links.
type text struct{}

func (text) escape(s string) string { return strings.ReplaceAll(s, "<", "＜") }

func (t text) Lead(s string) string { return t.escape(s) }

func (t text) Item(_ *render.Document, item render.Item) string {
	line := t.escape(item.Title)
	if item.Headline != "" {
		line += " " + t.escape(item.Headline)
	}
	return line
}

func (t text) Field(s string, nested bool) string {
	if nested {
		return "  " + t.escape(s)
	}
	return t.escape(s)
}

func (t text) Note(s string) string { return t.escape(s) }

func (t text) Links(_ *render.Document, links []render.Link) string {
	out := make([]string, len(links))
	for i, l := range links {
		out[i] = `<a href="` + l.URL + `">` + t.escape(l.Name) + `</a>`
	}
	return strings.Join(out, " · ")
}

func (t text) Value(s string) string { return t.escape(render.CleanLine(s, maxContent)) }

func (text) URL(s string) string { return escapeURL(s) }

func (t text) Head(doc *render.Document) func(part, parts int) string {
	title := t.escape(doc.Title)
	return func(part, parts int) string { return title + chat.Marker(part, parts) }
}

// Preview writes <a href="address">name</a> as name: address.
func (text) Preview(s string) string {
	var b strings.Builder
	for {
		before, rest, opened := strings.Cut(s, `<a href="`)
		address, rest, named := strings.Cut(rest, `">`)
		name, after, closed := strings.Cut(rest, `</a>`)
		if !opened || !named || !closed {
			return b.String() + s
		}
		b.WriteString(before + name + ": " + address)
		s = after
	}
}

// escapeURL keeps an address from ending the link that it is in, of either type.
func escapeURL(s string) string {
	s = render.CleanLine(s, maxContent)
	if !strings.ContainsAny(s, "()<>*` \"'") {
		return s
	}
	return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "*", "%2A", "`", "%60", " ", "%20", `"`, "%22", "'", "%27").Replace(s)
}

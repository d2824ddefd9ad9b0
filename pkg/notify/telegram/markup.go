package telegram

import (
	"html"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

// format is the dialect of a parse mode (core.telegram.org/bots/api#formatting-options).
// HTML and MarkdownV2 have bold titles and links; Markdown, which cannot escape inside
// bold text, has links; plain text has none.
type format struct{ mode string }

var _ chat.Dialect = format{}

// head returns the first line of a part of the built-in message.
func (f format) head(title string, part, parts int) string {
	return f.bold(title + chat.Marker(part, parts))
}

func (f format) bold(text string) string {
	switch s := f.escape(text); {
	case s == "":
		return ""
	case f.mode == modeHTML:
		return "<b>" + s + "</b>"
	case f.mode == modeMarkdownV2:
		return "*" + s + "*"
	default:
		return s
	}
}

func (f format) Lead(text string) string { return f.escape(text) }

func (f format) Item(_ *render.Document, item render.Item) string {
	line := f.bold(item.Title)
	if item.Headline != "" {
		line += " " + f.escape(item.Headline)
	}
	return line
}

func (f format) Field(text string, nested bool) string {
	if nested {
		return "  " + f.escape(text)
	}
	return f.escape(text)
}

func (f format) Note(text string) string { return f.escape(text) }

func (f format) Links(doc *render.Document, links []render.Link) string {
	out := make([]string, len(links))
	for i, l := range links {
		switch f.mode {
		case modeHTML:
			out[i] = `<a href="` + l.URL + `">` + f.escape(l.Name) + `</a>`
		case modePlain:
			out[i] = l.Name + doc.Colon + l.URL
		default:
			out[i] = "[" + f.escape(l.Name) + "](" + l.URL + ")"
		}
	}
	if f.mode == modePlain {
		return strings.Join(out, "\n")
	}
	return strings.Join(out, " · ")
}

func (f format) Value(s string) string { return f.escape(render.CleanLine(s, maxValue)) }

// URL keeps an address from mentioning people and from ending its link.
func (f format) URL(s string) string {
	s = render.CleanLine(s, maxValue)
	if strings.ContainsAny(s, "@ \"'<>()\\") {
		s = strings.NewReplacer("@", "%40", " ", "%20", `"`, "%22", "'", "%27", "<", "%3C", ">", "%3E", "(", "%28", ")", "%29", `\`, "%5C").Replace(s)
	}
	if f.mode == modeHTML {
		s = strings.ReplaceAll(s, "&", "&amp;")
	}
	return s
}

// escape makes untrusted text harmless. "@", which mentions people and has no escape,
// is replaced by its full-width form.
func (f format) escape(s string) string {
	special := f.special()
	if !strings.ContainsAny(s, "@"+special) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '@':
			b.WriteString("＠")
		case strings.IndexByte(special, c) < 0:
			b.WriteByte(c)
		case f.mode == modeHTML:
			b.WriteString(html.EscapeString(s[i : i+1]))
		default:
			b.WriteString(`\` + s[i:i+1])
		}
	}
	return b.String()
}

// special returns the characters that must be escaped in the parse mode.
func (f format) special() string {
	switch f.mode {
	case modeHTML:
		return `&<>"'`
	case modeMarkdownV2:
		return "_*[]()~`>#+-=|{}.!\\"
	case modeMarkdown:
		return "_*`["
	default:
		return ""
	}
}

// length returns how many UTF-16 code units Telegram counts of a text, or more: of
// Markdown it counts the markup too.
func (f format) length(text string) int {
	if f.mode == modeHTML {
		text = plainText(text)
	}
	n := 0
	for _, r := range text {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// cut shortens a line to at most size bytes, without leaving half a tag, a character
// reference or an escape.
func (f format) cut(line string, size int) string {
	if len(line) <= size {
		return line
	}
	s := strings.TrimSuffix(render.Truncate(line, size), "…")
	switch f.mode {
	case modeHTML:
		if i := strings.LastIndexByte(s, '<'); i > strings.LastIndexByte(s, '>') {
			s = s[:i]
		}
		if i := strings.LastIndexByte(s, '&'); i >= 0 && len(s)-i < len("&quot;") && !strings.Contains(s[i:], ";") {
			s = s[:i]
		}
	case modeMarkdownV2, modeMarkdown:
		if backslashes := len(s) - len(strings.TrimRight(s, `\`)); backslashes%2 == 1 {
			s = s[:len(s)-1]
		}
	}
	return s + "…"
}

// closeTags closes the tags that a part leaves open, and opens them again in the next
// part. Only a user's own text has tags that span lines.
func (f format) closeTags(parts []string) []string {
	if f.mode != modeHTML {
		return parts
	}
	var open []string // start tags
	for i, part := range parts {
		part = strings.Join(open, "") + part
		open = openTags(part)
		for _, tag := range slices.Backward(open) {
			part += "</" + tagName(tag) + ">"
		}
		parts[i] = part
	}
	return parts
}

// openTags returns the start tags that have no end tag.
func openTags(text string) []string {
	var open []string
	for {
		_, tag, after := cutTag(text)
		n := len(open)
		switch {
		case tag == "":
			return open
		case !strings.HasPrefix(tag, "</"):
			open = append(open, tag)
		case n > 0 && tagName(open[n-1]) == tagName(tag):
			open = open[:n-1]
		}
		text = after
	}
}

// supportedTags are the tags of Telegram's HTML.
const supportedTags = " a b blockquote code del em i ins pre s span strike strong tg-emoji tg-spoiler u "

// cutTag cuts text around its first tag that Telegram supports; tag is "" when there
// is none.
func cutTag(text string) (before, tag, after string) {
	for start := 0; ; start++ {
		i := strings.IndexByte(text[start:], '<')
		if i < 0 {
			return text, "", ""
		}
		start += i
		end := strings.IndexByte(text[start:], '>')
		if end < 0 {
			return text, "", ""
		}
		tag = text[start : start+end+1]
		if strings.Contains(supportedTags, " "+tagName(tag)+" ") {
			return text[:start], tag, text[start+end+1:]
		}
	}
}

// tagName returns the name of a start or end tag.
func tagName(tag string) string {
	name, _, _ := strings.Cut(strings.Trim(tag, "</>"), " ")
	return strings.ToLower(name)
}

// preview returns a text without markup. A link shows its address.
func (f format) preview(text string) string {
	switch f.mode {
	case modeHTML:
		return plainText(showAddresses(text))
	case modeMarkdown, modeMarkdownV2:
		return unescapeMarkdown(render.PlainLinks(text))
	default:
		return text
	}
}

// showAddresses writes <a href="address">name</a> as name: address.
func showAddresses(text string) string {
	var b strings.Builder
	for {
		before, rest, opened := strings.Cut(text, `<a href="`)
		address, rest, named := strings.Cut(rest, `">`)
		name, after, closed := strings.Cut(rest, "</a>")
		if !opened || !named || !closed {
			return b.String() + text
		}
		b.WriteString(before + name + ": " + address)
		text = after
	}
}

// plainText removes the tags of HTML and resolves its character references.
func plainText(text string) string {
	var b strings.Builder
	for {
		before, tag, after := cutTag(text)
		b.WriteString(before)
		if tag == "" {
			return html.UnescapeString(b.String())
		}
		text = after
	}
}

// unescapeMarkdown removes the markup of bold text, and backslashes before ASCII
// punctuation.
func unescapeMarkdown(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] < utf8.RuneSelf && strings.IndexByte("_*[]()~`>#+-=|{}.!\\", text[i+1]) >= 0:
			i++
			b.WriteByte(text[i])
		case c != '*':
			b.WriteByte(c)
		}
	}
	return b.String()
}

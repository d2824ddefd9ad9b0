package feishu

import (
	"html"
	"strconv"
	"strings"
	"unicode"

	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

// dialect is bold, links and mentions, of what the markdown element of schema 1.0
// knows.
type dialect struct{}

var _ chat.Dialect = dialect{}

func (dialect) Lead(text string) string { return escapeLine(text) }

func (dialect) Item(_ *render.Document, item render.Item) string {
	line := "**" + escape(item.Title) + "**"
	if item.Headline != "" {
		line += " " + escape(item.Headline)
	}
	return line
}

func (dialect) Field(text string, _ bool) string { return escapeLine(text) }

func (dialect) Note(text string) string { return escapeLine(text) }

func (dialect) Links(_ *render.Document, links []render.Link) string {
	out := make([]string, len(links))
	for i, l := range links {
		out[i] = "[" + escape(l.Name) + "](" + l.URL + ")"
	}
	return strings.Join(out, " · ")
}

func (dialect) Value(s string) string { return escapeLine(render.CleanLine(s, maxBody)) }

func (dialect) URL(s string) string {
	s = render.CleanLine(s, maxBody)
	if !strings.ContainsAny(s, "()<>*`~[]\\ ") {
		return s
	}
	return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "*", "%2A", "`", "%60", "~", "%7E",
		"[", "%5B", "]", "%5D", `\`, "%5C", " ", "%20").Replace(s)
}

// special are the characters that open or close markup anywhere, and "&", which
// opens an escape. A mention, a color or a tag cannot be written without "<", a link
// or an image without "[" or "]".
const special = "&<>*_~`[]\\"

// escape makes untrusted text harmless inside a line: what could be markup is written
// as Feishu documents, as &#N; with N the character's number
// (card-components/content-components/rich-text).
func escape(s string) string {
	if !strings.ContainsAny(s, special+":") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; strings.IndexByte(special, c) >= 0 || c == ':' && opensEmoji(s[i+1:]) {
			b.WriteString(entity(c))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escapeLine is escape for text at the start of a line, where a list, a heading or a
// rule can begin.
func escapeLine(s string) string {
	i := len(s) - len(strings.TrimLeft(s, "0123456789"))
	switch rest := s[i:]; {
	case rest == "":
	case i == 0 && strings.IndexByte("-+#", rest[0]) >= 0,
		i > 0 && strings.IndexByte(".)", rest[0]) >= 0 && (len(rest) == 1 || rest[1] == ' '):
		return s[:i] + entity(rest[0]) + escape(rest[1:])
	}
	return escape(s)
}

func entity(c byte) string { return "&#" + strconv.Itoa(int(c)) + ";" }

// opensEmoji reports whether a colon before s begins an emoji, such as :OK:, rather
// than the minutes of a time.
func opensEmoji(s string) bool {
	word, _, closed := strings.Cut(s, ":")
	return closed && strings.Trim(word, "0123456789") != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return r != '_' && (r >= unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
}

// replaceTags makes plain text harmless: headers and texts have no escape for the "<"
// of a mention.
func replaceTags(s string) string { return strings.ReplaceAll(s, "<", "＜") }

// cut shortens a line of markdown to at most limit bytes. It leaves no half of an
// escape, a tag or a link, and closes open markup.
func cut(line string, limit int) string {
	if len(line) <= limit {
		return line
	}
	const ending = "</font>**"
	s := strings.TrimSuffix(render.Truncate(line, limit-len(ending)), "…")
	for _, markup := range []struct {
		opens, closes string
		longest       int // bytes; anything longer is no markup
	}{{"&", ";", 6}, {"<", ">", 100}, {"](", ")", 1000}} {
		i := strings.LastIndex(s, markup.opens)
		if i < max(0, len(s)-markup.longest) || strings.Contains(s[i:], markup.closes) {
			continue
		}
		if markup.opens == "](" {
			i = max(0, strings.LastIndex(s[:i], "["))
		}
		s = s[:i]
	}
	s += "…"
	if strings.Count(s, "<font") > strings.Count(s, "</font>") {
		s += "</font>"
	}
	if strings.Count(s, "**")%2 == 1 {
		s += "**"
	}
	return s
}

// preview returns markdown without the markup that this package writes. A link shows
// its address.
func preview(markdown string) string {
	s := strings.ReplaceAll(markdown, "**", "")
	s = replaceMentions(s, func(id string) string { return "@" + id + " " })
	s = render.PlainLinks(s)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return html.UnescapeString(strings.Join(lines, "\n"))
}

package feishu

import (
	"errors"
	"strconv"
	"strings"
	"unicode"

	"tocsin/pkg/render"
)

// The markup used is bold, links and mentions, of what the markdown element of
// schema 1.0 knows. It never spans lines, so that a break between lines cannot
// leave it open.

var errEmpty = errors.New("it prints nothing")

// blocks returns the card's text in pieces between which it can be split.
func blocks(doc *render.Document) []string {
	out := make([]string, 0, len(doc.Items)+8)
	if doc.Lead != "" {
		out = append(out, escapeLine(doc.Lead))
	}
	if len(doc.Facts) > 0 {
		out = append(out, fields(doc, doc.Facts))
	}
	for i, item := range doc.Items {
		block := "**" + escape(item.Title) + "**"
		if item.Headline != "" {
			block += " " + escape(item.Headline)
		}
		if len(item.Fields) > 0 {
			block += "\n" + fields(doc, item.Fields)
		}
		if i == 0 || len(item.Fields) > 0 {
			block = "\n" + block
		}
		out = append(out, block)
	}
	for _, note := range doc.Notes {
		out = append(out, "\n"+escapeLine(note))
	}
	if len(doc.Links) > 0 {
		links := make([]string, len(doc.Links))
		for i, l := range doc.Links {
			links[i] = "[" + escape(l.Name) + "](" + escapeURL(l.URL) + ")"
		}
		out = append(out, "\n"+strings.Join(links, " · "))
	}
	return out
}

func fields(doc *render.Document, fields []render.Field) string {
	lines := make([]string, len(fields))
	for i, f := range fields {
		lines[i] = escapeLine(f.Name + doc.Colon + f.Value)
	}
	return strings.Join(lines, "\n")
}

// special are the characters that open or close markup anywhere, and "&", which
// opens an escape. A mention, a colour or a tag cannot be written without "<", a
// link or an image without "[" or "]".
const special = "&<>*_~`[]\\"

// escape makes untrusted text harmless inside a line: what could be markup is
// written as Feishu asks for, as &#N; with N the character's number
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

// escapeLine is escape for text at the start of a line, where a list, a heading
// or a rule can begin.
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

// opensEmoji tells that a colon before s begins an emoji, such as :OK:, and not
// the minutes of a time.
func opensEmoji(s string) bool {
	word, _, closed := strings.Cut(s, ":")
	return closed && strings.Trim(word, "0123456789") != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return r != '_' && (r >= unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
}

// escapeValue is what a user's templates see of a label or an annotation: one
// line that can stand anywhere.
func escapeValue(s string) string { return escapeLine(render.CleanLine(s, maxBody)) }

// escapeURL keeps an address from ending the link it stands in.
func escapeURL(s string) string {
	s = render.CleanLine(s, maxBody)
	if !strings.ContainsAny(s, "()<>*`~[]\\ ") {
		return s
	}
	return strings.NewReplacer("(", "%28", ")", "%29", "<", "%3C", ">", "%3E", "*", "%2A", "`", "%60", "~", "%7E",
		"[", "%5B", "]", "%5D", `\`, "%5C", " ", "%20").Replace(s)
}

// harmless keeps plain text from mentioning anybody: a header and a text have no
// escape for "<".
func harmless(s string) string { return strings.ReplaceAll(s, "<", "＜") }

// cut shortens a line of markdown to at most limit bytes. It leaves no half of an
// escape, a tag or a link, and closes what is open.
func cut(line string, limit int) string {
	if len(line) <= limit {
		return line
	}
	const ending = "</font>**"
	s := strings.TrimSuffix(render.Truncate(line, limit-len(ending)), "…")
	for _, part := range []struct {
		opens, closes string
		longest       int // bytes; what is longer is none
	}{{"&", ";", 6}, {"<", ">", 100}, {"](", ")", 1000}} {
		i := strings.LastIndex(s, part.opens)
		if i < max(0, len(s)-part.longest) || strings.Contains(s[i:], part.closes) {
			continue
		}
		if part.opens == "](" {
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

package telegram

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// kinds are the tags of Telegram's HTML and the entities they make
// (core.telegram.org/bots/api#html-style).
var kinds = map[string]string{
	"b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
	"s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler", "span": "spoiler",
	"a": "text_link", "tg-emoji": "custom_emoji", "code": "code", "pre": "pre", "blockquote": "blockquote",
}

// references are the named character references that Telegram knows.
var references = []string{"&lt;", "&gt;", "&amp;", "&quot;"}

// parseError is the vendor's description of wrong markup, which begins with a capital
// letter.
type parseError string

func (e parseError) Error() string { return string(e) }

func parseErrorf(format string, args ...any) error { return parseError(fmt.Sprintf(format, args...)) }

// parseHTML sets the text and the entities of a text in HTML. The errors have the
// wording of TDLib.
func (m *Message) parseHTML(source string) error {
	var text strings.Builder
	var open []string
	for i := 0; i < len(source); {
		switch source[i] {
		case '&':
			reference := characterReference(source[i:])
			text.WriteString(html.UnescapeString(reference))
			i += len(reference)
			continue
		case '<':
		default:
			text.WriteByte(source[i])
			i++
			continue
		}
		end := strings.IndexByte(source[i:], '>')
		if strings.HasPrefix(source[i:], "</") {
			if len(open) == 0 {
				return parseErrorf("Unexpected end tag at byte offset %d", i)
			}
			if end < 0 {
				return parseErrorf("Unclosed end tag at byte offset %d", i)
			}
			name, want := strings.ToLower(strings.TrimSpace(source[i+2:i+end])), open[len(open)-1]
			if name != "" && name != want {
				return parseErrorf("Unmatched end tag at byte offset %d, expected \"</%s>\", found \"</%s>\"", i, want, name)
			}
			open = open[:len(open)-1]
			i += end + 1
			continue
		}
		if end < 0 {
			return parseErrorf("Unclosed start tag at byte offset %d", i)
		}
		name, attributes, _ := strings.Cut(source[i+1:i+end], " ")
		name = strings.ToLower(name)
		if kinds[name] == "" || name == "span" && attributes != `class="tg-spoiler"` {
			return parseErrorf("Unsupported start tag \"%s\" at byte offset %d", name, i)
		}
		if err := m.addEntity(name, attributes); err != nil {
			return parseErrorf("%v in the tag \"%s\" at byte offset %d", err, name, i)
		}
		open = append(open, name)
		i += end + 1
	}
	if len(open) > 0 {
		return parseErrorf("Can't find end tag corresponding to start tag \"%s\"", open[len(open)-1])
	}
	m.Text = text.String()
	return nil
}

// addEntity adds the entity of a tag. A link without an address is none.
func (m *Message) addEntity(name, attributes string) error {
	if name != "a" {
		m.Entities = append(m.Entities, kinds[name])
		return nil
	}
	value, found := strings.CutPrefix(strings.TrimSpace(attributes), "href=")
	if !found {
		return nil
	}
	if len(value) < 2 || value[0] != '"' && value[0] != '\'' || value[len(value)-1] != value[0] || strings.Contains(value[1:len(value)-1], value[:1]) {
		return parseErrorf("Unclosed attribute value")
	}
	m.addLink(html.UnescapeString(value[1 : len(value)-1]))
	return nil
}

func (m *Message) addLink(address string) {
	if id, found := strings.CutPrefix(address, "tg://user?id="); found {
		m.Entities, m.Mentions = append(m.Entities, "text_mention"), append(m.Mentions, id)
		return
	}
	m.Entities = append(m.Entities, "text_link")
}

// characterReference returns the reference that s starts with, "&" when it is none
// that Telegram knows.
func characterReference(s string) string {
	for _, r := range references {
		if strings.HasPrefix(s, r) {
			return r
		}
	}
	if end := strings.IndexByte(s, ';'); strings.HasPrefix(s, "&#") && end > 2 && end < 12 && html.UnescapeString(s[:end+1]) != s[:end+1] {
		return s[:end+1]
	}
	return "&"
}

// parseMarkdown sets the text and the entities of a text in one of the two versions
// of Markdown. Version 2 nests, and wants every special character escaped.
func (m *Message) parseMarkdown(source string, v2 bool) error {
	special, escapable := "_*`[", "_*`["
	if v2 {
		special, escapable = "_*[]()~`>#+-=|{}.!", "_*[]()~`>#+-=|{}.!\\"
	}
	entity := map[byte]string{'*': "bold", '_': "italic", '`': "code", '~': "strikethrough"}
	var text strings.Builder
	var open []byte
	var starts []int
	for i := 0; i < len(source); i++ {
		c := source[i]
		inCode := len(open) > 0 && open[len(open)-1] == '`'
		switch {
		case c == '\\' && i+1 < len(source) && strings.IndexByte(escapable, source[i+1]) >= 0 && (v2 || len(open) == 0):
			i++
			text.WriteByte(source[i])
		case strings.IndexByte(special, c) < 0 || inCode && c != '`':
			text.WriteByte(c)
		case len(open) > 0 && open[len(open)-1] == c:
			open, starts = open[:len(open)-1], starts[:len(starts)-1]
		case c == '[':
			name, rest, named := strings.Cut(source[i+1:], "](")
			address, _, closed := strings.Cut(rest, ")")
			if !named || !closed {
				return parseErrorf("Can't find end of the entity starting at byte offset %d", i)
			}
			text.WriteString(strings.ReplaceAll(name, `\`, ""))
			m.addLink(address)
			i += len("[") + len(name) + len("](") + len(address)
		case entity[c] != "" && (v2 && !slices.Contains(open, c) || len(open) == 0):
			open, starts = append(open, c), append(starts, i)
			m.Entities = append(m.Entities, entity[c])
		case v2:
			return parseErrorf("Character '%c' is reserved and must be escaped with the preceding '\\'", c)
		default:
			text.WriteByte(c)
		}
	}
	if len(open) > 0 {
		return parseErrorf("Can't find end of the entity starting at byte offset %d", starts[len(starts)-1])
	}
	m.Text = text.String()
	return nil
}

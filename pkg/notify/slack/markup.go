package slack

import (
	"regexp"
	"strings"

	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

// dialect is the built-in text. It is not sent as mrkdwn, so that names with * and _
// are shown as they are; links are its only markup.
type dialect struct{}

var _ chat.Dialect = dialect{}

func (dialect) Lead(text string) string { return escape(text) }

func (dialect) Item(doc *render.Document, item render.Item) string {
	line := "• " + escape(item.Title)
	if item.Headline != "" {
		line += doc.Colon + escape(item.Headline)
	}
	return line
}

func (dialect) Field(text string, nested bool) string {
	if nested {
		return "    " + escape(text)
	}
	return escape(text)
}

func (dialect) Note(text string) string { return escape(text) }

func (dialect) Links(_ *render.Document, links []render.Link) string {
	out := make([]string, len(links))
	for i, l := range links {
		out[i] = "<" + l.URL + "|" + escape(l.Name) + ">"
	}
	return strings.Join(out, " · ")
}

// Value also replaces the markup of mrkdwn, for which Slack has no escape, by
// characters that look alike. "_" inside names is no markup.
func (dialect) Value(s string) string {
	s = escape(render.CleanLine(s, maxText))
	if !strings.ContainsAny(s, "*~`") {
		return s
	}
	return strings.NewReplacer("*", "∗", "~", "∼", "`", "'").Replace(s)
}

func (dialect) URL(s string) string {
	s = render.CleanLine(s, maxText)
	if !strings.ContainsAny(s, "<>|&* `~\"") {
		return s
	}
	return strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", "&", "&amp;", "*", "%2A", " ", "%20", "`", "%60", "~", "%7E", `"`, "%22").Replace(s)
}

// everybody matches mentions that servers with Slack's API read without markup.
var everybody = regexp.MustCompile(`(?i)@(all|here|channel|everyone)\b`)

// escape replaces "&", "<" and ">", Slack's only control characters. A mention or a
// link cannot be written without "<"; Mattermost and Discord also read @here.
func escape(s string) string {
	if strings.Contains(s, "@") {
		s = everybody.ReplaceAllString(s, "＠$1")
	}
	if !strings.ContainsAny(s, "&<>") {
		return s
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// cut shortens escaped text without leaving half an escape.
func cut(s string, limit int) string {
	short := render.Truncate(s, limit)
	if short == s {
		return s
	}
	if i := strings.LastIndexByte(short, '&'); i >= 0 && !strings.Contains(short[i:], ";") {
		short = short[:i] + "…"
	}
	return short
}

// color returns the color of the bar next to a message.
func color(doc *render.Document) string {
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

// preview returns a text without markup. A link shows its address.
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

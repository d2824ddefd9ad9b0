package inbox

import (
	"html/template"
	"regexp"
	"strings"
)

// The markdown of group robots: headings, bold, links, inline code, quotes, three
// colors and mentions.
var (
	bold    = regexp.MustCompile(`\*\*(.+?)\*\*`)
	code    = regexp.MustCompile("`([^`]+)`")
	link    = regexp.MustCompile(`\[([^\]]+)\]\((https?://[^)\s]+)\)`)
	color   = regexp.MustCompile(`&lt;font color=&#34;(info|comment|warning)&#34;&gt;(.*?)&lt;/font&gt;`)
	mention = regexp.MustCompile(`&lt;@([^&]+)&gt;`)
	heading = regexp.MustCompile(`^#{1,6} `)
	at      = regexp.MustCompile(`<@([^>]+)>`)
	markup  = regexp.MustCompile(`</?font[^>]*>|\*\*|` + "`")
)

// Markdown returns a robot's markdown as WeCom's client shows it, without markup and
// as HTML.
func Markdown(md string) (plain string, rich template.HTML) {
	var lines []string
	var out strings.Builder
	for _, line := range strings.Split(md, "\n") {
		title := heading.MatchString(line)
		line = heading.ReplaceAllString(line, "")
		line, quoted := strings.CutPrefix(line, "> ")
		bare := markup.ReplaceAllString(at.ReplaceAllString(line, "@$1"), "")
		bare = link.ReplaceAllString(bare, "$1 ($2)")
		if quoted {
			bare = "  " + bare
		}
		lines = append(lines, bare)

		h := template.HTMLEscapeString(line)
		h = color.ReplaceAllString(h, `<span class="$1">$2</span>`)
		h = mention.ReplaceAllString(h, `<span class="mention">@$1</span>`)
		h = bold.ReplaceAllString(h, `<b>$1</b>`)
		h = code.ReplaceAllString(h, `<code>$1</code>`)
		h = link.ReplaceAllString(h, `<a href="$2">$1</a>`)
		switch {
		case quoted:
			h = `<div class="quote">` + h + `</div>`
		case title:
			h = `<h4>` + h + `</h4>`
		default:
			h = `<div>` + h + `&nbsp;</div>`
		}
		out.WriteString(h)
	}
	return strings.Join(lines, "\n"), template.HTML(out.String())
}

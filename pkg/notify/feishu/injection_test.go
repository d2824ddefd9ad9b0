package feishu

import (
	"html"
	"strings"
	"testing"
	"unicode/utf8"

	server "tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/render"
)

// hostile is what somebody who can name a topic or write an annotation might try.
var hostile = []string{
	"<at id=all></at>", `<at user_id="all">x</at>`, "<at id=all>", "&#60;at id=all&#62;&#60;/at&#62;", "&lt;at id=all&gt;&lt;/at&gt;", "<<at id=all></at>",
	"<font color='red'>x</font>", "<text_tag color='red'>x</text_tag>", "<a href='https://evil.example.com'>x</a>", "</at>", "></at><at id=all></at>",
	"**bold**", "__bold__", "*x*", "~~x~~", "`code`", "```\ncode", "[click](https://evil.example.com)", "x](https://evil.example.com)", "![x](img_v2_x)",
	":OK:", "a:THUMBSUP:b", "- list", "+ list", "* list", "1. list", "2) list", "# heading", "> quote", "---", " ---", `\<at id=all></at>`, `\`,
	"a\n<at id=all></at>", "\u2028- list", "\x00<at id=all></at>", "<\u200bat id=all></at>", "]\n(https://evil.example.com)", "\"},{\"tag\":\"hr\"}",
}

// TestInjection says the same notification with a harmless word and with theirs:
// neither may have more markup than the other, nobody is mentioned, and the
// reader sees what was written.
func TestInjection(t *testing.T) {
	const own = `{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} [source]({{ .GeneratorURL }})
{{ .Annotations.summary }}{{ end }}{{ template "feishu.default" . }}`
	g := newGroup(t, "zh")
	for _, config := range []Config{{}, {Message: own, Title: "{{ .CommonLabels.alertname }} {{ .CommonAnnotations.summary }}"}} {
		to := g.notifier(t, config)
		for _, count := range []int{1, 2, 7} {
			for _, lag := range []string{"", "3000"} {
				want := g.markup(t, to, "x", count, lag)
				for _, evil := range hostile {
					if got := g.markup(t, to, evil, count, lag); got != want {
						t.Errorf("%d alerts, %q: markup %+v, want %+v", count, evil, got, want)
					}
				}
			}
		}
	}
}

// tokens counts what Feishu could take for markup, in a card and in the text
// that stands in for it.
type tokens struct{ tags, code, stars, underlines, tildes, links, images, emoji, lines, backslashes, textTags, mentions, lost int }

// markup says a notification that has a word in every place that an outsider can
// fill, and counts.
func (g *group) markup(t *testing.T, to notify.Notifier, word string, count int, lag string) tokens {
	t.Helper()
	n := notifytest.HostileNotification(word, count, lag)
	// The first card is refused, so that its text is seen as well.
	var c tokens
	for _, refused := range []bool{false, true} {
		if refused {
			g.Inject(1, server.Reject(200, 11310, ""))
		}
		g.say(t, to, n)
	}
	inbox := g.Inbox()
	if inbox = inbox[max(0, len(inbox)-2):]; len(inbox) != 2 || inbox[0].Type != "interactive" || inbox[1].Type != "text" {
		t.Fatalf("%q: %+v", word, inbox)
	}
	c.mentions = len(inbox[0].Mentions) + len(inbox[1].Mentions)
	c.textTags = strings.Count(inbox[1].Content, "<") + strings.Count(inbox[0].Title, "<")
	text := inbox[0].Content
	if shown := html.UnescapeString(text); !strings.Contains(shown, strings.Join(strings.Fields(strings.Map(visible, word)), " ")) {
		c.lost++
	}
	for link := range strings.SplitSeq(text, "](") { // what addresses may have is none
		if strings.HasPrefix(link, "http") {
			address, _, _ := strings.Cut(link, ")")
			text = strings.Replace(text, address, "", 1)
		}
	}
	c.tags, c.code, c.stars = strings.Count(text, "<"), strings.Count(text, "`"), strings.Count(text, "*")
	c.underlines, c.tildes = strings.Count(text, "_"), strings.Count(text, "~")
	c.links, c.images = strings.Count(text, "]("), strings.Count(text, "![")
	c.backslashes = strings.Count(text, `\`) + strings.Count(text, ">")
	for part := range strings.SplitSeq(text, ":") {
		if part == "OK" || part == "THUMBSUP" {
			c.emoji++
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && strings.Contains("-+#", line[:1]) || strings.HasPrefix(line, "1.") || strings.HasPrefix(line, "2)") {
			c.lines++
		}
	}
	return c
}

// visible leaves out what one line cannot have.
func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\u2028':
		return ' '
	case r < ' ':
		return -1
	}
	return r
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"order-created":    "order-created",
		"a_b*":             "a&#95;b&#42;",
		"cpu < 5% & x > 1": "cpu &#60; 5% &#38; x &#62; 1",
		`\`:                "&#92;",
		"~`[]":             "&#126;&#96;&#91;&#93;",
		"23:10:10":         "23:10:10",
		"10.0.0.8:9100":    "10.0.0.8:9100",
		"https://a/b:c":    "https://a/b:c",
		"说:中文:":            "说:中文:",
		":OK:":             "&#58;OK:",
		":18X:":            "&#58;18X:",
		"a:b:c":            "a&#58;b:c",
		"- x":              "&#45; x",
		"-":                "&#45;",
		"+1":               "&#43;1",
		"# x":              "&#35; x",
		"12. x_":           "12&#46; x&#95;",
		"3)":               "3&#41;",
		"2026":             "2026",
		"中":                "中",
		"":                 "",
	} {
		if got := escapeLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if got := html.UnescapeString(escapeLine(in)); got != in {
			t.Errorf("%q reads as %q", in, got)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := dialect{}.Value(s)
		if html.UnescapeString(got) != render.CleanLine(s, maxBody) {
			t.Errorf("%q reads as %q", s, html.UnescapeString(got))
		}
		if strings.ContainsAny(got, "<>*_~`[]\\\n") {
			t.Errorf("%q leaves markup in %q", s, got)
		}
		if short := cut(got, 40); len(short) > 40 || !utf8.ValidString(short) {
			t.Errorf("%q is cut to %q", got, short)
		}
	})
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{strings.Repeat("中", 10), 29, "中中中中中…"}, // 29 - 9 for what could be closed = 20: 5 characters and the mark
		{"**" + strings.Repeat("a", 40) + "**", 40, "**" + strings.Repeat("a", 26) + "…**"},
		{strings.Repeat("a", 23) + "&#42;bcdefghijklmnop", 36, strings.Repeat("a", 23) + "…"},
		{strings.Repeat("a", 18) + "<at id=ou_1></at>" + strings.Repeat("b", 9), 36, strings.Repeat("a", 18) + "…"},
		{"a [b](https://example.com/" + strings.Repeat("c", 40) + ")", 50, "a …"},
		{"<font color='red'>" + strings.Repeat("a", 40) + "</font>", 50, "<font color='red'>" + strings.Repeat("a", 20) + "…</font>"},
	} {
		if got := cut(tt.in, tt.limit); got != tt.want || len(got) > tt.limit {
			t.Errorf("%q at %d: %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

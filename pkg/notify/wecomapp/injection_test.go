package wecomapp

import (
	"strings"
	"testing"

	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/render"
)

// hostile is what somebody who can name a topic or write an annotation might try.
var hostile = []string{
	`<a href="https://evil.example.com">all well</a>`, "</a>", `"><a href="https://evil.example.com`, "<@all>", `<font color="info">ok</font>`,
	"`code`", "a\n> quote", "> quote", "# heading", "**bold**", "[click](https://evil.example.com)", "x](https://evil.example.com)",
	"\u2028> quote", "<<@all>", "<\u200b@all>", "]\n(https://evil.example.com)", "\x00<@all>", "\r\n[告警] other",
}

// TestInjection says the same notification with a harmless word and with
// theirs: neither may have more markup than the other.
func TestInjection(t *testing.T) {
	const own = `{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} [source]({{ .GeneratorURL }}) <a href="{{ .GeneratorURL }}">source</a>{{ end }}{{ template "wecom.default" . }}`
	for _, kind := range []string{"text", "markdown"} {
		for _, message := range []string{"", own} {
			for _, count := range []int{1, 2, 7} {
				for _, lag := range []string{"", "3000"} {
					want := markup(t, kind, message, "x", count, lag)
					for _, evil := range hostile {
						if got := markup(t, kind, message, evil, count, lag); got != want {
							t.Errorf("%s, %d alerts, %q: markup %+v, want %+v", kind, count, evil, got, want)
						}
					}
				}
			}
		}
	}
}

// marks counts what WeCom could take for markup.
type marks struct{ tags, code, bold, links, quotes, headings, refused int }

// markup says a notification that has a word in every place that an outsider can
// fill, and counts.
func markup(t *testing.T, kind, message, word string, count int, lag string) marks {
	t.Helper()
	n := notifytest.HostileNotification(word, count, lag)
	to, err := (&Config{AgentID: "1", MessageType: kind, Message: message}).New(notifytest.NewEnv("zh"), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := to.(*app)
	var c marks
	for _, text := range a.parts(render.NewView(n, &a.env.Style), render.NewDocument(n, &a.env.Style), maxContent) {
		c.tags += strings.Count(text, "<")
		c.refused += strings.Count(text, "\x00") + strings.Count(text, "\u2028") + strings.Count(text, "\ufffd")
		if kind == "text" {
			for _, tag := range strings.Split(text, "<")[1:] {
				inside, _, _ := strings.Cut(tag, ">")
				c.links += strings.Count(inside, `"`)
			}
			continue
		}
		c.code += strings.Count(text, "`")
		c.bold += strings.Count(text, "**")
		c.links += strings.Count(text, "](")
		for line := range strings.SplitSeq(text, "\n") {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, ">") {
				c.quotes++
				line = strings.TrimSpace(line[1:])
			}
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ">") {
				c.headings++
			}
		}
	}
	return c
}

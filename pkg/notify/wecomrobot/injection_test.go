package wecomrobot

import (
	"strings"
	"testing"

	"tocsin/pkg/notify/notifytest"
)

// hostile is what somebody who can name a topic or write an annotation might try.
var hostile = []string{
	"<@all>", `<font color="info">ok</font>`, "`code`", "a\n> quote", "> quote", "# heading", "**bold**",
	"[click](https://evil.example.com)", "x](https://evil.example.com)", "</font>", "\u2028> quote", "<<@all>", "<\u200b@all>",
	"]\n(https://evil.example.com)", "\x00<@all>",
}

// TestInjection says the same notification with a harmless word and with
// theirs: neither may have more markup than the other.
func TestInjection(t *testing.T) {
	const own = `{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} [source]({{ .GeneratorURL }}){{ end }}{{ template "wecom.default" . }}`
	for _, message := range []string{"", own} {
		for count := 1; count <= 7; count++ {
			for _, lag := range []string{"", "3000"} {
				want := markup(t, message, "x", count, lag)
				for _, evil := range hostile {
					if got := markup(t, message, evil, count, lag); got != want {
						t.Errorf("%d alerts, %q: markup %+v, want %+v", count, evil, got, want)
					}
				}
			}
		}
	}
}

// tokens counts what WeCom could take for markup.
type tokens struct{ tags, code, bold, links, quotes, headings, refused int }

// markup says a notification that has a word in every place that an outsider can
// fill, and counts.
func markup(t *testing.T, message, word string, count int, lag string) tokens {
	t.Helper()
	n := notifytest.HostileNotification(word, count, lag)
	var c tokens
	for _, body := range bodies(t, n, notifytest.NewEnv("zh"), &Config{URL: "https://example.com/?key=k", Message: message, MentionMobiles: []string{"13800000000"}}) {
		text := content(t, body)
		c.tags += strings.Count(text, "<")
		c.code += strings.Count(text, "`")
		c.bold += strings.Count(text, "**")
		c.links += strings.Count(text, "](")
		c.refused += strings.Count(text, "\x00") + strings.Count(text, "\u2028") + strings.Count(text, "\ufffd")
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

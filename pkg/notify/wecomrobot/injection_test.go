package wecomrobot

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"tocsin/pkg/alert"
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
			for _, lag := range []bool{true, false} {
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
func markup(t *testing.T, message, word string, count int, lag bool) tokens {
	t.Helper()
	n := notification()
	n.Instead, n.Cause = word, word
	for i := range count {
		a := &alert.Alert{
			Labels: alert.Labels{"alertname": word, "topic": word, "consumer_group": word, "cluster": word, "n": fmt.Sprint(i), "<" + word: word, word: word},
			Annotations: alert.Labels{"summary": word, "description": "remark", "<" + word: word, "lag": word, "threshold": word, "partitions": word,
				"unknown_partitions": word, "dashboard_url": "https://example.com/" + url.PathEscape(word)},
			GeneratorURL: "https://example.com/?q=" + strings.Map(printable, word), StartsAt: at,
		}
		if lag {
			a.Annotations["lag"] = "3000"
		}
		n.Alerts = append(n.Alerts, a)
	}
	var c tokens
	for _, body := range bodies(t, n, env("zh"), &Config{URL: "https://example.com/?key=k", Message: message, MentionMobiles: []string{"13800000000"}}) {
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

// printable leaves out what an address cannot have at all, so that there is a
// link to compare.
func printable(r rune) rune {
	if r < ' ' || r == '\u2028' || r == ' ' {
		return -1
	}
	return r
}

package notifytest

import (
	"fmt"
	"net/url"
	"strings"

	"tocsin/pkg/alert"
)

// Hostile are texts with which someone who can name a topic or write an annotation might
// try to mention people, add markup or links, forge a header, or break the encoding of a
// message.
var Hostile = []string{
	"@13800000001", "@所有人", "@all", "x @zhang-san", "a\n@13800000001", "\u200b@13800000001", "\x00@all",
	"<@all>", "<<@all>", "<\u200b@all>", "\x00<@all>", `<at user_id="all"></at>`, "<at id=all></at>",
	`<at user_id="all">x</at>`, "<at id=all>", "</at>", "<<at id=all></at>", "></at><at id=all></at>", `\<at id=all></at>`, "a\n<at id=all></at>", "\x00<at id=all></at>",
	"<\u200bat id=all></at>", "&#60;at id=all&#62;&#60;/at&#62;", "&lt;at id=all&gt;&lt;/at&gt;", "<text_tag color='red'>x</text_tag>", ":OK:", "a:THUMBSUP:b",
	"<!here>", "<!channel|x>", "<@U00000000>", "<#C00000000>", "<!subteam^S0|ops>", "<https://evil.example.com|all well>", "&lt;!here&gt;", "<<!here>>",
	"><!here>", "|<!here>", "<\u200b!here>", "<\n!here>", strings.Repeat("&<", 900) + "<!here>",
	`<font color="red">ok</font>`, "</font>", `<a href="https://evil.example.com">all well</a>`, "<a href='https://evil.example.com'>x</a>", "</a>", `"><a href="https://evil.example.com`,
	"<https://evil.example.com>", "<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "javascript:alert(1)",
	"`code`", "```", "a\n> quote", "> quote", "# heading", "a\n===", "---", "***", "___", "**bold**", "*italic*", "_italic_", "__init__", "a _b_ c", "~~gone~~",
	"- list", "+ list", "* list", "1. list", "1) list", "2) list", "12.", " ---", "\u2028- list", "\\", "a\\", "\\*\\*", "| a | b |",
	"[click](https://evil.example.com)", "![img](https://evil.example.com/x.png)", "x](https://evil.example.com)", "x][1]",
	"[告警]: https://evil.example.com", "[FIRING]: https://evil.example.com", "]\n(https://evil.example.com)", "a](https://evil.example.com \"t\")",
	"\u2028> quote", "\r\n[告警] other", "{{ .ExternalURL }}", `","at":{"isAtAll":true},"x":"`, `"},{"tag":"hr"}`, "\xff\xfe", "\u202egnp.exe", strings.Repeat("@*_", 150),
	"x\r\nBcc: victim@example.com\r\n\r\nbody", "x\nBcc: victim@example.com", "x\rBcc: victim@example.com", "x\u2028Bcc: victim@example.com",
	"【紧急】", "see https://evil.example.com/x now", "www.evil.example.com",
}

// HostileNotification returns a notification of count alerts with word in every place
// that an outsider can fill. The lag is lag, or word if lag is "": then the alerts are no
// lag alerts.
func HostileNotification(word string, count int, lag string) *alert.Notification {
	n := Notification()
	n.FallbackFor, n.Cause = word, word
	for i := range count {
		a := &alert.Alert{
			Labels: alert.Labels{"alertname": word, "topic": word, "consumer_group": word, "cluster": word, "n": fmt.Sprint(i), "<" + word: word, "@" + word: word, word: word},
			Annotations: alert.Labels{"summary": word, "description": "remark", "<" + word: word, word: word, "lag": word, "threshold": word, "partitions": word,
				"unknown_partitions": word, "dashboard_url": "https://example.com/" + url.PathEscape(word)},
			GeneratorURL: "https://example.com/?q=" + strings.Map(printable, word), StartsAt: At,
		}
		if lag != "" {
			a.Annotations["lag"] = lag
		}
		n.Alerts = append(n.Alerts, a)
	}
	return n
}

// printable drops the characters that an address cannot contain, because with them there
// would be no link to test.
func printable(r rune) rune {
	if r < ' ' || r == '\u2028' || r == ' ' {
		return -1
	}
	return r
}

// CountMarkdown returns Received.Markup for a client that renders markdown, and tags in
// angle brackets.
func CountMarkdown(text string) map[string]int {
	count := map[string]int{
		"tags":  strings.Count(text, "<"),
		"code":  strings.Count(text, "`"),
		"bold":  strings.Count(text, "**"),
		"links": strings.Count(text, "]("),
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, ">") {
			count["quotes"]++
			line = strings.TrimSpace(line[1:])
		}
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ">") {
			count["headings"]++
		}
	}
	return count
}

package dingtalk

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"tocsin/pkg/alert"
	server "tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/notify/notifytest"
)

// hostile is what somebody who can name a topic or write an annotation might try.
var hostile = []string{
	"@13800000001", "@所有人", "@all", "x @zhang-san", "a\n@13800000001", "\u200b@13800000001", "\x00@all",
	`<font color="red">ok</font>`, "<a href='https://evil.example.com'>x</a>", "<https://evil.example.com>", "</font>",
	"`code`", "```", "a\n> quote", "> quote", "# heading", "a\n===", "---", "***", "___", "**bold**", "*italic*", "_italic_", "__init__", "a _b_ c", "~~gone~~",
	"- list", "+ list", "* list", "1. list", "1) list", "12.", "a\\", "\\*\\*", "| a | b |",
	"[click](https://evil.example.com)", "![img](https://evil.example.com/x.png)", "x](https://evil.example.com)", "x][1]",
	"[告警]: https://evil.example.com", "[FIRING]: https://evil.example.com", "]\n(https://evil.example.com)", "a](https://evil.example.com \"t\")",
	"\u2028> quote", "\r\n[告警] other", "{{ .ExternalURL }}", `","at":{"isAtAll":true},"x":"`, "\xff\xfe", "\u202egnp.exe", strings.Repeat("@*_", 150),
}

// TestInjection says the same notification with a harmless word and with
// theirs: neither may have more markup than the other, and nobody is mentioned
// but whom the configuration names.
func TestInjection(t *testing.T) {
	const own = `{{ .CommonLabels.alertname }} {{ range .Alerts }}{{ .Annotations.summary }}
{{ .Labels.topic }} [source]({{ .GeneratorURL }})
{{ end }}{{ template "dingtalk.default" . }}`
	at := At{Mobiles: []string{"13800000000"}}
	for _, way := range []struct {
		name   string
		config Config
		shrink bool
	}{
		{"markdown", Config{At: at}, false},
		{"markdown of one's own", Config{At: at, Message: own, Title: "{{ .CommonLabels.alertname }}"}, false},
		{"a text", Config{At: at, Type: "text"}, false},
		{"a text of one's own", Config{At: at, Type: "text", Message: own}, false},
		{"the bare text", Config{At: at}, true},
	} {
		say := speaker(t, way.config)
		for _, count := range []int{1, 2, 7} {
			for _, lag := range []string{"", "3000"} {
				marks := func(word string) marks {
					n := filled(word, count, lag)
					n.HalfSize = way.shrink
					return markup(say(n), way.shrink)
				}
				want := marks("x")
				for _, evil := range hostile {
					if got := marks(evil); got.exceeds(want) {
						t.Errorf("%s, %d alerts, %.60q: markup %+v, want at most %+v", way.name, count, evil, got, want)
					}
				}
			}
		}
	}
}

// speaker returns what says a notification and returns what the group got.
func speaker(t *testing.T, config Config) func(*alert.Notification) []server.Message {
	t.Helper()
	s := server.New(func() time.Time { return notifytest.At })
	var got []server.Message
	s.OnMessage(func(m server.Message) { got = append(got, m) })
	e := notifytest.NewEnv("zh")
	e.HTTP = &http.Client{Transport: direct{s}}
	config.URL = "https://oapi.dingtalk.com/robot/send?access_token=" + token
	to, err := config.New(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(n *alert.Notification) []server.Message {
		got = nil
		s.Add(token, server.Robot{})
		notifytest.SendAll(t, to, n)
		return got
	}
}

// filled is a notification that has a word in every place that an outsider can
// fill.
func filled(word string, count int, lag string) *alert.Notification {
	n := notifytest.Notification()
	n.FallbackFor, n.Cause = word, word
	for i := range count {
		a := &alert.Alert{
			Labels: alert.Labels{"alertname": word, "topic": word, "consumer_group": word, "cluster": word, "n": fmt.Sprint(i), "@" + word: word, word: word},
			Annotations: alert.Labels{"summary": word, "description": "remark", "<" + word: word, "lag": word, "threshold": word, "partitions": word,
				"unknown_partitions": word, "dashboard_url": "https://example.com/" + url.PathEscape(word)},
			GeneratorURL: "https://example.com/?q=" + url.QueryEscape(word) + "&at=@13800000001", StartsAt: notifytest.At,
		}
		if lag != "" {
			a.Annotations["lag"] = lag
		}
		n.Alerts = append(n.Alerts, a)
	}
	return n
}

// marks counts what DingTalk could take for markup.
type marks struct {
	mentions, notified, tags, code, emphasis, links, openers, backslashes, refused int
}

func (m marks) exceeds(w marks) bool {
	return m.mentions != w.mentions || m.notified != w.notified || m.tags > w.tags || m.code > w.code || m.emphasis > w.emphasis ||
		m.links > w.links || m.openers > w.openers || m.backslashes > w.backslashes || m.refused > w.refused
}

func markup(messages []server.Message, shrink bool) marks {
	var c marks
	for _, m := range messages {
		text := m.Title + "\n" + m.Text
		c.mentions += strings.Count(text, "@")
		c.notified += len(m.Mobiles) + len(m.Users)
		if m.All {
			c.notified += 100
		}
		for _, r := range []string{"\x00", "\u2028", "\ufffd", "\u202e", "\r"} {
			c.refused += strings.Count(text, r)
		}
		if shrink {
			c.links += strings.Count(text, "://")
		}
		if m.Type == "text" {
			continue
		}
		c.tags += strings.Count(text, "<")
		c.code += strings.Count(text, "`")
		c.backslashes += strings.Count(text, "\\")
		c.emphasis += strings.Count(text, "*") + strings.Count(text, "~") + edges(text)
		c.links += strings.Count(text, "](") + strings.Count(text, "][")
		for line := range strings.SplitSeq(m.Text, "\n") {
			line = strings.TrimSpace(line)
			for line != "" && strings.ContainsRune(">#-+=[", rune(line[0])) {
				c.openers++
				line = strings.TrimSpace(line[1:])
			}
			if digits := strings.TrimLeft(line, "0123456789"); digits != line && (strings.HasPrefix(digits, ". ") || strings.HasPrefix(digits, ") ") || digits == "." || digits == ")") {
				c.openers++
			}
		}
	}
	return c
}

// direct brings requests to a server without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// edges counts "_" that does not stand between two letters or digits.
func edges(text string) int {
	n := 0
	letter := func(i int) bool {
		return i >= 0 && i < len(text) && text[i] < 0x80 && (unicode.IsLetter(rune(text[i])) || unicode.IsDigit(rune(text[i])))
	}
	for i := range len(text) {
		if text[i] == '_' && !(letter(i-1) && letter(i+1)) {
			n++
		}
	}
	return n
}

func TestEscapeURL(t *testing.T) {
	const address = `https://example.com/a_b/_c_(d)*[e]?q=@x y\z"<>~` + "`"
	if got, want := (format{markdown: true}).URL(address), "https://example.com/a_b/%5Fc%5F%28d%29%2A%5Be%5D?q=%40x%20y%5Cz%22%3C%3E%7E%60"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got, want := (format{}).URL(address), strings.NewReplacer("@", "%40", " ", "%20").Replace(address); got != want {
		t.Errorf("in a text %s\nwant %s", got, want)
	}
}

func TestEscape(t *testing.T) {
	tests := []struct{ in, inside, start string }{
		{"order_created_v2", "order_created_v2", "order_created_v2"},
		{"_a_b_ c", "＿a_b＿ c", "＿a_b＿ c"},
		{"__init__", "＿＿init＿＿", "＿＿init＿＿"},
		{"主题_a", "主题＿a", "主题＿a"},
		{"a@b.example.com", "a＠b.example.com", "a＠b.example.com"},
		{"[a](b)[c][d]", "[a]（b)[c]［d]", "［a]（b)[c]［d]"},
		{"10.0.0.8:9100", "10.0.0.8:9100", "10.0.0.8:9100"},
		{"1. x", "1. x", "1． x"},
		{"-5", "-5", "－5"},
		{"*x* ~y~ `z` <b> \\", "＊x＊ ～y～ ｀z｀ ＜b> ＼", "＊x＊ ～y～ ｀z｀ ＜b> ＼"},
		{"", "", ""},
	}
	l := format{markdown: true}
	for _, tt := range tests {
		if got := l.escape(tt.in); got != tt.inside {
			t.Errorf("%q inside a line becomes %q, want %q", tt.in, got, tt.inside)
		}
		if got := l.escapeLine(tt.in); got != tt.start {
			t.Errorf("%q at its start becomes %q, want %q", tt.in, got, tt.start)
		}
	}
	if got := (format{}).escapeLine("> *a* @b [c](d)"); got != "> *a* ＠b [c](d)" {
		t.Errorf("in a text %q", got)
	}
}

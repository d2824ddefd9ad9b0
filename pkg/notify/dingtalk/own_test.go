package dingtalk

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/pkg/notify/notifytest"
)

func TestOwnTemplate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.tmpl")
	if err := os.WriteFile(file, []byte(`{{ define "short" }}{{ .Status }}: {{ .CommonLabels.topic }}{{ end }}`), 0o644); err != nil {
		t.Fatal(err)
	}
	golden := func(name string) string {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(strings.TrimSuffix(string(b), "\n"), "@13800000000 @zhang-san", "", 1)
	}
	_, markdown, _ := strings.Cut(golden("one-topic-firing.zh.markdown"), "\n\n")
	markdown = strings.Replace(markdown, "\n  \n", "\n", 1)
	text := strings.Replace(golden("one-topic-firing.zh.text"), "\n\n", "\n", 1)
	// A heading ends its line without the two spaces; within a user's own text
	// every line gets them.
	first, rest, _ := strings.Cut(markdown, "\n")
	tests := []struct {
		name   string
		config Config
		title  string
		want   string
	}{
		{"a constant", Config{Message: "look here"}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "look here"},
		{"a title", Config{Title: "{{ .Status | toUpper }}\n!", Message: "x"}, "FIRING !", "x"},
		{"a title that prints nothing", Config{Title: "{{ .CommonLabels.nope }}", Message: "x"}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "x"},
		{"from a file", Config{Message: `{{ template "short" . }}`}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "firing: order_created＿＊"},
		{"lines", Config{Message: "# a\nb  \n\n* c\n"}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "# a  \nb  \n\n* c"},
		{"around the built-in text", Config{Message: "**oh**\n" + `{{ template "dingtalk.default" . }}`}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "**oh**  \n" + first + "  \n" + rest},
		{"around the built-in text, as a text", Config{Type: "text", Message: "oh\n" + `{{ template "dingtalk.default" . }}`}, "", "oh\n" + text},
		{"characters that do not belong", Config{Message: "a\x01b\tc\r\nd\u2028e"}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "ab c  \nd  \ne"},
		{"with a mention", Config{Message: "a\nb", At: At{Mobiles: []string{"13800000000"}}}, "[告警] 消费积压 · orders / order-worker / order_created＿＊", "@13800000000  \na  \nb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			notifytest.SendAll(t, g.notifier(t, tt.config, file), notifytest.Notification(notifytest.OneTopic()...))
			if m := g.Inbox()[0]; m.Text != tt.want || m.Title != tt.title {
				t.Errorf("%q, titled %q\nwant %q, %q", m.Text, m.Title, tt.want, tt.title)
			}
		})
	}
}

// A text of one's own is split between lines; a line that is too long is cut.
func TestOwnTemplateTooLong(t *testing.T) {
	line := strings.Repeat("0123456789", 10)
	long := strings.TrimSuffix(strings.Repeat(line+"\n", 400), "\n") // 400 lines of 101 bytes, with "  " 103
	g := newGroup(t, "zh")
	messages := notifytest.SendAll(t, g.notifier(t, Config{Message: long, At: At{Mobiles: []string{"13800000000"}}}), notifytest.Notification(notifytest.OneTopic()...))
	// "(1/3)  " and 184 lines are 7 + 184 × 103 = 18959 bytes of the 19000 that are
	// tried first.
	if got := notifytest.Units(messages); !slices.Equal(got, []string{"1/3", "2/3", "3/3"}) {
		t.Fatalf("units %v", got)
	}
	lines := 0
	for i, m := range g.Inbox() {
		lines += strings.Count(m.Text, line)
		if want := []string{"@13800000000 (1/3)  \n", "(2/3)  \n", "(3/3)  \n"}[i]; !strings.HasPrefix(m.Text, want) {
			t.Errorf("part %d begins %.30q, want %q", i+1, m.Text, want)
		}
	}
	if lines != 400 {
		t.Errorf("%d lines said", lines)
	}

	for name, tt := range map[string]struct{ message, end string }{
		"bold":    {"**" + strings.Repeat("中", 9000) + "**", "中…**"},
		"code":    {"x `" + strings.Repeat("中", 9000) + "`", "中…`"},
		"italic":  {"* *" + strings.Repeat("中", 9000) + "*", "中…*"},
		"both":    {"**a `" + strings.Repeat("中", 9000) + "` b**", "中…`**"},
		"a link":  {strings.Repeat("中", 6300) + "[a](https://example.com/" + strings.Repeat("a", 900) + ")", "中…"},
		"no link": {"[a] " + strings.Repeat("中", 9000) + "[b](https://example.com)", "中…"},
		"plain":   {strings.Repeat("中", 9000), "中…"},
	} {
		g := newGroup(t, "zh")
		notifytest.SendAll(t, g.notifier(t, Config{Message: tt.message}), notifytest.Notification(notifytest.OneTopic()...))
		if m := g.Inbox()[0]; len(g.Inbox()) != 1 || !strings.HasSuffix(m.Text, tt.end) || strings.Contains(m.Text, "](") || !utf8.ValidString(m.Text) || len(m.Text) < 18000 {
			t.Errorf("%s: %d messages, %d bytes, ends %q", name, len(g.Inbox()), len(m.Text), m.Text[max(len(m.Text)-12, 0):])
		}
	}
}

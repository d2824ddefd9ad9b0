package wecomrobot

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/notify/notifytest"
)

func TestOwnTemplate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.tmpl")
	if err := os.WriteFile(file, []byte(`{{ define "short" }}{{ .Status }}: {{ .CommonLabels.topic }}{{ end }}`), 0o644); err != nil {
		t.Fatal(err)
	}
	long := strings.TrimSuffix(strings.Repeat("0123456789012345678901234567890123456789\n", 150), "\n") // 150 lines of 41 bytes
	builtin, err := os.ReadFile("testdata/one-topic-firing.zh.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, message string
		want          []string
	}{
		{"a constant", "look here", []string{"look here"}},
		{"from a file", `{{ template "short" . }}`, []string{"firing: order_created_＊"}},
		{"around the built-in text", `**oh**` + "\n" + `{{ template "wecom.default" . }}`, []string{"**oh**\n" + strings.TrimSuffix(string(builtin), "\n")}},
		// "(1/2)" and 99 lines are 5 + 99 × 41 = 4064 bytes.
		{"too long", long, []string{"(1/2)\n" + long[:99*41-1], "(2/2)\n" + long[99*41:]}},
		{"characters that the vendor refuses", "a\x01b\tc\r\nd\u2028e", []string{"ab c\nd\ne"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			notifytest.SendAll(t, g.notifier(t, Config{Message: tt.message}, file), notifytest.Notification(oneTopic()...))
			var got []string
			for _, m := range g.Inbox() {
				got = append(got, m.Content)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestNewErrors(t *testing.T) {
	for want, c := range map[string]Config{
		"message: template \"x\" is not defined": {Message: `{{ template "x" . }}`},
		"mention_mobiles: ":                      {MentionMobiles: []string{"{{"}},
		"mention_users: ":                        {MentionUsers: []string{"{{ nope }}"}},
		"url: ":                                  {URL: "https://example.com/?key=" + key + "{{ nope }}"},
	} {
		if c.URL == "" {
			c.URL = "https://example.com/?key=k"
		}
		_, err := c.New(notifytest.NewEnv("zh"), nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), key) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

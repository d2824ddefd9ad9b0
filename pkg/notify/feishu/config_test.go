package feishu

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestValidate(t *testing.T) {
	const good = "https://open.feishu.cn/open-apis/bot/v2/hook/" + token
	tests := []struct {
		name string
		url  setting.Secret
		at   At
		want []string // as for notifytest.CheckFaults
	}{
		{"valid", good, At{OpenIDs: []string{member}, All: true}, nil},
		{"Lark", "https://open.larksuite.com/open-apis/bot/v2/hook/" + token, At{}, nil},
		{"a template", "https://open.feishu.cn/open-apis/bot/v2/hook/{{ .CommonLabels.robot }}", At{OpenIDs: []string{"{{ .CommonAnnotations.who }}"}}, nil},
		{"no address", "", At{}, []string{"[url]: is missing"}},
		{"only a token", token, At{}, []string{"[url]: is not an https address"}},
		{"another scheme", "ftp://h/" + token, At{}, []string{"[url]: is not an https address"}},
		{"no token", "https://open.feishu.cn/", At{}, []string{"[url]: has no token"}},
		{"a template that chooses the server", "https://{{ .X }}/hook/" + token, At{}, []string{"[url]: is not an https address"}},
		{"a template that widens the server's name", "https://open.feishu.cn{{ .X }}/hook/" + token, At{}, []string{"[url]: only what follows the server's name"}},
		{"a template for the port", "https://open.feishu.cn:{{ .X }}/hook/" + token, At{}, []string{"[url]: only what follows the server's name"}},
		{"plain http", "http://chat.example.com/hook/" + token, At{}, []string{"?[url]: is plain http"}},
		{"plain http on this machine", "http://127.0.0.1:8065/hook/" + token, At{}, nil},
		{"ids of other kinds", good, At{OpenIDs: []string{"zhangsan", "all", "a@example.com", "13800000000", "ou_", "ou_x></at>", "ou_" + strings.Repeat("x", 46)}}, []string{
			`[at open_ids 0]: "zhangsan" is not an open_id`, `[at open_ids 1]: "all" is not an open_id`, `[at open_ids 2]: `, `[at open_ids 3]: `, `[at open_ids 4]: `, `[at open_ids 5]: `, `[at open_ids 6]: `,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			notifytest.CheckFaults(t, (&Config{URL: tt.url, At: tt.at}).Validate, tt.want, token)
		})
	}
}

func TestKeys(t *testing.T) {
	var c Config
	err := yaml.Unmarshal([]byte("{url: a, secret: b, at: {open_ids: [ou_1, ou_2], all: true}, message: c, title: d}"), &c)
	if err != nil || string(c.URL) != "a" || string(c.Secret) != "b" || !slices.Equal(c.At.OpenIDs, []string{"ou_1", "ou_2"}) || !c.At.All || c.Message != "c" || c.Title != "d" {
		t.Errorf("got %+v, %v", c, err)
	}
	quotas := []notify.Quota{{Messages: 100, Per: time.Minute}, {Messages: 5, Per: time.Second}}
	if c.Kind().Name != "feishu" || !c.SendsResolved(c.Kind()) || !slices.Equal(c.Quotas(c.Kind()), quotas) {
		t.Errorf("got %+v, want 100/1m and 5/1s", c.Kind())
	}
	if err := yaml.Unmarshal([]byte("{rate_limit: 20/1m, send_resolved: false}"), &c); err != nil || c.SendsResolved(c.Kind()) || !slices.Equal(c.Quotas(c.Kind()), []notify.Quota{{Messages: 20, Per: time.Minute}}) {
		t.Errorf("got %+v, %v, want the configured keys", c.CommonConfig, err)
	}
}

func TestNewErrors(t *testing.T) {
	const good = "https://open.feishu.cn/open-apis/bot/v2/hook/"
	for want, c := range map[string]Config{
		"message: template \"x\" is not defined": {URL: good, Message: `{{ template "x" . }}`},
		"title: ":                                {URL: good, Title: "{{"},
		"at.open_ids[0]: ":                       {URL: good, At: At{OpenIDs: []string{"{{ nope }}"}}},
		"url: ":                                  {URL: good + token + "{{ nope }}"},
	} {
		_, err := c.New(notifytest.NewEnv("zh"), nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), token) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

func TestCustomTemplates(t *testing.T) {
	file := notifytest.TemplateFile(t, `{{ define "short" }}{{ .Status }}: {{ .CommonLabels.topic }}{{ end }}`)
	builtin := notifytest.ReadGolden(t, "one-topic-firing.zh.md")
	title, body, _ := strings.Cut(builtin, "\n")
	tests := []struct{ name, title, message, wantTitle, want string }{
		{"a constant", "look", "here", "look", "here"},
		{"from a file", `{{ template "short" . }}`, `{{ template "short" . }}`, "firing: order_created_*", "firing: order&#95;created&#95;&#42;"},
		{"around the built-in text", "", "**oh**\n" + `{{ template "feishu.default" . }}`, title, "**oh**\n" + body},
		{"a title that prints nothing", "{{ .CommonLabels.nope }}", "x", title, "x"},
		{"a title of two lines", "a\n <b>", "x", "a ＜b>", "x"},
		{"control characters", "", "a\x01b\tc\r\nd\u2028e", title, "ab c\nd\ne"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGroup(t, "zh")
			g.sendAll(t, g.notifier(t, Config{Title: tt.title, Message: tt.message}, file), notifytest.Notification(notifytest.OneTopic()...))
			if m := g.Inbox()[0]; m.Title != tt.wantTitle || m.Content != tt.want {
				t.Errorf("got  %q\n%q\nwant %q\n%q", m.Title, m.Content, tt.wantTitle, tt.want)
			}
		})
	}
}

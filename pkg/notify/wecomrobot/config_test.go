package wecomrobot

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/notify/notifytest"
)

func TestValidate(t *testing.T) {
	const good = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=" + key
	tests := []struct {
		name   string
		config Config
		want   []string // as for notifytest.CheckFaults
	}{
		{"valid", Config{URL: good, MentionMobiles: []string{"13800000000", "+8613800000000", "@all", "{{ .X }}"}, MentionUsers: []string{"zhang.san-1_2@corp", "@all", "{{ .X }}"}}, nil},
		{"no url", Config{}, []string{"[url]: is missing"}},
		{"no address", Config{URL: "key"}, []string{"[url]: is not an https address"}},
		{"another scheme", Config{URL: "ftp://h/?key=k"}, []string{"[url]: is not an https address"}},
		{"no key", Config{URL: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"}, []string{"[url]: has no key"}},
		{"plain http", Config{URL: "http://proxy.example.com/?key=k"}, []string{"?[url]: is plain http"}},
		{"plain http on this machine", Config{URL: "http://127.0.0.1:8080/?key=k"}, nil},
		{"plain http on this machine, by name", Config{URL: "http://localhost/?key=k"}, nil},
		{"a template for the key", Config{URL: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={{ .CommonLabels.robot }}"}, nil},
		{"a template for the host", Config{URL: "https://{{ .CommonLabels.host }}/send?key=k"}, []string{"[url]: only what follows the question mark"}},
		{"phones", Config{URL: good, MentionMobiles: []string{"13800000000", "1380000 0000", "zhang", ""}},
			[]string{`[mention_mobiles 1]: "1380000 0000" is not a phone number`, `[mention_mobiles 2]: "zhang"`, `[mention_mobiles 3]: ""`}},
		{"user ids", Config{URL: good, MentionUsers: []string{"<@x>", strings.Repeat("x", 65), "@everybody"}},
			[]string{`[mention_users 0]: "<@x>" is not a user id`, "[mention_users 1]:", "[mention_users 2]:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			notifytest.CheckFaults(t, tt.config.Validate, tt.want, key)
		})
	}
}

func TestKeys(t *testing.T) {
	var c Config
	err := yaml.Unmarshal([]byte("url: https://h/?key=k\nmention_mobiles: ['13800000000']\nmention_users: ['@all']\nmessage: m\nsend_resolved: false\n"), &c)
	if err != nil || string(c.URL) != "https://h/?key=k" || c.MentionMobiles[0] != "13800000000" || c.MentionUsers[0] != "@all" || c.Message != "m" {
		t.Errorf("got %+v, %v", c, err)
	}
	if c.SendsResolved(c.Kind()) || !new(Config).SendsResolved(c.Kind()) || c.Kind().Name != "wecom_robot" {
		t.Errorf("got kind %+v and send_resolved %v, want true unless configured", c.Kind(), c.SendsResolved(c.Kind()))
	}
}

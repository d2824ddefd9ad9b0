package dingtalk

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
)

func TestValidate(t *testing.T) {
	const good = "https://oapi.dingtalk.com/robot/send?access_token=" + token
	tests := []struct {
		name   string
		config Config
		want   []string // as for notifytest.CheckFaults
	}{
		{"valid", Config{URL: good, Secret: secret, Type: "markdown", Title: "t", At: At{Mobiles: []string{"13800000000", "+8613800000000", "+852-00000000", "{{ .X }}"}, Users: []string{"zhang.san-1_2@corp", "0123", "{{ .X }}"}, All: true}}, nil},
		{"a text", Config{URL: good, Type: "text"}, nil},
		{"a secret of another form", Config{URL: good, Secret: "this"}, nil},
		{"no url", Config{}, []string{"[url]: is missing"}},
		{"no address", Config{URL: "token"}, []string{"[url]: is not an https address"}},
		{"another scheme", Config{URL: "ftp://h/?access_token=k"}, []string{"[url]: is not an https address"}},
		{"no token", Config{URL: "https://oapi.dingtalk.com/robot/send"}, []string{"[url]: has no access_token"}},
		{"plain http", Config{URL: "http://proxy.example.com/?access_token=k"}, []string{"?[url]: is plain http"}},
		{"plain http on this machine", Config{URL: "http://127.0.0.1:8080/?access_token=k"}, nil},
		{"plain http on this machine, by name", Config{URL: "http://localhost/?access_token=k"}, nil},
		{"a template for the token", Config{URL: "https://oapi.dingtalk.com/robot/send?access_token={{ .CommonLabels.robot }}"}, nil},
		{"a template for the host", Config{URL: "https://{{ .CommonLabels.host }}/send?access_token=k"}, []string{"[url]: only what follows the question mark"}},
		{"a template for the path", Config{URL: "https://oapi.dingtalk.com/{{ .CommonLabels.path }}?access_token=k"}, []string{"[url]: only what follows the question mark"}},
		{"another type", Config{URL: good, Type: "link"}, []string{`[type]: "link" is not possible: use markdown or text`}},
		{"a text with a title", Config{URL: good, Type: "text", Title: "t"}, []string{"[title]: a text has no title"}},
		{"phones", Config{URL: good, At: At{Mobiles: []string{"13800000000", "1380000 0000", "@all", "", "852-00000000", "+852-0000-0000"}}},
			[]string{`[at mobiles 1]: "1380000 0000" is not a phone number`, `[at mobiles 2]: "@all"`, `[at mobiles 3]: ""`, "[at mobiles 4]:", "[at mobiles 5]:"}},
		{"users", Config{URL: good, At: At{Users: []string{"张三", strings.Repeat("x", 65), "@all", ""}}},
			[]string{`[at users 0]: "张三" is not a user id`, "[at users 1]:", "[at users 2]:", "[at users 3]:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			notifytest.CheckFaults(t, tt.config.Validate, tt.want, token, secret)
		})
	}
}

func TestKeys(t *testing.T) {
	var c Config
	err := yaml.Unmarshal([]byte("url: u\nsecret: s\nat: {mobiles: ['13800000000'], users: [u1], all: true}\ntype: text\ntitle: t\nmessage: m\nsend_resolved: false\nrate_limit: 6/1m\n"), &c)
	if err != nil || string(c.URL) != "u" || string(c.Secret) != "s" || c.At.Mobiles[0] != "13800000000" || c.At.Users[0] != "u1" || !c.At.All || c.Type != "text" || c.Title != "t" || c.Message != "m" {
		t.Errorf("got %+v, %v", c, err)
	}
	if c.SendsResolved(c.Kind()) || !new(Config).SendsResolved(c.Kind()) || c.Kind().Name != "dingtalk" || c.Kind().AtMostOnce {
		t.Errorf("got kind %+v and send_resolved %v, want true unless configured", c.Kind(), c.SendsResolved(c.Kind()))
	}
	if q := new(Config).Quotas(c.Kind()); !slices.Equal(q, []notify.Quota{{Messages: 18, Per: time.Minute}}) {
		t.Errorf("got quotas %v by default, want 18/1m", q)
	}
	if q := c.Quotas(c.Kind()); !slices.Equal(q, []notify.Quota{{Messages: 6, Per: time.Minute}}) {
		t.Errorf("got quotas %v, want those of rate_limit", q)
	}
}

func TestNewErrors(t *testing.T) {
	for want, c := range map[string]Config{
		"message: template \"x\" is not defined": {Message: `{{ template "x" . }}`},
		"title: ":                                {Title: "{{ nope }}"},
		"at.mobiles[0]: ":                        {At: At{Mobiles: []string{"{{"}}},
		"at.users[0]: ":                          {At: At{Users: []string{"{{ nope }}"}}},
		"url: ":                                  {URL: "https://example.com/?access_token=" + token + "{{ nope }}"},
	} {
		if c.URL == "" {
			c.URL = "https://example.com/?access_token=" + token
		}
		_, err := c.New(notifytest.NewEnv("zh"), nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), token) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

package slack

import (
	"testing"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		url  setting.Secret
		want []string // as for notifytest.CheckFaults
	}{
		{"valid", "https://hooks.slack.com/services/" + name, nil},
		{"no address", "", []string{"[api_url]: is missing"}},
		{"a name", name, []string{"[api_url]: is not an https address"}},
		{"another scheme", "ftp://h/" + name, []string{"[api_url]: is not an https address"}},
		{"a template", "https://hooks.slack.com/services/" + name + "?{{ .X }}", []string{"[api_url]: is not an https address"}},
		{"Slack's API", "https://slack.com/api/chat.postMessage", []string{"[api_url]: is Slack's API"}},
		{"plain http", "http://chat.example.com/hooks/" + name, []string{"?[api_url]: is plain http"}},
		{"plain http on this machine", "http://127.0.0.1:8065/hooks/" + name, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			notifytest.CheckFaults(t, (&Config{APIURL: tt.url}).Validate, tt.want, name)
		})
	}
}

func TestKeys(t *testing.T) {
	var c Config
	err := yaml.Unmarshal([]byte("api_url: a\nchannel: b\nusername: c\nicon_emoji: d\nicon_url: e\ncolor: f\ntitle: g\ntitle_link: h\ntext: i\n"), &c)
	if err != nil || c != (Config{APIURL: "a", Channel: "b", Username: "c", IconEmoji: "d", IconURL: "e", Color: "f", Title: "g", TitleLink: "h", Text: "i"}) {
		t.Errorf("got %+v, %v", c, err)
	}
	// Alertmanager's default.
	if c.SendsResolved(c.Kind()) || c.Kind().Name != "slack" || len(c.Quotas(c.Kind())) != 1 {
		t.Errorf("got %+v, want Alertmanager's default of send_resolved", c.Kind())
	}
	var g Global
	if err := yaml.Unmarshal([]byte("slack_api_url: g\n"), &g); err != nil {
		t.Fatal(err)
	}
	none := Config{}
	none.Inherit(g)
	c.Inherit(g)
	if string(none.APIURL) != "g" || string(c.APIURL) != "a" {
		t.Errorf("got %q and %q after inheriting, want g and a", string(none.APIURL), string(c.APIURL))
	}
}

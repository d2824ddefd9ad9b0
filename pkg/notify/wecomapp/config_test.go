package wecomapp

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/notify/notifytest"
)

func TestValidate(t *testing.T) {
	good := func(change func(*Config)) Config {
		c := Config{CorpID: corp, APISecret: secret, AgentID: "1000002", ToUser: "u1|zhang.san-1_2@corp, @all", ToParty: "1;2", ToTag: "3"}
		change(&c)
		return c
	}
	tests := []struct {
		name   string
		config Config
		want   []string // as for notifytest.CheckFaults
	}{
		{"valid", good(func(*Config) {}), nil},
		{"templates", good(func(c *Config) { c.ToUser, c.ToParty, c.ToTag = "{{ .X }}", "{{ .Y }}", "{{ .Z }}" }), nil},
		{"nothing", Config{}, []string{"[corp_id]: is missing", "[api_secret]: is missing", "[agent_id]: is missing", "[to_user]: is missing"}},
		{"an agent by name", good(func(c *Config) { c.AgentID = "ops" }), []string{`[agent_id]: "ops" is not a number`}},
		{"an agent of none", good(func(c *Config) { c.AgentID = "0" }), []string{`[agent_id]: "0" is not a number`}},
		{"a department alone", good(func(c *Config) { c.ToUser, c.ToTag = "", "" }), nil},
		{"a user with a space", good(func(c *Config) { c.ToUser = "u1 <@x>" }), []string{`[to_user]: "<@x>" is not a user id`}},
		{"a user that is too long", good(func(c *Config) { c.ToUser = strings.Repeat("x", 65) }), []string{"[to_user]:"}},
		{"a department by name", good(func(c *Config) { c.ToParty = "1|运维部" }), []string{`[to_party]: "运维部" is not the number of a department`}},
		{"everybody as a tag", good(func(c *Config) { c.ToTag = "@all" }), []string{`[to_tag]: "@all" is not the number of a tag`}},
		{"another type", good(func(c *Config) { c.MessageType = "image" }), []string{`[message_type]: "image" is not possible`}},
		{"text", good(func(c *Config) { c.MessageType = "text" }), nil},
		{"markdown", good(func(c *Config) { c.MessageType = "markdown" }), nil},
		{"no address", good(func(c *Config) { c.APIURL = "qyapi" }), []string{"[api_url]: is not an https address"}},
		{"a query", good(func(c *Config) { c.APIURL = "https://h/cgi-bin/?x=1" }), []string{"[api_url]: is not an https address"}},
		{"plain http", good(func(c *Config) { c.APIURL = "http://relay.example.com/cgi-bin/" }), []string{"?[api_url]: is plain http"}},
		{"plain http on this machine", good(func(c *Config) { c.APIURL = "http://127.0.0.1/" }), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			notifytest.CheckFaults(t, tt.config.Validate, tt.want, secret)
		})
	}
}

const keys = `
corp_id: ww1
api_secret: s
agent_id: 1000002
api_url: https://relay.example.com/cgi-bin
to_user: u1
to_party: 1
to_tag: 2
message: m
message_type: markdown
`

func TestKeys(t *testing.T) {
	var c Config
	want := Config{CorpID: "ww1", APISecret: "s", AgentID: "1000002", APIURL: "https://relay.example.com/cgi-bin", ToUser: "u1", ToParty: "1", ToTag: "2", Message: "m", MessageType: "markdown"}
	if err := yaml.Unmarshal([]byte(keys), &c); err != nil || c != want {
		t.Errorf("got %+v, %v; want %+v", c, err, want)
	}
	var w Wechat
	if err := yaml.Unmarshal([]byte(keys+"send_resolved: true\n"), &w); err != nil || w.CorpID != "ww1" || !w.SendsResolved(w.Kind()) {
		t.Errorf("got %+v, %v", w, err)
	}
	if c.Kind().Name != "wecom_app" || !c.SendsResolved(c.Kind()) || c.api() != "https://relay.example.com/cgi-bin/" {
		t.Errorf("got kind %+v and API %s", c.Kind(), c.api())
	}
	// Alertmanager's default.
	if w := new(Wechat); w.Kind().Name != "wechat" || w.SendsResolved(w.Kind()) || w.api() != "https://qyapi.weixin.qq.com/cgi-bin/" || len(w.Quotas(w.Kind())) != 2 {
		t.Errorf("got kind %+v and API %s", w.Kind(), w.api())
	}
}

func TestInherit(t *testing.T) {
	g := Global{APIURL: "https://g/", APISecret: "gs", CorpID: "gc"}
	var w Wechat
	w.Inherit(g)
	own := Config{APIURL: "https://o/", APISecret: "os", CorpID: "oc"}
	own.Inherit(g)
	if w.APIURL != "https://g/" || string(w.APISecret) != "gs" || w.CorpID != "gc" || own.APIURL != "https://o/" || string(own.APISecret) != "os" || own.CorpID != "oc" {
		t.Errorf("got %+v and %+v, want only keys that were left out from global", w, own)
	}
	if err := yaml.Unmarshal([]byte("wechat_api_url: u\nwechat_api_secret: s\nwechat_api_corp_id: c\n"), &g); err != nil || g != (Global{"u", "s", "c"}) {
		t.Errorf("got %+v, %v", g, err)
	}
}

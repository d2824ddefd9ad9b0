package wecomapp

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/notify/wecom"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Config is one entry of wecom_app_configs. The keys and their meaning are those
// of Alertmanager's wechat_configs.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// CorpID is the company's id, and APISecret the application's secret. The access
	// token that they give is shared by all instances.
	CorpID    string         `yaml:"corp_id,omitempty"`
	APISecret setting.Secret `yaml:"api_secret,omitempty"`
	// AgentID is the application's number.
	AgentID string `yaml:"agent_id,omitempty"`
	// APIURL is the API's address; default https://qyapi.weixin.qq.com/cgi-bin/.
	APIURL string `yaml:"api_url,omitempty"`
	// ToUser, ToParty and ToTag are the recipients: user ids (@all is everybody the
	// application may write to), numbers of departments, numbers of tags, separated
	// by "|", "," or ";". They are templates.
	ToUser  string `yaml:"to_user,omitempty"`
	ToParty string `yaml:"to_party,omitempty"`
	ToTag   string `yaml:"to_tag,omitempty"`
	// Message is a template of the content; default {{ template "wecom.default" . }}.
	// WeCom drops a message that equals one of the last five minutes.
	Message string `yaml:"message,omitempty"`
	// MessageType is text (the default, as in Alertmanager) or markdown, which the
	// WeCom client shows and the plug-in for personal WeChat does not.
	MessageType string `yaml:"message_type,omitempty"`
}

// Wechat is one entry of wechat_configs, Alertmanager's name for the same: only
// send_resolved has another default.
type Wechat struct {
	Config `yaml:",inline"`
}

// Global holds Alertmanager's wechat_ keys of the global section: the defaults of
// entries.
type Global struct {
	APIURL    string         `yaml:"wechat_api_url,omitempty"`
	APISecret setting.Secret `yaml:"wechat_api_secret,omitempty"`
	CorpID    string         `yaml:"wechat_api_corp_id,omitempty"`
}

// Inherit fills in the keys that c leaves out. It must precede Validate.
func (c *Config) Inherit(g Global) {
	c.APIURL = cmp.Or(c.APIURL, g.APIURL)
	c.APISecret = cmp.Or(c.APISecret, g.APISecret)
	c.CorpID = cmp.Or(c.CorpID, g.CorpID)
}

// UnsupportedKeys returns the keys that Alertmanager 0.34 has and Tocsin does not,
// separated by white space.
func (*Config) UnsupportedKeys() string {
	return "http_config"
}

// A member receives 30 messages a minute and 1000 an hour from one application; more
// are dropped although the call succeeds (document/path/90236). The quotas count for
// the application, because its members are not known here.
var quotas = []notify.Quota{{Messages: 30, Per: time.Minute}, {Messages: 1000, Per: time.Hour}}

// Kind returns what all applications have in common.
func (*Config) Kind() notify.Kind {
	return notify.Kind{Name: "wecom_app", SendResolved: true, Quotas: quotas}
}

// Kind is Config's with Alertmanager's name and default.
func (*Wechat) Kind() notify.Kind { return notify.Kind{Name: "wechat", Quotas: quotas} }

const (
	defaultAPI   = "https://qyapi.weixin.qq.com/cgi-bin/"
	typeText     = "text"
	typeMarkdown = "markdown"
)

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	if c.CorpID == "" {
		f.Addf("corp_id", "is missing: set it here or wechat_api_corp_id under global; the admin console shows it under 我的企业")
	}
	if c.APISecret == "" {
		f.Addf("api_secret", "is missing: set it here or wechat_api_secret under global; the admin console shows it with the application")
	}
	if n, err := strconv.ParseUint(c.AgentID, 10, 31); c.AgentID == "" {
		f.Addf("agent_id", "is missing: it is the application's number, such as 1000002")
	} else if err != nil || n == 0 {
		f.Addf("agent_id", "%q is not a number: it looks like 1000002", c.AgentID)
	}
	if c.ToUser == "" && c.ToParty == "" && c.ToTag == "" {
		f.Addf("to_user", "is missing: name the recipients here or under to_party or to_tag; @all is everybody")
	}
	validateList(f, "to_user", c.ToUser, wecom.IsUser, "a user id: it has letters, digits, and _ - . @, up to 64; or write @all")
	validateList(f, "to_party", c.ToParty, isNumber, "the number of a department")
	validateList(f, "to_tag", c.ToTag, isNumber, "the number of a tag")
	switch c.MessageType {
	case "", typeText, typeMarkdown:
	default:
		f.Addf("message_type", "%q is not possible: use text or markdown", c.MessageType)
	}
	if c.APIURL != "" {
		c.validateAPI(f)
	}
}

func validateList(f *setting.Faults, key, list string, valid func(render.Name) bool, what string) {
	if strings.Contains(list, "{{") {
		return
	}
	if _, invalid := parseIDs(list, valid); len(invalid) > 0 {
		f.Addf(key, "%q is not %s", invalid[0], what)
	}
}

func (c *Config) validateAPI(f *setting.Faults) {
	u := chat.ParseURL(c.APIURL)
	if u == nil || u.RawQuery != "" || u.Fragment != "" {
		f.Addf("api_url", "is not an https address: it looks like %s", defaultAPI)
		return
	}
	chat.WarnPlainHTTP(f, "api_url", u, "the application's secret")
}

// api returns the API's address with a slash at its end.
func (c *Config) api() string {
	return strings.TrimSuffix(cmp.Or(c.APIURL, defaultAPI), "/") + "/"
}

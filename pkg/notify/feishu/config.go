package feishu

import (
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/setting"
)

// Config is one entry of feishu_configs. Feishu's name outside China is Lark;
// its robots are the same.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// URL is the robot's webhook address. The part after the server may be a
	// template, so that a label can choose the robot.
	URL setting.Secret `yaml:"url,omitempty"`
	// Secret is the key of signatures, for a robot whose security settings require
	// them (签名校验).
	Secret setting.Secret `yaml:"secret,omitempty"`
	// At lists the people that firing alerts mention.
	At At `yaml:"at,omitempty"`
	// Message is a template of the card's markdown; default
	// {{ template "feishu.default" . }}. Labels and annotations in it cannot mention
	// anybody.
	Message string `yaml:"message,omitempty"`
	// Title is a template of the card's header; default is the built-in one.
	Title string `yaml:"title,omitempty"`
}

// At names people.
type At struct {
	// OpenIDs are ids that begin with ou_, the only ones that a custom robot can
	// mention. They may be templates, which may print several, separated by "," ";"
	// or "|".
	OpenIDs []string `yaml:"open_ids,omitempty"`
	// All is everybody. The group must allow it.
	All bool `yaml:"all,omitempty"`
}

// A robot may send 5 messages a second and 100 a minute (add-custom-bot).
var kind = notify.Kind{Name: "feishu", SendResolved: true, Quotas: []notify.Quota{
	{Messages: 100, Per: time.Minute}, {Messages: 5, Per: time.Second},
}}

// Kind returns what all robots have in common.
func (*Config) Kind() notify.Kind { return kind }

const example = "https://open.feishu.cn/open-apis/bot/v2/hook/…"

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	c.validateURL(f)
	for i, s := range c.At.OpenIDs {
		if !strings.Contains(s, "{{") && !isOpenID(s) {
			f.In("at", "open_ids", i).Addf("", "%q is not an open_id: it begins with ou_; a robot cannot mention people by user id, phone or e-mail; all: true mentions everybody", s)
		}
	}
}

func (c *Config) validateURL(f *setting.Faults) {
	address := string(c.URL)
	if address == "" {
		f.Addf("url", "is missing: it is the robot's webhook address, %s", example)
		return
	}
	fixed, _, templated := strings.Cut(address, "{{")
	switch u := chat.ParseURL(fixed); {
	case u == nil:
		f.Addf("url", "is not an https address: it looks like %s", example)
	case templated && u.Path == "":
		f.Addf("url", "only what follows the server's name can be a template: alerts must not choose the server")
	case !templated && strings.Trim(u.Path, "/") == "":
		f.Addf("url", "has no token: copy the robot's whole webhook address, it looks like %s", example)
	default:
		chat.WarnPlainHTTP(f, "url", u, "the robot's token")
	}
}

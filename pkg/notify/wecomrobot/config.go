package wecomrobot

import (
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/notify/wecom"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Config is one entry of wecom_robot_configs.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// URL is the robot's webhook address, with its key. Its query may be a template.
	URL setting.Secret `yaml:"url,omitempty"`
	// MentionMobiles and MentionUsers are the phone numbers and user ids that firing
	// alerts mention; "@all" is everybody, in either. They may be templates, which
	// may print several, separated by "," ";" or "|".
	MentionMobiles []string `yaml:"mention_mobiles,omitempty"`
	MentionUsers   []string `yaml:"mention_users,omitempty"`
	// Message is a template of the markdown; default {{ template "wecom.default" . }}.
	Message string `yaml:"message,omitempty"`
	// Picture sends a chart after the text of firing lag alerts, as long as half of
	// the robot's quota is left; default true.
	Picture *bool `yaml:"picture,omitempty"`
}

// A robot may send 20 messages a minute (document/path/99110).
var kind = notify.Kind{Name: "wecom_robot", SendResolved: true, Quotas: []notify.Quota{{Messages: 20, Per: time.Minute}}}

// Kind returns what all robots have in common.
func (c *Config) Kind() notify.Kind { return kind }

const example = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	chat.ValidateRobotURL(f, c.URL, "key", example)
	for i, s := range c.MentionMobiles {
		if !strings.Contains(s, "{{") && !isMobile(render.Name{Text: s}) {
			f.In("mention_mobiles", i).Addf("", "%q is not a phone number: write digits only, or @all", s)
		}
	}
	for i, s := range c.MentionUsers {
		if !strings.Contains(s, "{{") && !wecom.IsUser(render.Name{Text: s}) {
			f.In("mention_users", i).Addf("", "%q is not a user id: it has letters, digits, and _ - . @, up to 64; or write @all", s)
		}
	}
}

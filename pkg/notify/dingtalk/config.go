package dingtalk

import (
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Config is one entry of dingtalk_configs.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// URL is the robot's webhook address, with its access_token. Its query may be a
	// template.
	URL setting.Secret `yaml:"url,omitempty"`
	// Secret signs the requests, for a robot whose security setting is 加签; ""
	// sends them unsigned. DingTalk's own begin with SEC.
	Secret setting.Secret `yaml:"secret,omitempty"`
	// At lists the people that firing alerts mention.
	At At `yaml:"at,omitempty"`
	// Type is markdown (the default) or text, which shows mentions in colour and
	// lets them be tapped, and has no other markup.
	Type string `yaml:"type,omitempty"`
	// Title is a template of the line that phones show while the chat is closed; a
	// text has none. The default is the first line of the built-in text.
	Title string `yaml:"title,omitempty"`
	// Message is a template of the text; default {{ template "dingtalk.default" . }}.
	Message string `yaml:"message,omitempty"`
}

// At names people of the group. The lists may be templates, which may print several
// names, separated by "," ";" or "|".
type At struct {
	// Mobiles are phone numbers, and Users are user ids.
	Mobiles []string `yaml:"mobiles,omitempty"`
	Users   []string `yaml:"users,omitempty"`
	// All is everybody.
	All bool `yaml:"all,omitempty"`
}

// A robot may send 20 messages a minute, and is then locked out for ten minutes
// (open.dingtalk.com, custom-robots-send-group-messages). Two are kept in reserve for
// clocks that differ, and for other senders that use the address.
var kind = notify.Kind{Name: "dingtalk", SendResolved: true, Quotas: []notify.Quota{{Messages: 18, Per: time.Minute}}}

// Kind returns what all robots have in common.
func (*Config) Kind() notify.Kind { return kind }

const (
	example      = "https://oapi.dingtalk.com/robot/send?access_token=…"
	typeText     = "text"
	typeMarkdown = "markdown"
)

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	chat.ValidateRobotURL(f, c.URL, "access_token", example)
	switch c.Type {
	case "", typeMarkdown:
	case typeText:
		if c.Title != "" {
			f.Addf("title", "a text has no title: remove it, or let the type be markdown")
		}
	default:
		f.Addf("type", "%q is not possible: use markdown or text", c.Type)
	}
	at := f.In("at")
	for i, s := range c.At.Mobiles {
		if _, ok := parseMobile(render.Name{Text: s}); !strings.Contains(s, "{{") && !ok {
			at.In("mobiles", i).Addf("", "%q is not a phone number: write it like 13800000000 or +852-00000000; for everybody write all: true", s)
		}
	}
	for i, s := range c.At.Users {
		if !strings.Contains(s, "{{") && !isUserID(s) {
			at.In("users", i).Addf("", "%q is not a user id: it has letters, digits, and _ - . @, up to 64, and begins with a letter or digit; for everybody write all: true", s)
		}
	}
}

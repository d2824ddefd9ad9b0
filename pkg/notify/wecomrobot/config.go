package wecomrobot

import (
	"net"
	"net/url"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/setting"
)

// Config is one entry of wecom_robot_configs.
type Config struct {
	notify.Common `yaml:",inline"`

	// URL is the address that WeCom shows for the robot, with its key. Its query
	// may be a template.
	URL setting.Secret `yaml:"url,omitempty"`
	// MentionMobiles and MentionUsers are whom firing alerts mention: phone
	// numbers, and user ids; "@all" is everybody, in either. They may be
	// templates, which may name several, separated by "," ";" or "|".
	MentionMobiles []string `yaml:"mention_mobiles,omitempty"`
	MentionUsers   []string `yaml:"mention_users,omitempty"`
	// Message is a template of the markdown; default {{ template "wecom.default" . }}.
	Message string `yaml:"message,omitempty"`
	// Picture sends a chart after the text of lag that fires, as long as half of
	// the robot's limit is left; default true.
	Picture *bool `yaml:"picture,omitempty"`
}

// A robot may send 20 messages a minute (document/path/99110).
var kind = notify.Kind{Name: "wecom_robot", SendResolved: true, Quotas: []notify.Quota{{Messages: 20, Per: time.Minute}}}

// Kind tells what is true of every robot.
func (c *Config) Kind() notify.Kind { return kind }

const example = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"

// Validate says what is wrong with c. Templates are checked by New.
func (c *Config) Validate(f *setting.Faults) {
	c.validateURL(f)
	for i, s := range c.MentionMobiles {
		if !strings.Contains(s, "{{") && !isMobile(s) {
			f.In("mention_mobiles", i).Addf("", "%q is not a phone number: write digits only, or @all", s)
		}
	}
	for i, s := range c.MentionUsers {
		if !strings.Contains(s, "{{") && !isUser(s) {
			f.In("mention_users", i).Addf("", "%q is not a user id: it has letters, digits, and _ - . @, up to 64; or write @all", s)
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
	if templated && !strings.Contains(fixed, "?") {
		f.Addf("url", "only what follows the question mark can be a template: alerts must not choose the server")
		return
	}
	u, err := url.Parse(fixed)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		f.Addf("url", "is not an https address: it looks like %s", example)
	case !templated && u.Query().Get("key") == "":
		f.Addf("url", "has no key: copy the robot's whole webhook address, it looks like %s", example)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		f.Warnf("url", "is plain http: everybody on the way can read the robot's key")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

package slack

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/setting"
)

// Config is one entry of slack_configs. The keys are Alertmanager's. Every text
// but APIURL is a template, in which labels and annotations cannot mention
// anybody; what is left out is the built-in one.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// APIURL is the address of an incoming webhook.
	APIURL setting.Secret `yaml:"api_url,omitempty"`
	// Channel, Username, IconEmoji and IconURL are for webhooks that let the
	// sender choose them; Slack's present ones ignore them.
	Channel   string `yaml:"channel,omitempty"`
	Username  string `yaml:"username,omitempty"`
	IconEmoji string `yaml:"icon_emoji,omitempty"`
	IconURL   string `yaml:"icon_url,omitempty"`
	// Color is good, warning, danger or #rrggbb; by default it goes by severity.
	Color string `yaml:"color,omitempty"`
	// Title and TitleLink are the line above the text, and where it leads.
	Title     string `yaml:"title,omitempty"`
	TitleLink string `yaml:"title_link,omitempty"`
	// Text is Slack's mrkdwn; default {{ template "slack.default" . }}.
	Text string `yaml:"text,omitempty"`
}

// Global holds Alertmanager's slack_ keys of the global section.
type Global struct {
	APIURL setting.Secret `yaml:"slack_api_url,omitempty"`
}

// Inherit takes from g what c leaves out. It goes before Validate.
func (c *Config) Inherit(g Global) { c.APIURL = cmp.Or(c.APIURL, g.APIURL) }

// A webhook may post about one message a second. Resolved alerts are not told by
// default, as in Alertmanager.
var kind = notify.Kind{Name: "slack", Quotas: []notify.Quota{{Messages: 1, Per: time.Second}}}

// Kind tells what is true of every webhook.
func (*Config) Kind() notify.Kind { return kind }

const example = "https://hooks.slack.com/services/T…/B…/…"

// Validate says what is wrong with c. Templates are checked by New.
func (c *Config) Validate(f *setting.Faults) {
	if c.APIURL == "" {
		f.Addf("api_url", "is missing: set it here or slack_api_url under global; it is the incoming webhook's address, %s", example)
		return
	}
	u, err := url.Parse(string(c.APIURL))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Contains(string(c.APIURL), "{{"):
		f.Addf("api_url", "is not an https address: it looks like %s", example)
	case strings.TrimSuffix(u.Host, ":443") == "slack.com" && strings.HasPrefix(u.Path, "/api/"):
		f.Addf("api_url", "is Slack's API, which needs an app token: create an incoming webhook, its address looks like %s", example)
	case u.Scheme == "http" && !setting.IsLoopback(u.Hostname()):
		f.Warnf("api_url", "is plain http: everybody on the way can read the webhook's address")
	}
}

package slack

import (
	"cmp"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/setting"
)

// Config is one entry of slack_configs. The keys are Alertmanager's. Every text but
// APIURL is a template, in which labels and annotations cannot mention anybody; the
// default is the built-in one.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// APIURL is the address of an incoming webhook.
	APIURL setting.Secret `yaml:"api_url,omitempty"`
	// Channel, Username, IconEmoji and IconURL are for webhooks that let the sender
	// choose them; those of Slack's apps ignore them.
	Channel   string `yaml:"channel,omitempty"`
	Username  string `yaml:"username,omitempty"`
	IconEmoji string `yaml:"icon_emoji,omitempty"`
	IconURL   string `yaml:"icon_url,omitempty"`
	// Color is good, warning, danger or #rrggbb; the default depends on the severity.
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

// Inherit fills in the keys that c leaves out. It must precede Validate.
func (c *Config) Inherit(g Global) { c.APIURL = cmp.Or(c.APIURL, g.APIURL) }

// UnsupportedKeys returns the keys that Alertmanager 0.34 has and Tocsin does not,
// separated by white space.
func (*Config) UnsupportedKeys() string {
	return `http_config app_token app_token_file app_url pretext message_text fields short_fields footer
		fallback callback_id image_url thumb_url link_names mrkdwn_in actions update_message timeout`
}

// A webhook may post about one message a second. Resolved alerts are not sent by
// default, as in Alertmanager.
var kind = notify.Kind{Name: "slack", Quotas: []notify.Quota{{Messages: 1, Per: time.Second}}}

// Kind returns the properties that all Slack webhooks share.
func (*Config) Kind() notify.Kind { return kind }

const example = "https://hooks.slack.com/services/T…/B…/…"

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	if c.APIURL == "" {
		f.Addf("api_url", "is missing: set it here or slack_api_url under global; it is the incoming webhook's address, %s", example)
		return
	}
	switch u := chat.ParseURL(string(c.APIURL)); {
	case u == nil || strings.Contains(string(c.APIURL), "{{"):
		f.Addf("api_url", "is not an https address: it looks like %s", example)
	case strings.TrimSuffix(u.Host, ":443") == "slack.com" && strings.HasPrefix(u.Path, "/api/"):
		f.Addf("api_url", "is Slack's API, which needs an app token: create an incoming webhook, its address looks like %s", example)
	default:
		chat.WarnPlainHTTP(f, "api_url", u, "the webhook's address")
	}
}

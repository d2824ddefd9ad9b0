package config

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/inhibit"
	"tocsin/pkg/notify/email"
	"tocsin/pkg/notify/webhook"
	"tocsin/pkg/route"
	"tocsin/pkg/setting"
)

// unsupportedUpstreamKey returns the error text for a key that Alertmanager 0.34 has and
// Tocsin does not, "" for every other key. Such a key is an error and not ignored because
// its author relies on it. Channels may list their own in an UnsupportedKeys method.
// Keys that Tocsin has are never looked up here.
func unsupportedUpstreamKey(in reflect.Type, key string) string {
	var keys string
	switch in {
	case reflect.TypeFor[Config]():
		keys = "tracing event_recorder"
	case reflect.TypeFor[Global]():
		keys = `http_config smtp_tls_config jira_api_url slack_app_token slack_app_token_file slack_app_url
			pagerduty_url opsgenie_api_url opsgenie_api_key opsgenie_api_key_file victorops_api_url
			victorops_api_key victorops_api_key_file telegram_api_url telegram_bot_token
			telegram_bot_token_file webex_api_url rocketchat_api_url rocketchat_token
			rocketchat_token_file rocketchat_token_id rocketchat_token_id_file
			mattermost_webhook_url mattermost_webhook_url_file`
	case reflect.TypeFor[Receiver]():
		keys = `labels discord_configs incidentio_configs pagerduty_configs opsgenie_configs pushover_configs
			victorops_configs sns_configs telegram_configs webex_configs msteams_configs
			msteamsv2_configs jira_configs rocketchat_configs mattermost_configs`
	case reflect.TypeFor[email.Config]():
		keys = "tls_config"
	case reflect.TypeFor[webhook.HTTPConfig]():
		keys = `bearer_token bearer_token_file oauth2 tls_config follow_redirects enable_http2 proxy_url no_proxy
			proxy_from_environment proxy_connect_header http_headers`
	default:
		if entry, ok := reflect.New(in).Interface().(interface{ UnsupportedKeys() string }); ok {
			keys = entry.UnsupportedKeys()
		}
	}
	if !slices.Contains(strings.Fields(keys), key) {
		return ""
	}
	return "is Alertmanager's, and Tocsin does not have it yet: remove it"
}

// AlertmanagerYAML returns the part of the configuration that Alertmanager's strict parser
// accepts, with masked secrets, for the status of API v2: amtool reads the routes from
// it. Receivers have their names and e-mail only.
func (c *Config) AlertmanagerYAML() (string, error) {
	type receiver struct {
		Name  string         `yaml:"name"`
		Email []email.Config `yaml:"email_configs,omitempty"`
	}
	var known struct {
		Global struct {
			ResolveTimeout setting.Duration `yaml:"resolve_timeout"`
			SMTP           email.Global     `yaml:",inline"`
		} `yaml:"global"`
		Route         *route.Config        `yaml:"route"`
		Receivers     []receiver           `yaml:"receivers"`
		InhibitRules  []inhibit.Rule       `yaml:"inhibit_rules,omitempty"`
		TimeIntervals []route.TimeInterval `yaml:"time_intervals,omitempty"`
		Templates     []string             `yaml:"templates,omitempty"`
	}
	known.Global.ResolveTimeout, known.Global.SMTP = c.Global.ResolveTimeout, c.Global.SMTP
	known.Route = upstreamRoute(c.Route)
	for i := range c.Receivers {
		r := receiver{Name: c.Receivers[i].Name}
		for _, e := range c.Receivers[i].Email {
			e.RateLimit = nil
			r.Email = append(r.Email, e)
		}
		known.Receivers = append(known.Receivers, r)
	}
	known.InhibitRules, known.TimeIntervals, known.Templates = c.InhibitRules, c.Intervals(), c.Templates
	b, err := yaml.Dump(known)
	return string(b), err
}

// upstreamRoute returns a copy of the route without the keys that only Tocsin has.
func upstreamRoute(c *route.Config) *route.Config {
	r := *c
	r.RepeatSchedule, r.ResolvedAtOnce = nil, nil
	r.Routes = nil
	for _, child := range c.Routes {
		r.Routes = append(r.Routes, upstreamRoute(child))
	}
	return &r
}

package config

import (
	"reflect"
	"slices"
	"strings"

	"tocsin/pkg/notify/email"
	"tocsin/pkg/notify/webhook"
)

// unsupportedUpstreamKey recognises the keys that Alertmanager 0.34 has and Tocsin
// does not, and returns the error text for them, "" for every other key. They are
// errors because whoever wrote them relies on them. A channel may name its own.
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

package config

import (
	"reflect"
	"slices"
	"strings"

	"tocsin/pkg/notify/email"
)

// foreign recognises keys that Alertmanager 0.34 has and Tocsin does not. They
// are faults, for who wrote them counts on them.
func foreign(in reflect.Type, key string) string {
	var keys string
	switch in {
	case reflect.TypeFor[Config]():
		keys = "tracing event_recorder"
	case reflect.TypeFor[Global]():
		keys = `http_config smtp_tls_config jira_api_url slack_api_url slack_api_url_file slack_app_token
			slack_app_token_file slack_app_url pagerduty_url opsgenie_api_url opsgenie_api_key
			opsgenie_api_key_file wechat_api_url wechat_api_secret wechat_api_secret_file
			wechat_api_corp_id victorops_api_url victorops_api_key victorops_api_key_file
			telegram_api_url telegram_bot_token telegram_bot_token_file webex_api_url
			rocketchat_api_url rocketchat_token rocketchat_token_file rocketchat_token_id
			rocketchat_token_id_file mattermost_webhook_url mattermost_webhook_url_file`
	case reflect.TypeFor[Receiver]():
		keys = `labels discord_configs incidentio_configs pagerduty_configs slack_configs
			opsgenie_configs wechat_configs pushover_configs victorops_configs sns_configs
			telegram_configs webex_configs msteams_configs msteamsv2_configs jira_configs
			rocketchat_configs mattermost_configs`
	case reflect.TypeFor[email.Config]():
		keys = "tls_config"
	}
	if !slices.Contains(strings.Fields(keys), key) {
		return ""
	}
	return "is Alertmanager's, and Tocsin does not have it yet: remove it"
}

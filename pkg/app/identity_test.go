package app

import (
	"testing"

	"tocsin/pkg/notify/webhook"
	"tocsin/pkg/setting"
)

func TestIntegrationIdentity(t *testing.T) {
	entry := func(url, password string, max uint64) *webhook.Config {
		return &webhook.Config{
			URL: setting.Secret(url), MaxAlerts: max, Payload: map[string]any{"b": []any{1, "x"}, "a": true, "c": nil},
			HTTP: &webhook.HTTPConfig{BasicAuth: &webhook.BasicAuth{Username: "u", Password: setting.Secret(password)}},
		}
	}
	base := integrationIdentity("webhook", entry("http://a", "p", 1))
	for _, tc := range []struct {
		name string
		got  string
		same bool
	}{
		{"an equal entry", integrationIdentity("webhook", entry("http://a", "p", 1)), true},
		{"another kind", integrationIdentity("chat", entry("http://a", "p", 1)), false},
		{"another URL, which is a secret", integrationIdentity("webhook", entry("http://b", "p", 1)), false},
		{"another nested secret", integrationIdentity("webhook", entry("http://a", "q", 1)), false},
		{"another number", integrationIdentity("webhook", entry("http://a", "p", 2)), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if same := tc.got == base; same != tc.same {
				t.Errorf("got the same identity: %v, want %v", same, tc.same)
			}
		})
	}
}

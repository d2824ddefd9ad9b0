package phone

import (
	"testing"

	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestValidateAccount(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"valid", func(*Config) {}, nil},
		{"key of the role", func(c *Config) { c.SecretID, c.SecretKey = "", "" }, nil},
		{"endpoint", func(c *Config) { c.Endpoint = "https://sms.tencentcloudapi.com" }, nil},
		{"no application", func(c *Config) { c.SdkAppID = "" }, []string{"[sdk_app_id]"}},
		{"no template", func(c *Config) { c.TemplateID = "" }, []string{"[template_id]"}},
		{"no secret key", func(c *Config) { c.SecretKey = "" }, []string{"[secret_key]"}},
		{"no secret id", func(c *Config) { c.SecretID = "" }, []string{"[secret_id]"}},
		{"endpoint without a scheme", func(c *Config) { c.Endpoint = "sms.tencentcloudapi.com" }, []string{"[endpoint]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{SdkAppID: "1400006666", TemplateID: "1001", SecretID: "id", SecretKey: "the-key"}
			tt.change(&c)
			notifytest.CheckFaults(t, func(f *setting.Faults) { c.ValidateAccount(f, "the console") }, tt.want, "the-key")
		})
	}
}

func TestInherit(t *testing.T) {
	own := Config{SecretID: "own", SecretKey: "own-key"}
	own.Inherit("global", "global-key")
	if own.SecretID != "own" || own.SecretKey != "own-key" {
		t.Errorf("got the key %q, want the entry's own", own.SecretID)
	}
	var none Config
	none.Inherit("global", "global-key")
	if none.SecretID != "global" || none.SecretKey != "global-key" {
		t.Errorf("got the key %q, want the global one", none.SecretID)
	}
}

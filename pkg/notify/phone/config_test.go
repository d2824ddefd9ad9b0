package phone

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/pkg/setting"
)

func TestValidateAccount(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // the path of the fault, "" for none
	}{
		{"valid", func(*Config) {}, ""},
		{"key of the role", func(c *Config) { c.SecretID, c.SecretKey = "", "" }, ""},
		{"endpoint", func(c *Config) { c.Endpoint = "https://sms.tencentcloudapi.com" }, ""},
		{"no application", func(c *Config) { c.SdkAppID = "" }, "[sdk_app_id]"},
		{"no template", func(c *Config) { c.TemplateID = "" }, "[template_id]"},
		{"no secret key", func(c *Config) { c.SecretKey = "" }, "[secret_key]"},
		{"no secret id", func(c *Config) { c.SecretID = "" }, "[secret_id]"},
		{"endpoint without a scheme", func(c *Config) { c.Endpoint = "sms.tencentcloudapi.com" }, "[endpoint]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{SdkAppID: "1400006666", TemplateID: "1001", SecretID: "id", SecretKey: "the-key"}
			tt.change(&c)
			var f setting.Faults
			c.ValidateAccount(&f, "the console")
			got := ""
			for _, fault := range f.List() {
				got += fmt.Sprint(fault.Path)
				if strings.Contains(fault.Message, "the-key") {
					t.Errorf("got the key in %q, want it hidden", fault.Message)
				}
			}
			if got != tt.want {
				t.Errorf("got faults at %q, want %q", got, tt.want)
			}
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

package sms

import (
	"testing"

	"tocsin/pkg/notify/notifytest"
)

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"valid", func(*Config) {}, nil},
		{"template of numbers", func(c *Config) { c.To = []string{"{{ .CommonAnnotations.phones }}"} }, nil},
		{"international numbers without a signature", func(c *Config) { c.To, c.SignName = []string{"+14155550100"}, "" }, nil},
		{"no application", func(c *Config) { c.SdkAppID = "" }, []string{"[sdk_app_id]"}},
		{"no signature", func(c *Config) { c.SignName = "" }, []string{"[sign_name]"}},
		{"signature in brackets", func(c *Config) { c.SignName = "【示例公司】" }, []string{"[sign_name]"}},
		{"no numbers", func(c *Config) { c.To = nil }, []string{"[to]"}},
		{"bad number", func(c *Config) { c.To = []string{"13800000000", "1380000"} }, []string{"[to 1]"}},
		{"empty number", func(c *Config) { c.To = []string{"13800000000", " "} }, []string{"[to 1]"}},
		{"negative length", func(c *Config) { c.ParamMaxLength = -1 }, []string{"[param_max_length]"}},
		{"empty entry", func(c *Config) { *c = Config{} }, []string{"[sdk_app_id]", "[template_id]", "[sign_name]", "[to]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConfig("+8613800000000")
			tt.change(c)
			notifytest.CheckFaults(t, c.Validate, tt.want, notifytest.TencentSecretKey)
		})
	}
}

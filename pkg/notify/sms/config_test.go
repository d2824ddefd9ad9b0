package sms

import (
	"fmt"
	"testing"

	"tocsin/pkg/setting"
)

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // the path of the fault, "" for none
	}{
		{"valid", func(*Config) {}, ""},
		{"template of numbers", func(c *Config) { c.To = []string{"{{ .CommonAnnotations.tos }}"} }, ""},
		{"international numbers without a signature", func(c *Config) { c.To, c.SignName = []string{"+14155550100"}, "" }, ""},
		{"no application", func(c *Config) { c.SdkAppID = "" }, "[sdk_app_id]"},
		{"no signature", func(c *Config) { c.SignName = "" }, "[sign_name]"},
		{"signature in brackets", func(c *Config) { c.SignName = "【示例公司】" }, "[sign_name]"},
		{"no numbers", func(c *Config) { c.To = nil }, "[to]"},
		{"bad number", func(c *Config) { c.To = []string{"13800000000", "1380000"} }, "[to 1]"},
		{"empty number", func(c *Config) { c.To = []string{"13800000000", " "} }, "[to 1]"},
		{"negative length", func(c *Config) { c.ParamMaxLength = -1 }, "[param_max_length]"},
		{"empty entry", func(c *Config) { *c = Config{} }, "[sdk_app_id][template_id][sign_name][to]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConfig("+8613800000000")
			tt.change(c)
			var f setting.Faults
			c.Validate(&f)
			got := ""
			for _, fault := range f.List() {
				got += fmt.Sprint(fault.Path)
			}
			if got != tt.want {
				t.Errorf("got faults at %q, want %q", got, tt.want)
			}
		})
	}
}

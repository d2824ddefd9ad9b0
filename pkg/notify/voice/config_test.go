package voice

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
		{"played once", func(c *Config) { c.PlayTimes = 1 }, nil},
		{"played three times", func(c *Config) { c.PlayTimes = 3 }, nil},
		{"no variables", func(c *Config) { c.Params = nil }, nil},
		{"no application", func(c *Config) { c.SdkAppID = "" }, []string{"[sdk_app_id]"}},
		{"no numbers", func(c *Config) { c.To = nil }, []string{"[to]"}},
		{"bad number", func(c *Config) { c.To = []string{"13800000000", "1380000"} }, []string{"[to 1]"}},
		{"empty number", func(c *Config) { c.To = []string{"13800000000", " "} }, []string{"[to 1]"}},
		{"foreign number", func(c *Config) { c.To = []string{"13800000000; +85290000000"} }, []string{"[to 0]"}},
		{"played four times", func(c *Config) { c.PlayTimes = 4 }, []string{"[play_times]"}},
		{"played a negative number of times", func(c *Config) { c.PlayTimes = -1 }, []string{"[play_times]"}},
		{"negative length", func(c *Config) { c.ParamMaxLength = -1 }, []string{"[param_max_length]"}},
		{"empty entry", func(c *Config) { *c = Config{} }, []string{"[sdk_app_id]", "[template_id]", "[to]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConfig("+8613800000000")
			tt.change(c)
			notifytest.CheckFaults(t, c.Validate, tt.want, notifytest.TencentSecretKey, "85290000000")
		})
	}
}

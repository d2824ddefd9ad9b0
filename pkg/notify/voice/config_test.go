package voice

import (
	"fmt"
	"strings"
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
		{"template of numbers", func(c *Config) { c.To = []string{"{{ .CommonAnnotations.phones }}"} }, ""},
		{"played once", func(c *Config) { c.PlayTimes = 1 }, ""},
		{"played three times", func(c *Config) { c.PlayTimes = 3 }, ""},
		{"no variables", func(c *Config) { c.Params = nil }, ""},
		{"no application", func(c *Config) { c.SdkAppID = "" }, "[sdk_app_id]"},
		{"no numbers", func(c *Config) { c.To = nil }, "[to]"},
		{"bad number", func(c *Config) { c.To = []string{"13800000000", "1380000"} }, "[to 1]"},
		{"empty number", func(c *Config) { c.To = []string{"13800000000", " "} }, "[to 1]"},
		{"foreign number", func(c *Config) { c.To = []string{"13800000000; +85290000000"} }, "[to 0]"},
		{"played four times", func(c *Config) { c.PlayTimes = 4 }, "[play_times]"},
		{"played a negative number of times", func(c *Config) { c.PlayTimes = -1 }, "[play_times]"},
		{"negative length", func(c *Config) { c.ParamMaxLength = -1 }, "[param_max_length]"},
		{"empty entry", func(c *Config) { *c = Config{} }, "[sdk_app_id][template_id][to]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConfig("+8613800000000")
			tt.change(c)
			var f setting.Faults
			c.Validate(&f)
			got := ""
			for _, fault := range f.List() {
				got += fmt.Sprint(fault.Path)
				if strings.Contains(fault.Message, "85290000000") {
					t.Errorf("got the number in %q, want it masked", fault.Message)
				}
			}
			if got != tt.want {
				t.Errorf("got faults at %q, want %q", got, tt.want)
			}
		})
	}
}

package voice

import (
	"fmt"
	"strings"
	"testing"

	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // the path of the one fault, "" for none
	}{
		{"valid", func(*Config) {}, ""},
		{"a template of numbers", func(c *Config) { c.To = []string{"{{ .CommonAnnotations.phones }}"} }, ""},
		{"once", func(c *Config) { c.PlayTimes = 1 }, ""},
		{"three times", func(c *Config) { c.PlayTimes = 3 }, ""},
		{"no variables", func(c *Config) { c.Params = nil }, ""},
		{"no application", func(c *Config) { c.SdkAppID = "" }, "[sdk_app_id]"},
		{"no template", func(c *Config) { c.TemplateID = "" }, "[template_id]"},
		{"no numbers", func(c *Config) { c.To = nil }, "[to]"},
		{"a bad number", func(c *Config) { c.To = []string{"13800000000", "1380000"} }, "[to 1]"},
		{"an empty number", func(c *Config) { c.To = []string{"13800000000", " "} }, "[to 1]"},
		{"a foreign number", func(c *Config) { c.To = []string{"13800000000; +85290000000"} }, "[to 0]"},
		{"four times", func(c *Config) { c.PlayTimes = 4 }, "[play_times]"},
		{"less than never", func(c *Config) { c.PlayTimes = -1 }, "[play_times]"},
		{"a negative length", func(c *Config) { c.ParamMaxLength = -1 }, "[param_max_length]"},
		{"half a key", func(c *Config) { c.SecretKey = "" }, "[secret_key]"},
		{"the other half", func(c *Config) { c.SecretID = "" }, "[secret_id]"},
		{"a bad endpoint", func(c *Config) { c.Endpoint = "vms.tencentcloudapi.com" }, "[endpoint]"},
	} {
		c := newConfig("+8613800000000")
		tt.change(c)
		var f setting.Faults
		c.Validate(&f)
		var got []string
		for _, fault := range f.List() {
			got = append(got, fmt.Sprint(fault.Path))
			for _, secret := range []string{notifytest.TencentSecretKey, "85290000000"} {
				if strings.Contains(fault.Message, secret) {
					t.Errorf("%s: %s is in %q", tt.name, secret, fault.Message)
				}
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: faults at %s, want %s", tt.name, s, tt.want)
		}
	}
	var f setting.Faults
	new(Config).Validate(&f) // bears everything missing
	if len(f.List()) != 3 {
		t.Errorf("an empty entry has %d faults, want 3", len(f.List()))
	}
}

func TestInherit(t *testing.T) {
	own := Config{SecretID: "own", SecretKey: "own-key"}
	own.Inherit("global", "global-key")
	if own.SecretID != "own" || own.SecretKey != "own-key" {
		t.Errorf("its own key was replaced by %q", own.SecretID)
	}
	var none Config
	none.Inherit("global", "global-key")
	if none.SecretID != "global" || none.SecretKey != "global-key" {
		t.Errorf("the global key was not taken, but %q", none.SecretID)
	}
}

func TestBadTemplatesAreNamed(t *testing.T) {
	_, env := startCloud(t, nil)
	for want, change := range map[string]func(*Config){
		"to: 0: ":     func(c *Config) { c.To[0] = "{{ .Nope" },
		"params: 1: ": func(c *Config) { c.Params[1] = "{{ nope }}" },
	} {
		c := newConfig("+8613800000000")
		change(c)
		if _, err := c.New(env, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want it to begin with %q", err, want)
		}
	}
}

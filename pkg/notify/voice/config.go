package voice

import (
	"cmp"
	"fmt"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
	"tocsin/pkg/setting"
	"tocsin/pkg/tencent"
)

const (
	defaultRegion   = "ap-guangzhou"
	defaultEndpoint = "https://vms.tencentcloudapi.com"

	// The vendor says a text so often unless it is told otherwise, and at most so
	// often.
	defaultPlayTimes = 2
	maxPlayTimes     = 3
)

// Config is one entry of voice_configs.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// SdkAppID is the application's id in the console of voice messages.
	SdkAppID string `yaml:"sdk_app_id"`
	// TemplateID is the approved template's id.
	TemplateID string `yaml:"template_id"`
	// Params are templates, one for each variable of the voice template. None are
	// for a template without variables.
	Params []string `yaml:"params,omitempty"`
	// ParamMaxLength is how many characters a variable may hold; default 20. All
	// of the text may have 350.
	ParamMaxLength int `yaml:"param_max_length,omitempty"`
	// To are templates of phone numbers in mainland China, or of lists of them
	// separated by commas or semicolons.
	To []string `yaml:"to"`
	// PlayTimes is how often the text is said to who answers, 1 to 3; default 2.
	PlayTimes int `yaml:"play_times,omitempty"`

	// Region is the API's; default ap-guangzhou. It does not matter where the
	// numbers are.
	Region string `yaml:"region,omitempty"`
	// SecretID and SecretKey are a key of its own. Without them it is
	// global.tencent_secret_id, then the function's role.
	SecretID  string         `yaml:"secret_id,omitempty"`
	SecretKey setting.Secret `yaml:"secret_key,omitempty"`
	// Endpoint is the API's address; default https://vms.tencentcloudapi.com.
	Endpoint string `yaml:"endpoint,omitempty"`
}

// Kind describes the channel: it rings phones, so that resolved alerts are not
// told by default and nobody is called twice for one thing. The quotas are two of
// the vendor's limits for a number (product/1128/38004). What is more waits for
// them, and rings as one call. The others, three calls a day and one between
// 22:00 and 08:00, are left to the vendor: it refuses, and the fallback is told
// at once, where a quota would let the notification wait in silence for hours.
func (*Config) Kind() notify.Kind {
	return notify.Kind{
		Name: "voice", AtMostOnce: true, PerUnit: true,
		Quotas: []notify.Quota{{Messages: 1, Per: 30 * time.Second}, {Messages: 2, Per: 10 * time.Minute}},
	}
}

// Inherit gives c the global key if it has none of its own. It goes before
// Validate.
func (c *Config) Inherit(id string, key setting.Secret) {
	if c.SecretID == "" && c.SecretKey == "" {
		c.SecretID, c.SecretKey = id, key
	}
}

// Validate adds what is wrong with c to f. Templates are judged by New.
func (c *Config) Validate(f *setting.Faults) {
	if c.SdkAppID == "" {
		f.Addf("sdk_app_id", "is missing: it is the application's SdkAppId in the console of voice messages, such as 1400006666")
	}
	if c.TemplateID == "" {
		f.Addf("template_id", "is missing: it is the id of an approved template in the console of voice messages")
	}
	phone.Validate(f, c.To, reachable)
	if c.ParamMaxLength < 0 {
		f.Addf("param_max_length", "must be a number of characters: 20 is the default")
	}
	if c.PlayTimes < 0 || c.PlayTimes > maxPlayTimes {
		f.Addf("play_times", "must be 1, 2 or 3: so often the text is said")
	}
	switch {
	case c.SecretID != "" && c.SecretKey == "":
		f.Addf("secret_key", "is missing: secret_id and secret_key are given together or not at all")
	case c.SecretID == "" && c.SecretKey != "":
		f.Addf("secret_id", "is missing: secret_id and secret_key are given together or not at all")
	}
	if err := tencent.CheckEndpoint(c.endpoint()); err != nil {
		f.Addf("endpoint", "%v", err)
	}
}

func (c *Config) endpoint() string { return cmp.Or(c.Endpoint, defaultEndpoint) }

// reachable tells why a number cannot be called.
func reachable(number string) error {
	if !phone.IsDomestic(number) {
		return fmt.Errorf("%s is abroad: voice calls reach mainland China only", phone.Mask(number))
	}
	return nil
}

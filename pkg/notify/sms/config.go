package sms

import (
	"cmp"
	"strings"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
	"tocsin/pkg/setting"
	"tocsin/pkg/tencent"
)

const (
	defaultRegion   = "ap-guangzhou"
	defaultEndpoint = "https://sms.tencentcloudapi.com"
)

// Config is one entry of sms_configs.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// SdkAppID is the application's id in the SMS console.
	SdkAppID string `yaml:"sdk_app_id"`
	// SignName is the approved signature's text, without 【】. Mainland numbers
	// need it.
	SignName string `yaml:"sign_name,omitempty"`
	// TemplateID is the approved template's id.
	TemplateID string `yaml:"template_id"`
	// Params are templates, one for each variable of the SMS template. None are
	// for a template without variables.
	Params []string `yaml:"params,omitempty"`
	// ParamMaxLength is how many characters a variable may hold; default 20.
	ParamMaxLength int `yaml:"param_max_length,omitempty"`
	// To are templates of phone numbers, or of lists of them separated by commas
	// or semicolons.
	To []string `yaml:"to"`

	// Region is the API's; default ap-guangzhou. It does not matter where the
	// numbers are.
	Region string `yaml:"region,omitempty"`
	// SecretID and SecretKey are a key of its own. Without them it is
	// global.tencent_secret_id, then the function's role.
	SecretID  string         `yaml:"secret_id,omitempty"`
	SecretKey setting.Secret `yaml:"secret_key,omitempty"`
	// Endpoint is the API's address; default https://sms.tencentcloudapi.com.
	Endpoint string `yaml:"endpoint,omitempty"`
}

// Kind describes the channel: messages cost money and ring phones, so that
// resolved alerts are not told by default and none is sent twice. What a number
// may be sent is set in the vendor's console, so that only rate_limit knows it.
func (*Config) Kind() notify.Kind {
	return notify.Kind{Name: "sms", AtMostOnce: true, PerUnit: true}
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
		f.Addf("sdk_app_id", "is missing: it is the application's SdkAppId in the SMS console, such as 1400006666")
	}
	if c.TemplateID == "" {
		f.Addf("template_id", "is missing: it is the id of an approved template in the SMS console")
	}
	switch {
	case strings.ContainsAny(c.SignName, "【】"):
		f.Addf("sign_name", "is the signature's text without 【】")
	case c.SignName == "" && !phone.OnlyInternational(c.To):
		f.Addf("sign_name", "is missing: numbers in mainland China need an approved signature's text")
	}
	phone.Validate(f, c.To, nil)
	if c.ParamMaxLength < 0 {
		f.Addf("param_max_length", "must be a number of characters: 20 is the default, 12 is for individual accounts, 6 for new ones")
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

package sms

import (
	"strings"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/phone"
	"tocsin/pkg/setting"
)

const defaultEndpoint = "https://sms.tencentcloudapi.com"

// Config is one entry of sms_configs.
type Config struct {
	notify.CommonConfig `yaml:",inline"`
	phone.Config        `yaml:",inline"`

	// SignName is the text of the approved signature, without 【】. Numbers in
	// mainland China need it.
	SignName string `yaml:"sign_name,omitempty"`
}

// Kind returns the channel's properties. Messages cost money and ring phones: a
// resolved notification is not sent by default, and nothing is sent twice. There are
// no quotas, because the limits of a number are set in the vendor's console.
func (*Config) Kind() notify.Kind {
	return notify.Kind{Name: "sms", AtMostOnce: true, PerUnit: true}
}

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	c.ValidateAccount(f, "the SMS console")
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
}

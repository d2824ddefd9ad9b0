package api

import (
	"cmp"

	"tocsin/pkg/intake"
	"tocsin/pkg/setting"
)

const (
	// DefaultMaxBody is the bytes of a hook's body unless the configuration says
	// otherwise.
	DefaultMaxBody setting.Size = 1 << 20
	mostBody                    = 32 << 20
	// DefaultRateLimit is the requests a second with one token.
	DefaultRateLimit = 1000
)

// WebhookConfig is the part `webhook` of the configuration: who may speak to the
// API, and the hooks that take other systems' alerts.
type WebhookConfig struct {
	Auth AuthConfig `yaml:"auth,omitempty"`
	// MaxBody bounds the body of a message to a hook, packed and unpacked.
	MaxBody setting.Size `yaml:"max_body,omitempty"`
	// RateLimit bounds the requests a second with one token, in each instance; up
	// to as many at once.
	RateLimit int                    `yaml:"rate_limit,omitempty"`
	SNS       intake.SNSConfig       `yaml:"sns,omitempty"`
	Generic   []intake.GenericConfig `yaml:"generic,omitempty"`
}

// Validate adds what is wrong with c to f.
func (c *WebhookConfig) Validate(f *setting.Faults) {
	c.Auth.Validate(f.In("auth"))
	c.SNS.Validate(f.In("sns"))
	if c.MaxBody > mostBody {
		f.Addf("max_body", "must be at most %s, not %s", setting.Size(mostBody), c.MaxBody)
	}
	if c.RateLimit < 0 {
		f.Addf("rate_limit", "must be 1 or more, not %d: it is requests a second with one token", c.RateLimit)
	}
	names := map[string]bool{}
	for i := range c.Generic {
		g, f := &c.Generic[i], f.In("generic", i)
		g.Validate(f)
		if g.Name != "" && names[g.Name] {
			f.Addf("name", "%q is taken by another hook: names must differ", g.Name)
		}
		names[g.Name] = true
	}
}

func (c *WebhookConfig) maxBody() int64 { return int64(cmp.Or(c.MaxBody, DefaultMaxBody)) }
func (c *WebhookConfig) rate() int      { return cmp.Or(c.RateLimit, DefaultRateLimit) }

package api

import (
	"cmp"
	"strings"

	"tocsin/pkg/intake"
	"tocsin/pkg/setting"
)

const (
	// DefaultMaxBody is the default limit on the body of a hook, in bytes.
	DefaultMaxBody setting.Size = 1 << 20
	maxMaxBody                  = 32 << 20
	// DefaultRateLimit is the default limit on the requests per second with a token.
	DefaultRateLimit = 1000
)

// WebhookConfig is the part `webhook` of the configuration: authentication for the API
// and the hooks that receive other systems' alerts.
type WebhookConfig struct {
	Auth AuthConfig `yaml:"auth,omitempty"`
	// MaxBody is the limit on the body of a hook, before and after decompression.
	MaxBody setting.Size `yaml:"max_body,omitempty"`
	// RateLimit is the limit on the requests per second with a token, in each
	// instance. As many may come at once.
	RateLimit int                    `yaml:"rate_limit,omitempty"`
	SNS       intake.SNSConfig       `yaml:"sns,omitempty"`
	Generic   []intake.GenericConfig `yaml:"generic,omitempty"`
}

// Validate adds the faults of c to f.
func (c *WebhookConfig) Validate(f *setting.Faults) {
	c.Auth.Validate(f.In("auth"))
	c.SNS.Validate(f.In("sns"))
	if c.MaxBody > maxMaxBody {
		f.Addf("max_body", "must be at most %s, not %s", setting.Size(maxMaxBody), c.MaxBody)
	}
	if c.RateLimit < 0 {
		f.Addf("rate_limit", "must be 1 or more, not %d: it is the requests per second with one token", c.RateLimit)
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

// AuthConfig is the part `webhook.auth` of the configuration.
type AuthConfig struct {
	// Tokens are required on every path except /-/healthy and /-/ready. Several are
	// valid at the same time, so that a token can be replaced.
	Tokens []TokenConfig `yaml:"tokens,omitempty"`
	// Public confirms that the API is meant to be open without tokens.
	Public bool `yaml:"public,omitempty"`
}

// TokenConfig is a token and the paths that it allows; all paths, unless Hosts or
// Paths restrict it.
type TokenConfig struct {
	// Name identifies the token in logs.
	Name  string         `yaml:"name"`
	Token setting.Secret `yaml:"token"`
	// Hosts are ids of hosts. The token allows paths below /agents/ID/.
	Hosts []string `yaml:"hosts,omitempty"`
	// Paths are the paths that the token allows, with all paths below them.
	Paths []string `yaml:"paths,omitempty"`
}

// Open reports whether neither tokens nor public access are configured. A deployed
// function must not start then.
func (c *AuthConfig) Open() bool { return len(c.Tokens) == 0 && !c.Public }

// minTokenSize is the length below which a token may be guessed, in bytes.
const minTokenSize = 16

// Validate adds the faults of c to f.
func (c *AuthConfig) Validate(f *setting.Faults) {
	names, values := map[string]bool{}, map[string]bool{}
	for i := range c.Tokens {
		t, f := &c.Tokens[i], f.In("tokens", i)
		value := string(t.Token)
		switch {
		case t.Name == "":
			f.Addf("name", "is missing: it identifies the token in logs")
		case names[t.Name]:
			f.Addf("name", "%q is taken by another token: names must differ", t.Name)
		}
		switch {
		case value == "":
			f.Addf("token", "is missing: the sender authenticates by it; openssl rand -hex 32 generates one")
		case values[value]:
			f.Addf("token", "is the same as another token: they must differ")
		case strings.Trim(value, "\t\r\n ") != value || strings.ContainsAny(value, "\r\n"):
			f.Addf("token", "begins or ends with white space or contains a line break: headers cannot transport that")
		case len(value) < minTokenSize:
			f.Warnf("token", "has %d bytes, which can be guessed: use %d or more, such as openssl rand -hex 32 generates", len(value), minTokenSize)
		}
		names[t.Name], values[value] = true, true
		for j, host := range t.Hosts {
			if host == "" {
				f.In("hosts", j).Addf("", "is empty: it is the id of a host")
			}
		}
		for j, path := range t.Paths {
			if !strings.HasPrefix(path, "/") {
				f.In("paths", j).Addf("", "%q is not a path: paths begin with a slash, such as /hooks/", path)
			}
			if strings.HasPrefix(path+"/", programsPath) {
				f.In("paths", j).Addf("", "%s is for tokens without hosts and paths only: give this one neither, or remove the path", path)
			}
		}
	}
	if c.Public && len(c.Tokens) > 0 {
		f.Addf("public", "is true although there are tokens: remove one of the two")
	}
}

package webhook

import (
	"strings"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/setting"
)

// Config is one entry of webhook_configs. The keys and their meaning are
// Alertmanager's, except for Secret.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// URL is the address that notifications are posted to. What follows the server may
	// be a template, in which values of alerts are percent-encoded.
	URL setting.Secret `yaml:"url,omitempty"`
	// HTTP authenticates Tocsin to the server.
	HTTP *HTTPConfig `yaml:"http_config,omitempty"`
	// Secret signs every request by the Standard Webhooks specification: whsec_ and
	// base64. Several secrets, separated by spaces or commas, make a signature each,
	// so that the receiver can change from one to the next.
	Secret setting.Secret `yaml:"secret,omitempty"`
	// MaxAlerts is how many alerts a message has; truncatedAlerts counts the rest.
	// The default 0 is all.
	MaxAlerts uint64 `yaml:"max_alerts,omitempty"`
	// Timeout bounds one attempt. The default 0 leaves it to the caller.
	Timeout setting.Duration `yaml:"timeout,omitempty"`
	// Payload replaces the body: mappings, lists and values as in YAML, in which
	// every string is a template. Output that parses as YAML of another type becomes
	// that type, as in Alertmanager.
	Payload any `yaml:"payload,omitempty"`
}

// HTTPConfig is the authentication part of Alertmanager's http_config. Only one of
// the two can be given.
type HTTPConfig struct {
	BasicAuth     *BasicAuth     `yaml:"basic_auth,omitempty"`
	Authorization *Authorization `yaml:"authorization,omitempty"`
}

// BasicAuth is a user name and a password.
type BasicAuth struct {
	Username string         `yaml:"username,omitempty"`
	Password setting.Secret `yaml:"password,omitempty"`
}

// Authorization is the header of that name.
type Authorization struct {
	// Type precedes the credentials; default Bearer.
	Type        string         `yaml:"type,omitempty"`
	Credentials setting.Secret `yaml:"credentials,omitempty"`
}

// There are no quotas that apply to all webhooks.
var kind = notify.Kind{Name: "webhook", SendResolved: true}

// Kind returns the channel's properties.
func (*Config) Kind() notify.Kind { return kind }

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	c.validateURL(f)
	if c.Secret != "" {
		if _, err := parseKeys(string(c.Secret)); err != nil {
			f.Addf("secret", "%v", err)
		}
	}
	if c.Timeout < 0 {
		f.Addf("timeout", "must not be below 0s")
	}
	if c.HTTP != nil {
		c.HTTP.validate(f.In("http_config"))
	}
}

func (c *Config) validateURL(f *setting.Faults) {
	address := string(c.URL)
	if address == "" {
		f.Addf("url", "is missing: it is the address that notifications are posted to")
		return
	}
	fixed, _, templated := strings.Cut(address, "{{")
	switch u := chat.ParseURL(fixed); {
	case templated && (u == nil || u.Path == "" && !strings.Contains(fixed, "?")):
		f.Addf("url", "only what follows the server's name can be a template: alerts must not choose the server")
	case u == nil:
		f.Addf("url", "is not an https address: it looks like https://hooks.example.com/alerts")
	default:
		chat.WarnPlainHTTP(f, "url", u, "the alerts")
	}
}

func (h *HTTPConfig) validate(f *setting.Faults) {
	if h.BasicAuth != nil && h.Authorization != nil {
		f.Addf("authorization", "is given together with basic_auth: keep one of them")
		return
	}
	if b := h.BasicAuth; b != nil && strings.Contains(b.Username, ":") {
		f.In("basic_auth").Addf("username", "must not have a colon: it ends the name (RFC 7617)")
	}
	if a := h.Authorization; a != nil {
		switch {
		case strings.EqualFold(a.Type, "basic"):
			f.In("authorization").Addf("type", "cannot be Basic: use basic_auth, which has a username and a password")
		case strings.ContainsFunc(a.Type, isNotToken):
			f.In("authorization").Addf("type", "is one word, such as Bearer")
		case a.Credentials == "":
			f.In("authorization").Addf("credentials", "is missing: it is what stands behind %s", a.scheme())
		case strings.ContainsFunc(string(a.Credentials), isControl):
			f.In("authorization").Addf("credentials", "has a line break or another control character, which no header can carry")
		}
	}
}

func (a *Authorization) scheme() string {
	if a.Type == "" {
		return "Bearer"
	}
	return a.Type
}

func isControl(r rune) bool  { return r < ' ' || r == 0x7F }
func isNotToken(r rune) bool { return r <= ' ' || r >= 0x7F }

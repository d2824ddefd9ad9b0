package webhook

import (
	"net/url"
	"strings"

	"tocsin/pkg/notify"
	"tocsin/pkg/setting"
)

// Config is one entry of webhook_configs. The keys are Alertmanager's with their
// meaning, but for Secret.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// URL is where notifications are posted to. Its query may be a template.
	URL setting.Secret `yaml:"url,omitempty"`
	// HTTP is how Tocsin makes itself known to the server.
	HTTP *HTTPConfig `yaml:"http_config,omitempty"`
	// Secret signs every request by the Standard Webhooks specification: whsec_
	// and base64. Several, separated by spaces or commas, sign side by side, so
	// that the receiver can change from one to the next.
	Secret setting.Secret `yaml:"secret,omitempty"`
	// MaxAlerts is how many alerts a message holds; the rest is counted in
	// truncatedAlerts. 0, the default, is all.
	MaxAlerts uint64 `yaml:"max_alerts,omitempty"`
	// Timeout bounds one attempt; 0, the default, leaves it to the caller.
	Timeout setting.Duration `yaml:"timeout,omitempty"`
	// Payload replaces the body: mappings, lists and values as in YAML, in which
	// every text is a template. A text whose output reads as YAML of another type
	// becomes that, as in Alertmanager.
	Payload any `yaml:"payload,omitempty"`
}

// HTTPConfig is the part of Alertmanager's http_config that says who asks. Only
// one of the two can be given.
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
	// Type is what stands before the credentials; default Bearer.
	Type        string         `yaml:"type,omitempty"`
	Credentials setting.Secret `yaml:"credentials,omitempty"`
}

// The owner of a webhook sets no limit that holds for all of them.
var kind = notify.Kind{Name: "webhook", SendResolved: true}

// Kind tells what is true of every webhook.
func (*Config) Kind() notify.Kind { return kind }

// Validate says what is wrong with c. Templates are checked by New.
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
	if templated && !strings.Contains(fixed, "?") {
		f.Addf("url", "only what follows the question mark can be a template: alerts must not choose the server")
		return
	}
	u, err := url.Parse(fixed)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		f.Addf("url", "is not an https address: it looks like https://hooks.example.com/alerts")
	case u.Scheme == "http" && !setting.IsLoopback(u.Hostname()):
		f.Warnf("url", "is plain http: everybody on the way can read along")
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
		case strings.ContainsFunc(a.Type, notToken):
			f.In("authorization").Addf("type", "is one word, such as Bearer")
		case a.Credentials == "":
			f.In("authorization").Addf("credentials", "is missing: it is what stands behind %s", a.scheme())
		case strings.ContainsFunc(string(a.Credentials), notText):
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

func notText(r rune) bool  { return r < ' ' || r == 0x7F }
func notToken(r rune) bool { return r <= ' ' || r >= 0x7F }

package api

import (
	"strings"

	"tocsin/pkg/setting"
)

// AuthConfig is `webhook.auth` of the configuration: who may speak to the API.
type AuthConfig struct {
	// Tokens are taken on every path but /-/healthy and /-/ready. Several are
	// valid at once, so that one can take another's place.
	Tokens []TokenConfig `yaml:"tokens,omitempty"`
	// Public lets everybody in where no token is configured, and says that this
	// is meant.
	Public bool `yaml:"public,omitempty"`
}

// TokenConfig is a token and what it opens: everything, unless Hosts or Paths say
// less.
type TokenConfig struct {
	// Name tells tokens apart in logs.
	Name  string         `yaml:"name"`
	Token setting.Secret `yaml:"token"`
	// Hosts are ids of agents: the token opens what is below /agents/ID/.
	Hosts []string `yaml:"hosts,omitempty"`
	// Paths are what the token opens, with all that is below them.
	Paths []string `yaml:"paths,omitempty"`
}

// Open tells that nobody decided who may speak to the API: there is no token, and
// it was not said that none is wanted. A deployed function must not start so.
func (c *AuthConfig) Open() bool { return len(c.Tokens) == 0 && !c.Public }

// shortToken is the length, in bytes, below which a token may be guessed.
const shortToken = 16

// Validate adds what is wrong with c to f.
func (c *AuthConfig) Validate(f *setting.Faults) {
	names, values := map[string]bool{}, map[string]bool{}
	for i := range c.Tokens {
		t, f := &c.Tokens[i], f.In("tokens", i)
		value := string(t.Token)
		switch {
		case t.Name == "":
			f.Addf("name", "is missing: logs name tokens by it")
		case names[t.Name]:
			f.Addf("name", "%q is taken by another token: names must differ", t.Name)
		}
		switch {
		case value == "":
			f.Addf("token", "is missing: it is what the sender proves itself by; openssl rand -hex 32 makes one")
		case values[value]:
			f.Addf("token", "is another token's too: give each its own")
		case strings.Trim(value, "\t\r\n ") != value || strings.ContainsAny(value, "\r\n"):
			f.Addf("token", "begins or ends with white space, or has a line break in it: no header can bring that")
		case len(value) < shortToken:
			f.Warnf("token", "has %d bytes, which can be guessed: use %d or more, such as openssl rand -hex 32 makes", len(value), shortToken)
		}
		names[t.Name], values[value] = true, true
		for j, host := range t.Hosts {
			if host == "" {
				f.In("hosts", j).Addf("", "is empty: it is the id of a host")
			}
		}
		for j, path := range t.Paths {
			if !strings.HasPrefix(path, "/") {
				f.In("paths", j).Addf("", "%q is not a path: it begins with a slash, such as /hooks/", path)
			}
		}
	}
	if c.Public && len(c.Tokens) > 0 {
		f.Addf("public", "is true although there are tokens: keep one of them")
	}
}

package chat

import (
	"net/url"
	"strings"

	"tocsin/pkg/setting"
)

// ParseURL returns the parts of an http or https address, nil when s is none.
func ParseURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	return u
}

// WarnPlainHTTP warns when an address sends a secret, which the warning names,
// unencrypted over a network.
func WarnPlainHTTP(f *setting.Faults, key string, u *url.URL, secret string) {
	if u.Scheme == "http" && !setting.IsLoopback(u.Hostname()) {
		f.Warnf(key, "is plain http: everybody on the way can read %s", secret)
	}
}

// ValidateRobotURL adds to f the faults of a group robot's webhook address under
// the key url, whose secret is a parameter of its query. A template may stand in the
// query, so that an alert can choose among robots, but never among servers. example
// is such an address.
func ValidateRobotURL(f *setting.Faults, address setting.Secret, parameter, example string) {
	if address == "" {
		f.Addf("url", "is missing: it is the robot's webhook address, %s", example)
		return
	}
	fixed, _, templated := strings.Cut(string(address), "{{")
	if templated && !strings.Contains(fixed, "?") {
		f.Addf("url", "only what follows the question mark can be a template: alerts must not choose the server")
		return
	}
	switch u := ParseURL(fixed); {
	case u == nil:
		f.Addf("url", "is not an https address: it looks like %s", example)
	case !templated && u.Query().Get(parameter) == "":
		f.Addf("url", "has no %s: copy the robot's whole webhook address, it looks like %s", parameter, example)
	default:
		WarnPlainHTTP(f, "url", u, "the robot's "+parameter)
	}
}
